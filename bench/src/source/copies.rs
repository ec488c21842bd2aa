//! The same work orders again and again under further ids, so that a source may have more than were rendered.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// How many work orders were rendered, with ids from 1 on, and how often they are told.
#[derive(Debug)]
pub(super) struct Copies {
    orders: u64,
    times: u64,
    /// Pages cut at their rows' ids, by what was asked.
    cut: Mutex<HashMap<String, Arc<Cut>>>,
}

/// A page as text between the ids of its rows, each with the id behind it; the last one ends the page.
type Cut = Vec<(String, Option<u64>)>;

#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow, rename = "Entities")]
    rows: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Row {
    #[serde(rename = "Data")]
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    #[serde(rename = "Id")]
    id: u64,
}

impl Copies {
    pub(super) fn new(orders: usize, times: u64) -> Self {
        Self {
            orders: orders as u64,
            times: times.max(1),
            cut: Mutex::default(),
        }
    }

    /// Returns what to ask instead for a page of the listing behind the rendered ones, and by how much its ids rise.
    pub(super) fn instead(&self, path: &str, body: &[u8]) -> Option<(Bytes, u64)> {
        if self.times == 1 || !path.ends_with("/query/WorkOrder") {
            return None;
        }
        let mut json: Value = serde_json::from_slice(body).ok()?;
        let conditions = json["QueryExpression"]["Criteria"]["Conditions"].as_array_mut()?;
        let [condition] = conditions.as_mut_slice() else {
            return None;
        };
        if condition["PropertyName"] != "Id" || condition["Operator"] != "GreaterThan" {
            return None;
        }
        let after = condition["Values"][0].as_u64()?;
        let copy = (after / self.orders).min(self.times - 1);
        if copy == 0 {
            return None;
        }
        match after - copy * self.orders {
            0 => conditions.clear(),
            after => condition["Values"][0] = after.into(),
        }
        Some((json.to_string().into(), copy * self.orders))
    }

    /// Returns a page with its rows' ids raised.
    pub(super) fn raise(&self, key: &str, page: &Bytes, by: u64) -> Result<Bytes> {
        let known = self.lock().get(key).cloned();
        let cut = match known {
            Some(cut) => cut,
            None => {
                let cut = Arc::new(cut(std::str::from_utf8(page)?)?);
                self.lock().insert(key.to_owned(), Arc::clone(&cut));
                cut
            }
        };
        let mut text = String::with_capacity(page.len() + 8 * cut.len());
        for (before, id) in &*cut {
            text.push_str(before);
            if let Some(id) = id {
                text.push_str(&(id + by).to_string());
            }
        }
        Ok(text.into())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Cut>>> {
        self.cut.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn cut(page: &str) -> Result<Cut> {
    let rows: Page<'_> = serde_json::from_str(page)?;
    let mut cut = Vec::new();
    let mut left = page;
    for row in rows.rows {
        let (before, behind) = left.split_once(row.get()).context("a row is not there")?;
        let (head, id, tail) = own_id(row.get()).context("a row has no id")?;
        cut.push((format!("{before}{head}"), Some(id)));
        // The rest of the row goes before the next one.
        cut.push((tail.to_owned(), None));
        left = behind;
    }
    cut.push((left.to_owned(), None));
    Ok(cut)
}

/// Cuts a row at its own id. Its child rows may have ids that look the same, so each place is tried.
fn own_id(row: &str) -> Option<(&str, u64, &str)> {
    let id = serde_json::from_str::<Row>(row).ok()?.data.id;
    let member = format!("\"Id\":{id}");
    let mut places = row.match_indices(&member);
    places.find_map(|(at, _)| {
        let (head, rest) = row.split_at_checked(at + "\"Id\":".len())?;
        let tail = rest.strip_prefix(&id.to_string())?;
        let tried: Row = serde_json::from_str(&format!("{head}{}{tail}", id + 1)).ok()?;
        (tried.data.id == id + 1).then_some((head, id, tail))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str =
        r#"{"Entities":[{"Data":{"Items":[{"Id":7}],"Id":7}},{"Data":{"Id":8,"X":{"Id":8}}}]}"#;

    #[test]
    fn only_a_rows_own_id_is_raised() {
        let copies = Copies::new(10, 3);
        let raised = copies.raise("a", &Bytes::from(PAGE), 20).unwrap();
        let expected = r#"{"Entities":[{"Data":{"Items":[{"Id":7}],"Id":27}},{"Data":{"Id":28,"X":{"Id":8}}}]}"#;
        assert_eq!(raised, expected);
    }

    #[track_caller]
    fn check(after: u64, expected: Option<(Option<u64>, u64)>) {
        let query = |conditions: Value| serde_json::json!({"QueryExpression": {"Criteria": {"Conditions": conditions}}});
        let behind = |after: u64| serde_json::json!([{"PropertyName": "Id", "Operator": "GreaterThan", "Values": [after]}]);
        let body = query(behind(after)).to_string();
        let instead = Copies::new(10, 3).instead("/api/v1/query/WorkOrder", body.as_bytes());
        let expected = expected.map(|(after, by)| {
            let conditions = after.map_or_else(|| serde_json::json!([]), behind);
            (query(conditions).to_string().into(), by)
        });
        assert_eq!(instead, expected);
    }

    #[test]
    fn pages_behind_the_rendered_ones_are_those_from_the_beginning() {
        check(5, None);
        check(10, Some((None, 10)));
        check(15, Some((Some(5), 10)));
        check(29, Some((Some(9), 20)));
        check(30, Some((Some(10), 20)));
    }
}
