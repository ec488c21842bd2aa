//! From JSON to a query.

use serde_json::{Map, Value as Json};

use super::{
    super::{
        errors::{ApiError, Result},
        schema::Schema,
        tenant::Tenant,
    },
    filter::{Condition, Filter, Operator},
    order::OrderBy,
    path::Path,
    project::Selection,
};

/// A query that was checked against the schema.
pub(in crate::corrigo) struct Query {
    pub(in crate::corrigo) selection: Selection,
    pub(in crate::corrigo) filter: Filter,
    pub(in crate::corrigo) orders: Vec<OrderBy>,
    /// 0 for as many as allowed.
    pub(in crate::corrigo) count: usize,
    pub(in crate::corrigo) first: usize,
    pub(in crate::corrigo) distinct: bool,
}

/// Returns the member of an object, whatever its case; null counts as absent.
pub(in crate::corrigo) fn member<'a>(
    object: &'a Map<String, Json>,
    name: &str,
) -> Option<&'a Json> {
    object
        .iter()
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
        .filter(|value| !value.is_null())
}

impl Query {
    /// Reads the body of a query. Keys that nobody knows are ignored.
    pub(in crate::corrigo) fn parse(
        schema: &'static Schema,
        body: &Map<String, Json>,
        tenant: &Tenant,
    ) -> Result<Self> {
        let expression = member(body, "QueryExpression")
            .and_then(Json::as_object)
            .ok_or_else(|| ApiError::empty_input("QueryExpression"))?;
        let criteria = member(expression, "Criteria")
            .map(|json| object(json, "Criteria"))
            .transpose()?;
        Ok(Self {
            selection: Selection::parse(schema, &properties(expression)?)?,
            filter: match criteria {
                Some(criteria) => read_filter(schema, criteria, tenant, 0)?,
                None => Filter::All(Vec::new()),
            },
            orders: read_orders(schema, expression)?,
            count: read_number(expression, "Count")?,
            first: read_number(expression, "FirstResultIndex")?,
            distinct: member(expression, "Distinct")
                .and_then(Json::as_bool)
                .unwrap_or(false),
        })
    }
}

fn object<'a>(json: &'a Json, what: &str) -> Result<&'a Map<String, Json>> {
    json.as_object()
        .ok_or_else(|| ApiError::parsing(format!("'{what}' is not an object.")))
}

fn list<'a>(holder: &'a Map<String, Json>, name: &str) -> Result<&'a [Json]> {
    match member(holder, name) {
        None => Ok(&[]),
        Some(Json::Array(items)) => Ok(items),
        Some(_) => Err(ApiError::parsing(format!("'{name}' is not a list."))),
    }
}

fn name_of(json: Option<&Json>, what: &str) -> Result<String> {
    match json {
        Some(Json::String(text)) => Ok(text.clone()),
        Some(Json::Number(number)) => Ok(number.to_string()),
        _ => Err(ApiError::empty_input(what)),
    }
}

fn properties(expression: &Map<String, Json>) -> Result<Vec<String>> {
    let Some(set) = member(expression, "PropertySet") else {
        return Ok(Vec::new());
    };
    let items = list(object(set, "PropertySet")?, "Properties")?;
    items
        .iter()
        .map(|item| name_of(Some(item), "Properties"))
        .collect()
}

fn read_number(expression: &Map<String, Json>, name: &str) -> Result<usize> {
    let Some(json) = member(expression, name) else {
        return Ok(0);
    };
    let text = name_of(Some(json), name)?;
    let number: i32 = text
        .parse()
        .map_err(|_| ApiError::parsing(format!("'{name}' is not a number.")))?;
    usize::try_from(number).map_err(|_| ApiError::parsing(format!("'{name}' is negative.")))
}

/// Nesting beyond which a filter is refused, to keep the simulator's stack safe.
const DEEPEST: usize = 32;

fn read_filter(
    schema: &'static Schema,
    criteria: &Map<String, Json>,
    tenant: &Tenant,
    depth: usize,
) -> Result<Filter> {
    if depth > DEEPEST {
        return Err(ApiError::parsing("Filters are nested too deeply."));
    }
    let mut parts = Vec::new();
    for condition in list(criteria, "Conditions")? {
        let condition = object(condition, "Conditions")?;
        let path = name_of(member(condition, "PropertyName"), "PropertyName")?;
        let operator = Operator::find(&name_of(member(condition, "Operator"), "Operator")?)?;
        let values = list(condition, "Values")?;
        parts.push(Filter::Test(Condition::new(
            schema, &path, operator, values, tenant,
        )?));
    }
    for nested in list(criteria, "Filters")? {
        parts.push(read_filter(
            schema,
            object(nested, "Filters")?,
            tenant,
            depth + 1,
        )?);
    }
    let joined =
        member(criteria, "FilterOperator").map(|json| name_of(Some(json), "FilterOperator"));
    match joined
        .transpose()?
        .unwrap_or_else(|| "And".to_owned())
        .to_ascii_lowercase()
        .as_str()
    {
        "and" | "0" => Ok(Filter::All(parts)),
        "or" | "1" if parts.is_empty() => Ok(Filter::All(parts)),
        "or" | "1" => Ok(Filter::Any(parts)),
        other => Err(ApiError::parsing(format!(
            "FilterOperator '{other}' is not known."
        ))),
    }
}

fn read_orders(schema: &'static Schema, expression: &Map<String, Json>) -> Result<Vec<OrderBy>> {
    let mut orders = Vec::new();
    for order in list(expression, "Orders")? {
        let order = object(order, "Orders")?;
        let name = name_of(member(order, "PropertyName"), "PropertyName")?;
        let path = Path::parse(schema, &name)?;
        if path.last.kind.target().is_some() {
            return Err(ApiError::bare_reference(&name));
        }
        let kind = member(order, "OrderType").map(|json| name_of(Some(json), "OrderType"));
        let descending = match kind
            .transpose()?
            .map(|text| text.to_ascii_lowercase())
            .as_deref()
        {
            None | Some("ascending" | "0") => false,
            Some("descending" | "1") => true,
            Some(other) => {
                return Err(ApiError::parsing(format!(
                    "OrderType '{other}' is not known."
                )));
            }
        };
        orders.push(OrderBy { path, descending });
    }
    Ok(orders)
}
