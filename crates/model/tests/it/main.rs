//! What the documentation says of the model.

use serde_json::Value;
use wrenchtime_model::{Resource, content_schema};

#[test]
fn the_glossary_tells_every_field() {
    let glossary = include_str!("../../../../docs/glossary.md");
    let mut missing = Vec::new();
    for resource in Resource::ALL {
        let schema = content_schema(resource);
        collect_missing(&schema, glossary, &mut missing);
        for definition in schema["$defs"].as_object().into_iter().flatten() {
            if ![
                "Money",
                "Quantity",
                "Reference",
                "DataIssue",
                "Resource",
                "IssueCode",
            ]
            .contains(&definition.0.as_str())
            {
                collect_missing(definition.1, glossary, &mut missing);
            }
        }
    }
    assert!(
        missing.is_empty(),
        "docs/glossary.md lacks:\n{}",
        missing.join("\n")
    );
}

fn collect_missing(schema: &Value, glossary: &str, missing: &mut Vec<String>) {
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let row = format!(
            "| `{name}` | {} |",
            property["description"].as_str().unwrap_or_default()
        );
        let is_shared = ["custom_fields", "data_issues"].contains(&name.as_str());
        if !is_shared && !glossary.contains(&row) {
            missing.push(row);
        }
    }
}
