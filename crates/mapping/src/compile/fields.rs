//! The rules of fields, by what the fields hold.

use toml::{Table, Value};
use wrenchtime_model::{Field, FieldKind, Resource};

use super::Compiler;
use super::keys::Keys;
use super::source::Takes;
use crate::fault::nearest;
use crate::rule::{Facet, Rule, Target};
use crate::write::push_text;

/// Keys of every rule that reads something.
pub(super) const READS: &[&str] = &["path", "first", "apply"];

impl Target {
    pub(super) fn new(name: &str, facet: Option<Facet>, rule: Rule) -> Self {
        let mut key = String::new();
        push_text(&mut key, name);
        key.push(':');
        Self {
            name: name.to_owned(),
            key,
            facet,
            rule,
        }
    }
}

/// Whether a rule stands for the fields of a record or of a line in it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    Record,
    Object,
    Line,
}

impl Compiler<'_> {
    pub(super) fn content_fields(&self, keys: &Keys<'_>, resource: Resource) -> Vec<Target> {
        self.fields(keys, resource.fields(), resource.name(), Level::Record)
    }

    pub(super) fn fields(
        &self,
        keys: &Keys<'_>,
        fields: &[Field],
        owner: &str,
        level: Level,
    ) -> Vec<Target> {
        for name in keys
            .names()
            .filter(|name| !fields.iter().any(|field| field.name == **name))
        {
            let suggestion = nearest(name, fields.iter().map(|field| field.name.as_str()));
            keys.fault_with(name, format!("`{owner}` has no field `{name}`"), suggestion);
        }
        let targets = fields.iter().filter_map(|field| {
            let value = keys.get(&field.name)?;
            let rule = with_rule(keys, &field.name, value, |rule| {
                self.rule(rule, &field.kind, &field.name, level)
            })?;
            let facet = if level == Level::Record {
                facet_of(field)
            } else {
                None
            };
            Some(Target::new(&field.name, facet, rule))
        });
        targets.collect()
    }

    fn rule(&self, keys: &Keys<'_>, kind: &FieldKind, name: &str, level: Level) -> Option<Rule> {
        match kind {
            FieldKind::Integer if keys.raw_text("path") == Some("#") => {
                keys.only("the place in a list", &["path"]);
                if level != Level::Line {
                    keys.fault(
                        "path",
                        "`#` is the place in a list and means something inside of `each` only",
                    );
                }
                Some(Rule::Position)
            }
            FieldKind::Money => self.money(keys),
            FieldKind::Quantity => self.quantity(keys),
            FieldKind::Object(fields) => self.object(keys, fields, name),
            FieldKind::List(item) => match &**item {
                FieldKind::Text => {
                    keys.only("a rule for a list of texts", READS);
                    self.source(keys, Takes::Many).map(Rule::Texts)
                }
                FieldKind::Reference => self.links(keys),
                FieldKind::Object(fields) => self.lines(keys, fields, name),
                _ => {
                    keys.fault_here("mappings cannot fill lists of this kind");
                    None
                }
            },
            _ => self.scalar(keys, kind).map(Rule::Scalar),
        }
    }
}

/// Reads a rule in its long or short form.
pub(super) fn with_rule<T>(
    keys: &Keys<'_>,
    key: &str,
    value: &Value,
    read: impl FnOnce(&Keys<'_>) -> Option<T>,
) -> Option<T> {
    match value {
        Value::Table(table) => read(&keys.inner(key, table)),
        Value::String(_) => {
            let table = Table::from_iter([("path".to_owned(), value.clone())]);
            read(&keys.inner(key, &table))
        }
        _ => {
            keys.fault(
                key,
                "this must be a path or a rule such as { path = \"...\" }",
            );
            None
        }
    }
}

fn facet_of(field: &Field) -> Option<Facet> {
    match (field.name.as_str(), &field.kind) {
        ("status", FieldKind::Choice(_)) => Some(Facet::Status),
        ("asset", FieldKind::Reference) => Some(Facet::Asset),
        ("due_at", FieldKind::Timestamp) => Some(Facet::DueAt),
        ("completed_at", FieldKind::Timestamp) => Some(Facet::CompletedAt),
        ("order_date", FieldKind::Date) => Some(Facet::OrderDate),
        ("delivery_date", FieldKind::Date) => Some(Facet::DeliveryDate),
        _ => None,
    }
}
