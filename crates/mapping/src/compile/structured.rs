//! Rules of fields that hold more than one value: money, quantities, references, objects, lists.

use wrenchtime_model::{Field, IdentityClass, Resource};

use super::Compiler;
use super::fields::{Level, READS};
use super::keys::Keys;
use super::source::{Names, Takes};
use crate::fault::nearest;
use crate::rule::{LinesRule, LinkRule, MoneyRule, ObjectRule, QuantityRule, Rule, TextFrom};

impl Compiler<'_> {
    pub(super) fn money(&self, keys: &Keys<'_>) -> Option<Rule> {
        let own = ["amount", "currency", "currency_path", "currencies"];
        keys.only("a rule for money", &[READS, &own].concat());
        let source = self.source(keys, Takes::One);
        let amount = self.optional_path(keys, "amount");
        if keys.raw_text("currency").is_some() && !keys.has("amount") {
            keys.fault("currency", "as a text this is a member of the object that also holds `amount`, and that is missing; write { value = \"...\" } for one and the same currency");
        }
        let currency = self.beside(keys, "currency", "currency_path", &Names::Currencies);
        let currencies = self.value_map(keys, "currencies", &Names::Currencies);
        Some(Rule::Money(MoneyRule {
            source: source?,
            amount,
            currency,
            currencies,
        }))
    }

    pub(super) fn quantity(&self, keys: &Keys<'_>) -> Option<Rule> {
        keys.only(
            "a rule for a quantity",
            &[READS, &["unit", "unit_path"]].concat(),
        );
        if keys.raw_text("unit").is_some() {
            keys.fault("unit", "write `unit_path` for where the unit stands, or { value = \"...\" } for one and the same unit");
        }
        let unit = self.beside(keys, "unit", "unit_path", &Names::Any);
        let source = self.source(keys, Takes::One)?;
        Some(Rule::Quantity(QuantityRule { source, unit }))
    }

    /// Reads where the text beside a number comes from.
    fn beside(&self, keys: &Keys<'_>, key: &str, path_key: &str, names: &Names<'_>) -> TextFrom {
        if keys.has(key) && keys.has(path_key) {
            keys.fault(
                path_key,
                format!("`{key}` and `{path_key}` exclude each other"),
            );
        }
        if let Some(text) = keys.raw_text(key) {
            return self
                .one_path(keys, key, text)
                .map_or(TextFrom::Nowhere, TextFrom::Object);
        }
        if let Some(constant) = keys.table(key) {
            constant.only("a constant", &["value"]);
            let text = constant.required_text("value").unwrap_or_default().trim();
            if text.is_empty() {
                return TextFrom::Nowhere;
            }
            if let Some((message, suggestion)) = names.fault_of(text) {
                constant.fault_with("value", message, suggestion);
            }
            return TextFrom::Constant(text.to_owned());
        }
        self.optional_path(keys, path_key)
            .map_or(TextFrom::Nowhere, TextFrom::Scope)
    }

    pub(super) fn links(&self, keys: &Keys<'_>) -> Option<Rule> {
        let own = ["class", "resource", "resource_path", "resources"];
        keys.only("a rule for a list of references", &[READS, &own].concat());
        let source = self.source(keys, Takes::Many);
        let link = self.link(keys);
        Some(Rule::Links(source?, link?))
    }

    pub(super) fn link(&self, keys: &Keys<'_>) -> Option<LinkRule> {
        let class = self.class(keys);
        let resource = self.resource(keys, "resource", false);
        if let (Some(class), Some(resource)) = (&class, resource)
            && !self.resources_of(class).any(|known| known == resource)
        {
            keys.fault(
                "resource",
                format!("no entity whose keys are of class `{class}` becomes `{resource}`"),
            );
        }
        if keys.has("resource_path") != keys.has("resources") {
            keys.fault_here("`resource_path` and the value map `resources` belong together");
        }
        let path = self.optional_path(keys, "resource_path");
        let names = Names::Of("resource", Resource::ALL.map(Resource::name).to_vec());
        let told = path.zip(self.value_map(keys, "resources", &names));
        Some(LinkRule {
            class: class?,
            resource,
            told,
        })
    }

    fn class(&self, keys: &Keys<'_>) -> Option<IdentityClass> {
        let name = keys.required_text("class")?;
        let classes = || self.info.entities.iter().map(|entity| &entity.class);
        let found = classes().find(|class| class.as_str() == name);
        if found.is_none() {
            let of_entity = self
                .info
                .entities
                .iter()
                .find(|entity| entity.name.as_str() == name);
            let suggestion = match of_entity {
                Some(entity) => Some(entity.class.as_str().to_owned()),
                None => nearest(name, classes().map(IdentityClass::as_str)),
            };
            keys.fault_with(
                "class",
                format!("no entity has keys of class `{name}`"),
                suggestion,
            );
        }
        found.cloned()
    }

    fn resources_of(&self, class: &IdentityClass) -> impl Iterator<Item = Resource> {
        let entities = self
            .info
            .entities
            .iter()
            .filter(move |entity| entity.class == *class);
        entities.flat_map(|entity| entity.resources.iter().copied())
    }

    pub(super) fn object(&self, keys: &Keys<'_>, fields: &[Field], owner: &str) -> Option<Rule> {
        keys.only("a rule for an object", &["path", "fields"]);
        let base = self.optional_path(keys, "path");
        let fields = self.inner_fields(keys, fields, owner, Level::Object)?;
        Some(Rule::Object(ObjectRule { base, fields }))
    }

    pub(super) fn lines(&self, keys: &Keys<'_>, fields: &[Field], owner: &str) -> Option<Rule> {
        keys.only("a rule for a list of objects", &["each", "fields", "when"]);
        let each = keys
            .required_text("each")
            .and_then(|text| self.path(keys, "each", text));
        let when = self.conditions(keys);
        let fields = self.inner_fields(keys, fields, owner, Level::Line);
        Some(Rule::Lines(LinesRule {
            each: each?,
            when,
            fields: fields?,
        }))
    }

    fn inner_fields(
        &self,
        keys: &Keys<'_>,
        fields: &[Field],
        owner: &str,
        level: Level,
    ) -> Option<Vec<crate::rule::Target>> {
        if !keys.has("fields") {
            keys.fault_here("`fields` is missing");
        }
        let inner = keys.table("fields")?;
        Some(self.fields(&inner, fields, owner, level))
    }
}
