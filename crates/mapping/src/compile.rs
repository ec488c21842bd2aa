//! From the text of a mapping to what is run, with every fault found on the way.

mod custom;
mod fields;
mod keys;
mod scalar;
mod source;
mod structured;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use toml::{Table, Value};
use wrenchtime_connector::{ConnectorInfo, EntityInfo, EntityName};
use wrenchtime_model::Resource;

use crate::fault::{CompileError, Faults, nearest};
use crate::rule::EntityMap;
use crate::value_map::ValueMap;
use crate::{Function, Functions};
use keys::Keys;

pub(crate) use source::is_currency;

/// The only format so far.
const FORMAT: i64 = 1;

/// The maps of a mapping, by entity, in the order of the text.
pub(crate) type Maps = HashMap<EntityName, Vec<EntityMap>>;

pub(crate) fn compile(
    text: &str,
    info: &ConnectorInfo,
    functions: &Functions,
) -> Result<Maps, CompileError> {
    let faults = Faults::default();
    let table = text.parse::<Table>().unwrap_or_else(|error| {
        faults.add(line_of(text, &error), error.message(), None);
        Table::from_iter([("format".to_owned(), Value::Integer(FORMAT))])
    });
    let root = Keys::new(&table, String::new(), &faults);
    let maps = compile_root(&root, info, functions);
    faults.into_result()?;
    Ok(maps)
}

fn line_of(text: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.get(..span.start));
    let line = before.map_or(1, |before| before.matches('\n').count() + 1);
    format!("line {line}")
}

fn compile_root(root: &Keys<'_>, info: &ConnectorInfo, functions: &Functions) -> Maps {
    root.only("a mapping", &["format", "map", "values"]);
    if root.integer("format") != Some(FORMAT) {
        root.fault("format", format!("this version reads `format = {FORMAT}`"));
    }
    let compiler = Compiler {
        info,
        functions,
        values: value_maps(root),
    };
    let mut maps = Maps::new();
    for (index, keys) in root.tables("map").into_iter().enumerate() {
        if let Some((entity, map)) = compiler.map(&keys, index) {
            let of_entity = maps.entry(entity).or_default();
            let hidden = of_entity
                .iter()
                .any(|before: &EntityMap| before.when.is_empty() && before.key == map.key);
            if hidden {
                keys.fault(
                    "when",
                    "an earlier map without `when` makes the same records already",
                );
            }
            of_entity.push(map);
        }
    }
    maps
}

fn value_maps(root: &Keys<'_>) -> BTreeMap<String, Arc<ValueMap>> {
    let Some(values) = root.table("values") else {
        return BTreeMap::new();
    };
    let names: Vec<&str> = values.names().collect();
    let maps = names.into_iter().filter_map(|name| {
        let keys = values.table(name)?;
        let pairs: Vec<(&str, &str)> = keys
            .names()
            .filter_map(|source| Some((source, keys.text_or_flag(source)?)))
            .collect();
        Some((name.to_owned(), Arc::new(ValueMap::new(name, pairs))))
    });
    maps.collect()
}

/// What the parts of a mapping are checked against.
struct Compiler<'c> {
    info: &'c ConnectorInfo,
    functions: &'c Functions,
    values: BTreeMap<String, Arc<ValueMap>>,
}

impl Compiler<'_> {
    fn map(&self, keys: &Keys<'_>, index: usize) -> Option<(EntityName, EntityMap)> {
        let name = |key: &str| keys.raw_text(key).unwrap_or("?");
        let place = format!("map[{index}] ({} -> {})", name("entity"), name("resource"));
        let keys = keys.at(place);
        keys.only(
            "a map",
            &[
                "entity",
                "resource",
                "when",
                "key",
                "remote_created_at",
                "remote_modified_at",
                "fields",
                "custom_fields",
            ],
        );
        let entity = self.entity(&keys);
        let resource = self.resource(&keys, "resource", true);
        if let (Some(entity), Some(resource)) = (entity, resource)
            && !entity.resources.contains(&resource)
        {
            keys.fault(
                "resource",
                format!(
                    "`{}` does not declare that its rows may become `{resource}`",
                    entity.name
                ),
            );
        }
        let when = self.conditions(&keys);
        let key = keys
            .text("key")
            .and_then(|text| self.one_path(&keys, "key", text));
        let remote_created_at = self.instant(&keys, "remote_created_at");
        let remote_modified_at = self.instant(&keys, "remote_modified_at");
        let custom_fields = keys
            .table("custom_fields")
            .map(|keys| self.custom_fields(&keys));
        let (entity, resource) = (entity?, resource?);
        let fields = keys
            .table("fields")
            .map(|keys| self.content_fields(&keys, resource));
        let map = EntityMap {
            resource,
            class: entity.class.clone(),
            when,
            key,
            remote_created_at,
            remote_modified_at,
            fields: fields.unwrap_or_default(),
            custom_fields: custom_fields.unwrap_or_default(),
        };
        Some((entity.name.clone(), map))
    }

    fn entity(&self, keys: &Keys<'_>) -> Option<&EntityInfo> {
        let name = keys.required_text("entity")?;
        let known = self.info.entities.iter().map(|entity| entity.name.as_str());
        let found = self.info.entity(&EntityName::new(name));
        if found.is_none() {
            let message = format!("{} has no entity `{name}`", self.info.system);
            keys.fault_with("entity", message, nearest(name, known));
        }
        found
    }

    fn resource(&self, keys: &Keys<'_>, key: &str, required: bool) -> Option<Resource> {
        let name = if required {
            keys.required_text(key)
        } else {
            keys.text(key)
        }?;
        let found = name.parse().ok();
        if found.is_none() {
            let known = Resource::ALL.into_iter().map(Resource::name);
            keys.fault_with(
                key,
                format!("there is no resource `{name}`"),
                nearest(name, known),
            );
        }
        found
    }

    fn function(&self, keys: &Keys<'_>, name: &str) -> Option<Function> {
        let found = self.functions.get(name);
        if found.is_none() {
            let suggestion = nearest(name, self.functions.names());
            keys.fault_with(
                "apply",
                format!("there is no function `{name}`"),
                suggestion,
            );
        }
        found
    }
}
