//! Which rows to look at, and in which order, so that paging through a large table doesn't read it again for each page.

use std::collections::BTreeSet;

use super::{
    super::{options::RowOrder, schema::Schema, tenant::Tenant, value::Key},
    filter::{Condition, Filter, Operator},
    literal::Literal,
    parse::Query,
};

/// Candidates for a query.
pub(super) struct Plan<'a> {
    pub(super) keys: Box<dyn Iterator<Item = Key> + 'a>,
    /// Whether they come in the order asked for.
    pub(super) sorted: bool,
}

/// Smallest and largest value that a row may have, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Range {
    low: i64,
    high: i64,
}

const EVERYTHING: Range = Range {
    low: i64::MIN,
    high: i64::MAX,
};

/// What the order asked for is by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Id { descending: bool },
    Time { descending: bool },
    Other,
}

/// Chooses the candidates.
pub(super) fn choose<'a>(tenant: &'a Tenant, schema: &'a Schema, query: &Query) -> Plan<'a> {
    let Some(table) = Table::of(schema) else {
        let keys = (schema.rows)(tenant);
        let sorted = shape(query, None, tenant) == (Shape::Id { descending: false });
        return Plan {
            keys: Box::new(keys.into_iter()),
            sorted,
        };
    };
    if let Some(ids) = set(&query.filter, "Id") {
        let known = ids.into_iter().filter_map(|id| u32::try_from(id).ok());
        let keys: Vec<Key> = known
            .filter(|id| table.has(tenant, *id))
            .map(Key::of)
            .collect();
        return Plan {
            keys: Box::new(keys.into_iter()),
            sorted: false,
        };
    }
    if table == Table::Logs
        && let Some(orders) = set(&query.filter, "WorkOrderId")
    {
        let orders: Vec<u32> = orders
            .into_iter()
            .filter_map(|id| u32::try_from(id).ok())
            .collect();
        let keys = orders
            .into_iter()
            .flat_map(|order| tenant.logs_of(order))
            .map(|id| Key::of(*id));
        return Plan {
            keys: Box::new(keys),
            sorted: false,
        };
    }
    let ids = range(&query.filter, "Id");
    let times = table
        .time()
        .map_or(EVERYTHING, |name| range(&query.filter, name));
    match shape(query, table.time(), tenant) {
        Shape::Time { descending } => Plan {
            keys: directed(table.by_time(tenant, times), descending),
            sorted: true,
        },
        Shape::Id { descending } if ids != EVERYTHING || times.low == i64::MIN => Plan {
            keys: directed(table.by_id(tenant, ids), descending),
            sorted: true,
        },
        Shape::Id { .. } | Shape::Other if times != EVERYTHING => Plan {
            keys: table.by_time(tenant, times),
            sorted: false,
        },
        Shape::Id { .. } | Shape::Other => Plan {
            keys: table.by_id(tenant, ids),
            sorted: false,
        },
    }
}

fn directed<'a>(
    keys: Box<dyn DoubleEndedIterator<Item = Key> + 'a>,
    descending: bool,
) -> Box<dyn Iterator<Item = Key> + 'a> {
    if descending {
        Box::new(keys.rev())
    } else {
        keys
    }
}

/// The tables that grow large.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Table {
    /// Work orders, which have an index by time.
    Orders,
    /// One row for each work order.
    OrderChildren,
    /// The action log.
    Logs,
}

impl Table {
    fn of(schema: &Schema) -> Option<Self> {
        match schema.name {
            "WorkOrder" => Some(Self::Orders),
            "WorkOrderCost" | "WoLastAction" => Some(Self::OrderChildren),
            "WoActionLog" => Some(Self::Logs),
            _ => None,
        }
    }

    fn time(self) -> Option<&'static str> {
        match self {
            Self::Orders => Some("LastActionDateUtc"),
            Self::OrderChildren => None,
            Self::Logs => Some("SystemDateUtc"),
        }
    }

    fn has(self, tenant: &Tenant, id: u32) -> bool {
        match self {
            Self::Orders | Self::OrderChildren => tenant.work_order(Key::of(id)).is_some(),
            Self::Logs => tenant.log(Key::of(id)).is_some(),
        }
    }

    fn by_id<'a>(
        self,
        tenant: &'a Tenant,
        range: Range,
    ) -> Box<dyn DoubleEndedIterator<Item = Key> + 'a> {
        let inside = |id: u32| (i64::from(id) >= range.low, i64::from(id) <= range.high);
        match self {
            Self::Orders | Self::OrderChildren => {
                let rows = &tenant.plant().work_orders;
                let from = rows.partition_point(|row| !inside(row.id).0);
                let to = rows.partition_point(|row| inside(row.id).1).max(from);
                Box::new(rows[from..to].iter().map(|row| Key::of(row.id)))
            }
            Self::Logs => {
                let rows = tenant.logs();
                let from = rows.partition_point(|row| !inside(row.id).0);
                let to = rows.partition_point(|row| inside(row.id).1).max(from);
                Box::new(rows[from..to].iter().map(|row| Key::of(row.id)))
            }
        }
    }

    fn by_time<'a>(
        self,
        tenant: &'a Tenant,
        range: Range,
    ) -> Box<dyn DoubleEndedIterator<Item = Key> + 'a> {
        let index = match self {
            Self::Orders => tenant.by_last_action(),
            Self::Logs => tenant.by_log_time(),
            Self::OrderChildren => return self.by_id(tenant, EVERYTHING),
        };
        if range.low > range.high {
            return Box::new(std::iter::empty());
        }
        let inside = index.range((range.low, 0)..=(range.high, u32::MAX));
        Box::new(inside.map(|(_, id)| Key::of(*id)))
    }
}

fn shape(query: &Query, time: Option<&str>, tenant: &Tenant) -> Shape {
    let is = |index: usize, name: &str| {
        query
            .orders
            .get(index)
            .is_some_and(|order| order.path.is_direct(name))
    };
    let descending = query.orders.first().is_some_and(|order| order.descending);
    let one_way = query
        .orders
        .iter()
        .all(|order| order.descending == descending);
    match query.orders.len() {
        0 if tenant.switches().row_order == RowOrder::ById => Shape::Id { descending: false },
        1 | 2 if is(0, "Id") => Shape::Id { descending },
        1 | 2 if one_way && time.is_some_and(|name| is(0, name)) => {
            if query.orders.len() == 1 || is(1, "Id") {
                Shape::Time { descending }
            } else {
                Shape::Other
            }
        }
        _ => Shape::Other,
    }
}

/// Returns the smallest range that holds every row that can match, as far as one column tells.
fn range(filter: &Filter, column: &str) -> Range {
    match filter {
        Filter::All(parts) => {
            parts
                .iter()
                .map(|part| range(part, column))
                .fold(EVERYTHING, |left, right| Range {
                    low: left.low.max(right.low),
                    high: left.high.min(right.high),
                })
        }
        Filter::Any(parts) => parts
            .iter()
            .map(|part| range(part, column))
            .reduce(|left, right| Range {
                low: left.low.min(right.low),
                high: left.high.max(right.high),
            })
            .unwrap_or(EVERYTHING),
        Filter::Test(condition) if condition.path.is_direct(column) => range_of(condition),
        Filter::Test(_) => EVERYTHING,
    }
}

fn range_of(condition: &Condition) -> Range {
    let bounds: Option<Vec<Range>> = condition.values.iter().map(point).collect();
    let Some(bounds) = bounds.filter(|bounds| !bounds.is_empty()) else {
        return EVERYTHING;
    };
    // Ids are whole numbers; instants may lie between those that indexes count.
    let step = i64::from(matches!(condition.values.first(), Some(Literal::Int(_))));
    let low = bounds
        .iter()
        .map(|bound| bound.low)
        .min()
        .unwrap_or(i64::MIN);
    let high = bounds
        .iter()
        .map(|bound| bound.high)
        .max()
        .unwrap_or(i64::MAX);
    match condition.operator {
        Operator::Equal | Operator::In | Operator::Between => Range { low, high },
        Operator::GreaterThan => Range {
            low: low.saturating_add(step),
            high: i64::MAX,
        },
        Operator::GreaterOrEqual => Range {
            low,
            high: i64::MAX,
        },
        Operator::LessThan => Range {
            low: i64::MIN,
            high: high.saturating_sub(step),
        },
        Operator::LessOrEqual => Range {
            low: i64::MIN,
            high,
        },
        _ => EVERYTHING,
    }
}

/// Returns where a value lies among those that indexes hold, which count whole microseconds.
fn point(literal: &Literal) -> Option<Range> {
    match literal {
        Literal::Int(value) => Some(Range {
            low: *value,
            high: *value,
        }),
        Literal::Date(at) => {
            let low = at.and_utc().timestamp_micros();
            Some(Range {
                low,
                high: low.saturating_add(1),
            })
        }
        Literal::Bool(_) | Literal::Text(_) | Literal::Decimal(_) => None,
    }
}

/// Returns the values that a column can have, when the filter lists them.
fn set(filter: &Filter, column: &str) -> Option<BTreeSet<i64>> {
    match filter {
        Filter::All(parts) => parts.iter().find_map(|part| set(part, column)),
        Filter::Any(parts) => {
            let sets: Option<Vec<_>> = parts.iter().map(|part| set(part, column)).collect();
            sets.filter(|sets| !sets.is_empty())
                .map(|sets| sets.into_iter().flatten().collect())
        }
        Filter::Test(condition)
            if condition.path.is_direct(column)
                && matches!(condition.operator, Operator::Equal | Operator::In) =>
        {
            let ids = condition.values.iter().map(|value| match value {
                Literal::Int(id) => Some(*id),
                _ => None,
            });
            ids.collect()
        }
        Filter::Test(_) => None,
    }
}
