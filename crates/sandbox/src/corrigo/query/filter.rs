//! Conditions and what they match.

use std::cmp::Ordering;

use super::{
    super::{
        errors::{ApiError, Result},
        schema::{Kind, Schema},
        tenant::Tenant,
        value::{Key, Value},
    },
    literal::Literal,
    path::Path,
};

/// The fourteen operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::corrigo) enum Operator {
    Between,
    Equal,
    GreaterOrEqual,
    GreaterThan,
    In,
    LessOrEqual,
    LessThan,
    Like,
    NotBetween,
    NotEqual,
    NotIn,
    NotLike,
    NotNull,
    Null,
}

/// In the order in which numbers count them.
const OPERATORS: &[(&str, Operator)] = &[
    ("Between", Operator::Between),
    ("Equal", Operator::Equal),
    ("GreaterOrEqual", Operator::GreaterOrEqual),
    ("GreaterThan", Operator::GreaterThan),
    ("In", Operator::In),
    ("LessOrEqual", Operator::LessOrEqual),
    ("LessThan", Operator::LessThan),
    ("Like", Operator::Like),
    ("NotBetween", Operator::NotBetween),
    ("NotEqual", Operator::NotEqual),
    ("NotIn", Operator::NotIn),
    ("NotLike", Operator::NotLike),
    ("NotNull", Operator::NotNull),
    ("Null", Operator::Null),
];

impl Operator {
    /// Finds an operator by name or number.
    pub(in crate::corrigo) fn find(text: &str) -> Result<Self> {
        let named = OPERATORS
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(text));
        let numbered = || {
            text.parse::<usize>()
                .ok()
                .and_then(|index| OPERATORS.get(index))
        };
        named
            .or_else(numbered)
            .map(|(_, operator)| *operator)
            .ok_or_else(|| ApiError::parsing(format!("Operator '{text}' is not known.")))
    }

    fn accepts(self, values: usize) -> bool {
        match self {
            Self::Null | Self::NotNull => true,
            Self::Between | Self::NotBetween => values == 2,
            Self::In | Self::NotIn => values >= 1,
            _ => values == 1,
        }
    }
}

/// One comparison.
pub(in crate::corrigo) struct Condition {
    pub(in crate::corrigo) path: Path,
    pub(in crate::corrigo) operator: Operator,
    pub(in crate::corrigo) values: Vec<Literal>,
}

/// A tree of conditions.
pub(in crate::corrigo) enum Filter {
    All(Vec<Self>),
    Any(Vec<Self>),
    Test(Condition),
}

impl Condition {
    /// Checks path, operator and number of values.
    pub(in crate::corrigo) fn new(
        schema: &'static Schema,
        path: &str,
        operator: Operator,
        values: &[serde_json::Value],
        tenant: &Tenant,
    ) -> Result<Self> {
        let parsed = Path::parse(schema, path)?;
        let null_test = matches!(operator, Operator::Null | Operator::NotNull);
        match parsed.last.kind {
            Kind::Ref(_) | Kind::Child(_) if null_test => {}
            Kind::Ref(_) | Kind::Child(_) | Kind::Many(_) => {
                return Err(ApiError::bare_reference(path));
            }
            _ => {}
        }
        if !operator.accepts(values.len()) {
            return Err(ApiError::parsing(format!(
                "Operator '{operator:?}' does not take {} values.",
                values.len()
            )));
        }
        let like = matches!(operator, Operator::Like | Operator::NotLike);
        let kind = if like { Kind::Text } else { parsed.last.kind };
        let values = if null_test { &[] } else { values };
        Ok(Self {
            path: parsed,
            operator,
            values: values
                .iter()
                .map(|value| Literal::read(kind, value, tenant.switches()))
                .collect::<Result<_>>()?,
        })
    }

    /// Counts the values at the end of the path that match.
    fn matches(&self, tenant: &Tenant, key: Key) -> usize {
        let mut count = 0;
        self.path.visit(tenant, key, &mut |value| {
            count += usize::from(self.holds(tenant, value))
        });
        count
    }

    fn holds(&self, tenant: &Tenant, value: &Value<'_>) -> bool {
        let switches = tenant.switches();
        if value.is_null() {
            return match self.operator {
                Operator::Null => true,
                Operator::NotEqual | Operator::NotIn | Operator::NotLike | Operator::NotBetween => {
                    switches.not_finds_missing
                }
                _ => false,
            };
        }
        let order = |index: usize| {
            self.values
                .get(index)
                .and_then(|literal| literal.compare(value, switches))
        };
        let equal_any = || {
            self.values
                .iter()
                .any(|literal| literal.compare(value, switches) == Some(Ordering::Equal))
        };
        let between = || {
            let (low, high) = (order(0), order(1));
            let ends = switches.between_includes_ends;
            let above = low.is_some_and(|low| low.is_gt() || (ends && low.is_eq()));
            above && high.is_some_and(|high| high.is_lt() || (ends && high.is_eq()))
        };
        match self.operator {
            Operator::Null => false,
            Operator::NotNull => true,
            Operator::Equal | Operator::In => equal_any(),
            Operator::NotEqual | Operator::NotIn => !equal_any(),
            Operator::GreaterThan => order(0).is_some_and(Ordering::is_gt),
            Operator::GreaterOrEqual => order(0).is_some_and(Ordering::is_ge),
            Operator::LessThan => order(0).is_some_and(Ordering::is_lt),
            Operator::LessOrEqual => order(0).is_some_and(Ordering::is_le),
            Operator::Between => between(),
            Operator::NotBetween => !between(),
            Operator::Like => self.like(value, switches.text_ignores_case),
            Operator::NotLike => !self.like(value, switches.text_ignores_case),
        }
    }

    fn like(&self, value: &Value<'_>, ignore_case: bool) -> bool {
        let Some(Literal::Text(pattern)) = self.values.first() else {
            return false;
        };
        let text = match value {
            Value::Text(text) => text.to_string(),
            other => other
                .render()
                .map_or_else(String::new, |json| json.to_string()),
        };
        if ignore_case {
            like(&text.to_lowercase(), &pattern.to_lowercase())
        } else {
            like(&text, pattern)
        }
    }
}

/// Matches a text against a pattern in which `%` stands for any run of characters.
fn like(text: &str, pattern: &str) -> bool {
    let mut pieces = pattern.split('%');
    let Some(mut rest) = pieces.next().and_then(|head| text.strip_prefix(head)) else {
        return false;
    };
    let Some(tail) = pieces.next_back() else {
        return rest.is_empty();
    };
    for piece in pieces {
        match rest.split_once(piece) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(tail)
}

impl Filter {
    fn holds(&self, tenant: &Tenant, key: Key) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(tenant, key)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(tenant, key)),
            Self::Test(condition) => condition.matches(tenant, key) > 0,
        }
    }

    /// Returns how often a row comes: 0 when it doesn't match, more than once when a collection matches several times and
    /// nobody asked for distinct rows.
    pub(in crate::corrigo) fn copies(&self, tenant: &Tenant, key: Key, distinct: bool) -> usize {
        if !self.holds(tenant, key) {
            return 0;
        }
        if distinct || !tenant.switches().repeats_without_distinct {
            return 1;
        }
        let own = match self {
            Self::Test(_) => std::slice::from_ref(self),
            Self::All(parts) => parts.as_slice(),
            Self::Any(_) => &[],
        };
        own.iter()
            .map(|part| match part {
                Self::Test(condition) if condition.path.is_many() => {
                    condition.matches(tenant, key).max(1)
                }
                _ => 1,
            })
            .product()
    }
}

#[cfg(test)]
mod tests {
    use super::{Operator, like};

    #[test]
    fn percent_stands_for_any_run() {
        assert!(like("pump 7", "pump%"));
        assert!(like("pump 7", "%mp%7"));
        assert!(like("pump", "pump%"));
        assert!(like("pump", "pump"));
        assert!(!like("pump", "pum"));
        assert!(!like("pump", "ump%"));
        assert!(like("aXbXc", "a%b%c"));
        assert!(!like("ab", "ab%b"));
        assert!(like("anything", "%"));
    }

    #[test]
    fn operators_that_others_invent_are_unknown() {
        assert_eq!(
            Operator::find("greaterorequal").unwrap(),
            Operator::GreaterOrEqual
        );
        assert_eq!(Operator::find("1").unwrap(), Operator::Equal);
        for name in ["IsNull", "IsNotNull", "Contains", "StartsWith", "14"] {
            assert_eq!(Operator::find(name).unwrap_err().code, "DATA_PARSING_ERROR");
        }
    }
}
