//! The query language, as far as it is needed.

use serde::Serialize;
use serde_json::{Value, json};

/// A query, as it is posted.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub(crate) struct Query {
    #[serde(rename = "QueryExpression")]
    expression: Expression,
}

#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Expression {
    property_set: PropertySet,
    criteria: Criteria,
    orders: Vec<Order>,
    count: u32,
}

#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct PropertySet {
    properties: Vec<&'static str>,
}

/// Conditions and nested criteria that all hold, or of which one does.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Criteria {
    conditions: Vec<Condition>,
    filter_operator: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    filters: Vec<Self>,
}

#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Condition {
    property_name: &'static str,
    operator: &'static str,
    values: Vec<Value>,
}

#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Order {
    property_name: &'static str,
    order_type: &'static str,
}

/// How two values compare.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Operator {
    Equal,
    GreaterThan,
    GreaterOrEqual,
    In,
    NotNull,
}

impl Operator {
    fn name(self) -> &'static str {
        match self {
            Self::Equal => "Equal",
            Self::GreaterThan => "GreaterThan",
            Self::GreaterOrEqual => "GreaterOrEqual",
            Self::In => "In",
            Self::NotNull => "NotNull",
        }
    }
}

impl Criteria {
    fn of(operator: &'static str) -> Self {
        Self {
            conditions: Vec::new(),
            filter_operator: operator,
            filters: Vec::new(),
        }
    }

    /// All of what is added holds.
    pub(crate) fn all() -> Self {
        Self::of("And")
    }

    fn any() -> Self {
        Self::of("Or")
    }

    pub(crate) fn compare(
        mut self,
        property: &'static str,
        operator: Operator,
        value: impl Into<Value>,
    ) -> Self {
        let condition = Condition {
            property_name: property,
            operator: operator.name(),
            values: match (operator, value.into()) {
                (Operator::NotNull, _) => Vec::new(),
                (_, Value::Array(values)) => values,
                (_, value) => vec![value],
            },
        };
        self.conditions.push(condition);
        self
    }

    fn nest(mut self, criteria: Self) -> Self {
        self.filters.push(criteria);
        self
    }

    /// What stands behind this place in the order of two columns. Rows never shift from page to page, as they would
    /// with an offset.
    pub(crate) fn behind(self, columns: [&'static str; 2], place: [Value; 2]) -> Self {
        let [first, second] = columns;
        let [first_value, second_value] = place;
        let tied = Self::all()
            .compare(first, Operator::Equal, first_value.clone())
            .compare(second, Operator::GreaterThan, second_value);
        self.nest(
            Self::any()
                .compare(first, Operator::GreaterThan, first_value)
                .nest(tied),
        )
    }
}

impl Query {
    /// Asks for so many rows at most, in ascending order of these columns.
    pub(crate) fn new(
        properties: &[&'static str],
        criteria: Criteria,
        orders: &[&'static str],
        count: u32,
    ) -> Self {
        let order = |property: &&'static str| Order {
            property_name: property,
            order_type: "Ascending",
        };
        Self {
            expression: Expression {
                property_set: PropertySet {
                    properties: properties.to_vec(),
                },
                criteria,
                orders: orders.iter().map(order).collect(),
                count,
            },
        }
    }

    /// Asks for the rows with these ids.
    pub(crate) fn by_ids(properties: &[&'static str], ids: &[i64]) -> Self {
        let count = u32::try_from(ids.len()).unwrap_or(u32::MAX);
        Self::new(
            properties,
            Criteria::all().compare("Id", Operator::In, json!(ids)),
            &["Id"],
            count,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_written_as_the_vendor_shows_it() {
        let criteria = Criteria::all()
            .compare(
                "LastActionDateUtc",
                Operator::GreaterOrEqual,
                "2031-05-01T00:00:00",
            )
            .behind(
                ["LastActionDateUtc", "Id"],
                ["2031-05-01T09:30:00.12".into(), 42.into()],
            );
        let query = Query::new(
            &["*", "Items.*"],
            criteria,
            &["LastActionDateUtc", "Id"],
            500,
        );
        insta::assert_json_snapshot!(query);
    }

    #[test]
    fn not_null_has_no_values_and_a_list_is_spread() {
        let criteria = Criteria::all().compare("LastActionDateUtc", Operator::NotNull, Value::Null);
        assert_eq!(
            serde_json::to_value(&criteria).unwrap()["Conditions"][0]["Values"],
            json!([])
        );
        let query = serde_json::to_value(Query::by_ids(&["Id"], &[3, 4])).unwrap();
        assert_eq!(
            query["QueryExpression"]["Criteria"]["Conditions"][0]["Values"],
            json!([3, 4])
        );
    }
}
