//! What the fields of a resource are, read from its schema: the one list that mappings are checked against.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::Value;

use crate::{Resource, content_schema};

/// One field of a resource or of a line in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Field {
    /// Its name in JSON.
    pub name: String,
    /// What it holds.
    pub kind: FieldKind,
}

/// What a field holds.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum FieldKind {
    /// Text.
    Text,
    /// A whole number.
    Integer,
    /// True or false.
    Boolean,
    /// A decimal as text.
    Amount,
    /// An instant in UTC.
    Timestamp,
    /// A day without zone.
    Date,
    /// [`crate::Money`].
    Money,
    /// [`crate::Quantity`].
    Quantity,
    /// [`crate::Reference`].
    Reference,
    /// One of these names.
    Choice(Vec<String>),
    /// An object with these fields.
    Object(Vec<Field>),
    /// A list of what stands inside.
    List(Box<Self>),
}

impl Resource {
    /// Returns the fields of its content, in order, without `custom_fields` and `data_issues`.
    pub fn fields(self) -> &'static [Field] {
        static FIELDS: LazyLock<BTreeMap<Resource, Vec<Field>>> = LazyLock::new(|| {
            Resource::ALL
                .into_iter()
                .map(|resource| (resource, fields_of(&content_schema(resource))))
                .collect()
        });
        &FIELDS[&self]
    }
}

fn fields_of(schema: &Value) -> Vec<Field> {
    let definitions = &schema["$defs"];
    object_fields(schema, definitions)
        .into_iter()
        .filter(|field| !["custom_fields", "data_issues"].contains(&field.name.as_str()))
        .collect()
}

fn object_fields(schema: &Value, definitions: &Value) -> Vec<Field> {
    let Some(properties) = schema["properties"].as_object() else {
        return Vec::new();
    };
    properties
        .iter()
        .filter_map(|(name, property)| {
            let kind = kind_of(property, definitions)?;
            Some(Field {
                name: name.clone(),
                kind,
            })
        })
        .collect()
}

fn kind_of(property: &Value, definitions: &Value) -> Option<FieldKind> {
    if let Some(alternatives) = property["anyOf"].as_array() {
        return alternatives
            .iter()
            .find_map(|one| kind_of(one, definitions));
    }
    if let Some(reference) = property["$ref"].as_str() {
        let name = reference.rsplit('/').next()?;
        return match name {
            "Money" => Some(FieldKind::Money),
            "Quantity" => Some(FieldKind::Quantity),
            "Reference" => Some(FieldKind::Reference),
            _ => Some(FieldKind::Object(object_fields(
                &definitions[name],
                definitions,
            ))),
        };
    }
    if let Some(choices) = choices_of(property) {
        return Some(FieldKind::Choice(choices));
    }
    match (type_of(property)?, property["format"].as_str()) {
        ("string", Some("date-time")) => Some(FieldKind::Timestamp),
        ("string", Some("date")) => Some(FieldKind::Date),
        ("string", Some("decimal")) => Some(FieldKind::Amount),
        ("string", _) => Some(FieldKind::Text),
        ("integer", _) => Some(FieldKind::Integer),
        ("boolean", _) => Some(FieldKind::Boolean),
        ("array", _) => {
            let item = kind_of(&property["items"], definitions)?;
            Some(FieldKind::List(Box::new(item)))
        }
        _ => None,
    }
}

fn choices_of(property: &Value) -> Option<Vec<String>> {
    let names: Vec<String> = match (&property["enum"], &property["oneOf"]) {
        (Value::Array(names), _) => names.iter().filter_map(text).collect(),
        (_, Value::Array(members)) => members
            .iter()
            .flat_map(|member| match &member["enum"] {
                Value::Array(names) => names.iter().filter_map(text).collect(),
                _ => text(&member["const"]).into_iter().collect::<Vec<_>>(),
            })
            .collect(),
        _ => return None,
    };
    Some(names)
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn type_of(property: &Value) -> Option<&str> {
    match &property["type"] {
        Value::String(name) => Some(name),
        Value::Array(names) => names
            .iter()
            .filter_map(Value::as_str)
            .find(|name| *name != "null"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(resource: Resource, name: &str, expected: &FieldKind) {
        let field = resource.fields().iter().find(|field| field.name == name);
        assert_eq!(field.map(|field| &field.kind), Some(expected));
    }

    #[test]
    fn every_kind_is_read_from_the_schema() {
        check(Resource::WorkOrder, "number", &FieldKind::Text);
        check(Resource::WorkOrder, "due_at", &FieldKind::Timestamp);
        check(Resource::WorkOrder, "planned_duration", &FieldKind::Integer);
        check(Resource::WorkOrder, "cost", &FieldKind::Money);
        check(Resource::WorkOrder, "asset", &FieldKind::Reference);
        check(Resource::Location, "active", &FieldKind::Boolean);
        check(Resource::Asset, "installed_on", &FieldKind::Date);
        check(Resource::Part, "quantity_on_hand", &FieldKind::Quantity);
        check(
            Resource::WorkOrder,
            "additional_assignees",
            &FieldKind::List(Box::new(FieldKind::Reference)),
        );
    }

    #[test]
    fn choices_list_every_member_once() {
        let status = Resource::WorkOrder
            .fields()
            .iter()
            .find(|field| field.name == "status");
        let Some(FieldKind::Choice(names)) = status.map(|field| &field.kind) else {
            panic!("status is a choice, not {status:?}");
        };
        let mut names = names.clone();
        names.sort();
        assert_eq!(
            names,
            [
                "assigned",
                "cancelled",
                "closed",
                "completed",
                "in_progress",
                "on_hold",
                "open",
                "unknown"
            ]
        );
    }

    #[test]
    fn no_property_is_left_out() {
        for resource in Resource::ALL {
            let schema = content_schema(resource);
            let properties = schema["properties"].as_object().unwrap().len();
            assert_eq!(resource.fields().len(), properties - 2, "{resource}");
        }
    }

    #[test]
    fn lines_have_fields_of_their_own() {
        let tasks = Resource::WorkOrder
            .fields()
            .iter()
            .find(|field| field.name == "tasks");
        let Some(FieldKind::List(item)) = tasks.map(|field| &field.kind) else {
            panic!("tasks is a list, not {tasks:?}");
        };
        assert!(matches!(&**item, FieldKind::Object(fields) if fields.len() == 6));
    }
}
