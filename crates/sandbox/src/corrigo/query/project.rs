//! Which properties a reply shows.

use serde_json::{Map, Value as Json, json};

use super::super::{
    errors::{ApiError, Result},
    schema::{Entity, Kind, Schema},
    tenant::Tenant,
    value::{Key, Value},
};

/// Properties asked for, checked against the schema.
pub(in crate::corrigo) struct Selection {
    schema: &'static Schema,
    star: bool,
    picks: Vec<Option<Pick>>,
}

enum Pick {
    Scalar,
    Nested(Selection),
}

/// What faults add to a reply.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::corrigo) struct Surprise {
    pub(in crate::corrigo) unknown_field: bool,
    pub(in crate::corrigo) unknown_member: bool,
}

impl Selection {
    /// Reads a list of paths; an empty one means `*`.
    pub(in crate::corrigo) fn parse(schema: &'static Schema, paths: &[String]) -> Result<Self> {
        let mut selection = Self::empty(schema);
        if paths.is_empty() {
            selection.star = true;
        }
        for path in paths {
            let segments: Vec<&str> = path.split('.').map(str::trim).collect();
            selection.add(&segments, path)?;
        }
        Ok(selection)
    }

    fn empty(schema: &'static Schema) -> Self {
        Self {
            schema,
            star: false,
            picks: schema.fields.iter().map(|_| None).collect(),
        }
    }

    fn add(&mut self, segments: &[&str], path: &str) -> Result<()> {
        let Some((name, rest)) = segments.split_first() else {
            return Ok(());
        };
        if *name == "*" && rest.is_empty() {
            self.star = true;
            return Ok(());
        }
        let unknown = || ApiError::no_property(self.schema.name, name);
        let at = self
            .schema
            .fields
            .iter()
            .position(|field| field.name.eq_ignore_ascii_case(name))
            .ok_or_else(unknown)?;
        let kind = self.schema.fields[at].kind;
        let target = kind.target().map(Entity::schema);
        let money = kind == Kind::Money && rest.len() == 1;
        match (target, rest.is_empty()) {
            (None, true) => self.picks[at] = Some(Pick::Scalar),
            (None, false) if money => self.picks[at] = Some(Pick::Scalar),
            (None, false) => return Err(ApiError::no_property(self.schema.name, path)),
            (Some(_), true) => return Err(ApiError::bare_reference(path)),
            (Some(target), false) => {
                let pick = self.picks[at].get_or_insert_with(|| Pick::Nested(Self::empty(target)));
                if let Pick::Nested(nested) = pick {
                    nested.add(rest, path)?;
                }
            }
        }
        Ok(())
    }

    /// Renders a row.
    pub(in crate::corrigo) fn render(&self, tenant: &Tenant, key: Key, surprise: Surprise) -> Json {
        let mut object = Map::new();
        for (field, pick) in self.schema.fields.iter().zip(&self.picks) {
            let shown = match pick {
                Some(Pick::Nested(nested)) => nested.render_below((field.get)(tenant, key), tenant),
                Some(Pick::Scalar) => (field.get)(tenant, key).render(),
                None if field.name == "Id" => (field.get)(tenant, key).render(),
                None if self.star => render_star(field.kind, &(field.get)(tenant, key), tenant),
                None => None,
            };
            let Some(mut shown) = shown else { continue };
            if surprise.unknown_member && field.name == self.schema.unstable {
                shown = json!("Unforeseen");
            }
            object.insert(field.name.to_owned(), shown);
        }
        if surprise.unknown_field {
            object.insert(
                "AddedByTheVendor".to_owned(),
                json!({"Since": "9.99", "Id": 1}),
            );
        }
        Json::Object(object)
    }

    fn render_below(&self, value: Value<'_>, tenant: &Tenant) -> Option<Json> {
        let surprise = Surprise::default();
        match value {
            Value::Row(key) => Some(self.render(tenant, key, surprise)),
            Value::Rows(keys) => Some(
                keys.into_iter()
                    .map(|key| self.render(tenant, key, surprise))
                    .collect(),
            ),
            _ => None,
        }
    }
}

/// Renders what `*` shows of a property: scalars, and references as their Id.
fn render_star(kind: Kind, value: &Value<'_>, tenant: &Tenant) -> Option<Json> {
    let (Kind::Ref(entity), Value::Row(key)) = (kind, value) else {
        return value.render();
    };
    let schema = entity.schema();
    let mut reference = Map::new();
    if entity == Entity::Actor
        && let Some(kind) = schema
            .field("TypeId")
            .and_then(|field| (field.get)(tenant, *key).render())
    {
        reference.insert("TypeId".to_owned(), kind);
    }
    reference.insert("Id".to_owned(), json!(schema.id_of(tenant, *key)));
    Some(Json::Object(reference))
}
