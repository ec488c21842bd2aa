//! Sorting of rows.

use std::cmp::Ordering;

use super::{
    super::{
        options::RowOrder,
        schema::Schema,
        tenant::Tenant,
        value::{Key, Value},
    },
    path::Path,
};

/// One key of the order.
pub(in crate::corrigo) struct OrderBy {
    pub(in crate::corrigo) path: Path,
    pub(in crate::corrigo) descending: bool,
}

/// Sorts rows that no index brought in order.
pub(super) fn sort(tenant: &Tenant, schema: &Schema, orders: &[OrderBy], keys: &mut Vec<Key>) {
    if orders.is_empty() {
        match tenant.switches().row_order {
            RowOrder::ById => keys.sort_by_cached_key(|key| (schema.id_of(tenant, *key), *key)),
            RowOrder::Scrambled => keys.sort_by_key(|key| (scramble(*key), *key)),
        }
        return;
    }
    let mut rows: Vec<(Vec<Value<'_>>, Key)> = keys
        .drain(..)
        .map(|key| {
            (
                orders
                    .iter()
                    .map(|order| order.path.first(tenant, key))
                    .collect(),
                key,
            )
        })
        .collect();
    rows.sort_by(|(left, left_key), (right, right_key)| {
        let mut order = Ordering::Equal;
        for ((left, right), by) in left.iter().zip(right).zip(orders) {
            order = compare(left, right);
            if by.descending {
                order = order.reverse();
            }
            if order.is_ne() {
                break;
            }
        }
        order.then_with(|| left_key.cmp(right_key))
    });
    keys.extend(rows.into_iter().map(|(_, key)| key));
}

fn scramble(key: Key) -> u64 {
    (u64::from(key.id) << 32 | u64::from(key.sub))
        .wrapping_mul(0x9E37_79B9_7F4A_7C15)
        .rotate_left(17)
}

/// Compares values of one property; null goes first.
fn compare(left: &Value<'_>, right: &Value<'_>) -> Ordering {
    match (left, right) {
        (Value::Int(left), Value::Int(right)) => left.cmp(right),
        (Value::Bool(left), Value::Bool(right)) => left.cmp(right),
        (Value::Text(left), Value::Text(right)) => left.to_lowercase().cmp(&right.to_lowercase()),
        (
            Value::Decimal(left) | Value::Money(left, _),
            Value::Decimal(right) | Value::Money(right, _),
        ) => left.cmp(right),
        (Value::Date(left), Value::Date(right)) => left.cmp(right),
        (left, right) => right.is_null().cmp(&left.is_null()),
    }
}
