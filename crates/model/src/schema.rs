//! JSON Schemas (draft 2020-12) of what this crate defines.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::Value;

use crate::{Asset, Location, Part, PurchaseOrder, Record, Resource, User, Vendor, WorkOrder};

/// Returns the schema of a resource's record as the API shows it: envelope and content.
pub fn record_schema(resource: Resource) -> Value {
    match resource {
        Resource::WorkOrder => schema::<Record<WorkOrder>>(),
        Resource::Asset => schema::<Record<Asset>>(),
        Resource::Location => schema::<Record<Location>>(),
        Resource::User => schema::<Record<User>>(),
        Resource::Vendor => schema::<Record<Vendor>>(),
        Resource::Part => schema::<Record<Part>>(),
        Resource::PurchaseOrder => schema::<Record<PurchaseOrder>>(),
    }
}

/// Returns the schema of a resource's content alone, as mappings write it.
pub fn content_schema(resource: Resource) -> Value {
    match resource {
        Resource::WorkOrder => schema::<WorkOrder>(),
        Resource::Asset => schema::<Asset>(),
        Resource::Location => schema::<Location>(),
        Resource::User => schema::<User>(),
        Resource::Vendor => schema::<Vendor>(),
        Resource::Part => schema::<Part>(),
        Resource::PurchaseOrder => schema::<PurchaseOrder>(),
    }
}

fn schema<T: JsonSchema>() -> Value {
    let generator = SchemaGenerator::new(SchemaSettings::draft2020_12().for_serialize());
    generator.into_root_schema_for::<T>().to_value()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn record_schemas_keep_their_shape() {
        for resource in Resource::ALL {
            insta::assert_json_snapshot!(resource.name(), record_schema(resource));
        }
    }
}
