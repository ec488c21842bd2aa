//! Rules of fields that the model does not have.

use toml::Value;
use wrenchtime_model::FieldKind;

use super::Compiler;
use super::fields::{READS, with_rule};
use super::keys::Keys;
use super::source::Takes;
use crate::fault::nearest;
use crate::rule::{Convert, Rule, ScalarRule, Target};

const KINDS: [&str; 6] = ["text", "number", "decimal", "boolean", "date", "instant"];

impl Compiler<'_> {
    pub(super) fn custom_fields(&self, keys: &Keys<'_>) -> Vec<Target> {
        let targets = keys.names().filter_map(|name| {
            if name.trim().is_empty() {
                keys.fault(name, "a custom field needs a name");
            }
            let value = keys.get(name)?;
            let rule = with_rule(keys, name, value, |rule| self.custom(rule))?;
            Some(Target::new(name, None, rule))
        });
        let mut targets: Vec<Target> = targets.collect();
        targets.sort_by(|a, b| a.name.cmp(&b.name));
        targets
    }

    fn custom(&self, keys: &Keys<'_>) -> Option<Rule> {
        let kind = match keys.text("kind") {
            None if keys.has("kind") => return None,
            None => return self.verbatim(keys),
            Some(kind) => kind,
        };
        let rule = keys.hiding("kind");
        let known = match kind {
            "text" => FieldKind::Text,
            "decimal" => FieldKind::Amount,
            "boolean" => FieldKind::Boolean,
            "date" => FieldKind::Date,
            "instant" => FieldKind::Timestamp,
            "number" => {
                rule.only("a rule for a number", READS);
                let source = self.source(&rule, Takes::One)?;
                return Some(Rule::Scalar(ScalarRule::One(source, Convert::Number)));
            }
            _ => {
                let message = format!("`{kind}` is no kind; known are {}", KINDS.join(", "));
                keys.fault_with("kind", message, nearest(kind, KINDS));
                return None;
            }
        };
        self.scalar(&rule, &known).map(Rule::Scalar)
    }

    /// Reads a rule whose value is kept as the source wrote it.
    fn verbatim(&self, keys: &Keys<'_>) -> Option<Rule> {
        let kind = match keys.get("value") {
            Some(Value::String(_)) => FieldKind::Text,
            Some(Value::Integer(_)) => FieldKind::Integer,
            Some(_) => FieldKind::Boolean,
            None => {
                keys.only("a custom field", &[READS, &["value", "kind"]].concat());
                return self.source(keys, Takes::Many).map(Rule::Json);
            }
        };
        self.scalar(keys, &kind).map(Rule::Scalar)
    }
}
