//! The query language: from the body of a request to the rows it asks for.

pub(super) mod filter;
pub(super) mod literal;
pub(super) mod order;
pub(super) mod parse;
pub(super) mod path;
pub(super) mod plan;
pub(super) mod project;

use super::{
    errors::{ApiError, Result},
    options::OverCeiling,
    schema::Schema,
    tenant::Tenant,
    value::Key,
};
use parse::Query;

/// What a query found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) keys: Vec<Key>,
    /// How many rows were looked at.
    pub(super) scanned: u64,
}

/// Runs a query.
pub(super) fn run(
    tenant: &Tenant,
    schema: &Schema,
    query: &Query,
    ceiling: usize,
) -> Result<Found> {
    if query.count > ceiling && tenant.switches().over_ceiling == OverCeiling::Refuse {
        return Err(ApiError::bad(
            "BUSINESS_LOGIC_ERROR",
            format!("No more than {ceiling} records can be retrieved at once."),
        ));
    }
    let limit = if query.count == 0 {
        ceiling
    } else {
        query.count.min(ceiling)
    };
    let plan = plan::choose(tenant, schema, query);
    let mut found = Found::default();
    let mut matches = Vec::new();
    for key in plan.keys {
        found.scanned += 1;
        let copies = query.filter.copies(tenant, key, query.distinct);
        matches.extend(std::iter::repeat_n(key, copies));
        if plan.sorted && matches.len() >= query.first.saturating_add(limit) {
            break;
        }
    }
    if !plan.sorted {
        order::sort(tenant, schema, &query.orders, &mut matches);
    }
    found.keys = matches.into_iter().skip(query.first).take(limit).collect();
    Ok(found)
}
