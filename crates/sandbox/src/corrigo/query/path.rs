//! Dotted paths from an entity to a property.

use super::super::{
    errors::{ApiError, Result},
    schema::{Entity, Field, Kind, Schema},
    tenant::Tenant,
    value::{Key, Value},
};

/// A path that was checked against the schema.
pub(in crate::corrigo) struct Path {
    /// References, children and collections on the way.
    pub(in crate::corrigo) steps: Vec<&'static Field>,
    /// The property at its end.
    pub(in crate::corrigo) last: &'static Field,
}

impl Path {
    /// Finds the properties that a path names, whatever their case.
    pub(in crate::corrigo) fn parse(schema: &'static Schema, path: &str) -> Result<Self> {
        let mut schema = schema;
        let mut steps = Vec::new();
        let mut segments = path.split('.').peekable();
        while let Some(segment) = segments.next() {
            let field = schema
                .field(segment)
                .ok_or_else(|| ApiError::no_property(schema.name, segment))?;
            let Some(next) = segments.peek() else {
                return Ok(Self { steps, last: field });
            };
            if field.kind == Kind::Money && next.eq_ignore_ascii_case("Value") {
                return Ok(Self { steps, last: field });
            }
            schema = field
                .kind
                .target()
                .map(Entity::schema)
                .ok_or_else(|| ApiError::no_property(schema.name, path))?;
            steps.push(field);
        }
        Err(ApiError::no_property(schema.name, path))
    }

    /// Tells whether the path goes through a collection.
    pub(in crate::corrigo) fn is_many(&self) -> bool {
        self.steps
            .iter()
            .any(|field| matches!(field.kind, Kind::Many(_)))
    }

    /// Tells whether the path names this property of the entity itself.
    pub(in crate::corrigo) fn is_direct(&self, name: &str) -> bool {
        self.steps.is_empty() && self.last.name == name
    }

    /// Shows each value at the end of the path; a path that breaks off shows one missing value.
    pub(in crate::corrigo) fn visit<'a>(
        &self,
        tenant: &'a Tenant,
        key: Key,
        seen: &mut dyn FnMut(&Value<'a>),
    ) {
        walk(&self.steps, self.last, tenant, key, seen);
    }

    /// Returns the first value at the end of the path.
    pub(in crate::corrigo) fn first<'a>(&self, tenant: &'a Tenant, key: Key) -> Value<'a> {
        let mut first = None;
        self.visit(tenant, key, &mut |value| {
            first.get_or_insert_with(|| value.clone());
        });
        first.unwrap_or(Value::Missing)
    }
}

fn walk<'a>(
    steps: &[&'static Field],
    last: &'static Field,
    tenant: &'a Tenant,
    key: Key,
    seen: &mut dyn FnMut(&Value<'a>),
) {
    let Some((step, rest)) = steps.split_first() else {
        seen(&(last.get)(tenant, key));
        return;
    };
    match (step.get)(tenant, key) {
        Value::Row(next) => walk(rest, last, tenant, next, seen),
        Value::Rows(keys) if !keys.is_empty() => {
            for next in keys {
                walk(rest, last, tenant, next, seen);
            }
        }
        _ => seen(&Value::Missing),
    }
}
