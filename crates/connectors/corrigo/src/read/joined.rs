//! What stands in other rows than the one that is read.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::json;
use serde_json::value::{RawValue, to_raw_value};
use wrenchtime_connector::{Error, ErrorKind, Result};

use super::{Read, Reader};
use crate::info::Table;
use crate::session::Wanted;
use crate::tree::{Position, places, positions};
use crate::wire::Named;

/// What other rows say of a row. It is added to the row's body as `Joined`.
#[derive(Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Joined {
    #[serde(flatten)]
    position: Position,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    specialties: Vec<String>,
}

/// Adds what was joined to a row, whose own text stays as it is: a parsed and rewritten one could lose digits.
pub(super) fn with_joined(body: Box<RawValue>, joined: Option<&Joined>) -> Result<Box<RawValue>> {
    let unwritable = |error: serde_json::Error| {
        Error::new(ErrorKind::Protocol, "join rows: the row is no object").with_source(error)
    };
    let Some(joined) = joined else {
        return Ok(body);
    };
    let joined = to_raw_value(&json!({"Joined": joined})).map_err(unwritable)?;
    let (Some(row), Some(more)) = (
        body.get().trim_end().strip_suffix('}'),
        joined.get().strip_prefix('{'),
    ) else {
        return Ok(body);
    };
    if joined.get() == r#"{"Joined":{}}"# {
        return Ok(body);
    }
    let comma = if row.trim_end().ends_with('{') {
        ""
    } else {
        ","
    };
    RawValue::from_string(format!("{row}{comma}{more}")).map_err(unwritable)
}

impl Reader<'_> {
    /// Reads what stands in other rows, by key of the rows that need it.
    pub(super) async fn joined(&mut self, rows: &[Read]) -> Result<BTreeMap<i64, Joined>> {
        match self.table {
            Table::WorkOrder => self.joined_to_work_orders(rows).await,
            Table::Location => self.joined_to_locations(rows).await,
            Table::Employee => self.joined_to_employees(rows).await,
            Table::WorkZone => Ok(BTreeMap::new()),
        }
    }

    async fn joined_to_work_orders(&mut self, rows: &[Read]) -> Result<BTreeMap<i64, Joined>> {
        let asset = |row: &Read| {
            row.head
                .main_asset
                .map(|asset| asset.id)
                .filter(|id| *id != 0)
        };
        let assets: BTreeSet<i64> = rows.iter().filter_map(asset).collect();
        let places = places(
            self.session,
            self.cx,
            &assets,
            self.remembered,
            &mut self.tally,
        )
        .await?;
        let joined = |row: &Read| {
            let place = places.get(&asset(row)?)?.clone();
            let position = Position {
                parent: None,
                place: Some(place),
            };
            Some((
                row.head.id,
                Joined {
                    position,
                    ..Joined::default()
                },
            ))
        };
        Ok(rows.iter().filter_map(joined).collect())
    }

    async fn joined_to_locations(&mut self, rows: &[Read]) -> Result<BTreeMap<i64, Joined>> {
        let ids: Vec<i64> = rows.iter().map(|row| row.head.id).collect();
        if ids.is_empty() {
            return Ok(BTreeMap::new());
        }
        let mut positions = positions(self.session, self.cx, &ids, &mut self.tally).await?;
        let models = self
            .names("Model", rows.iter().map(|row| row.head.model_id))
            .await?;
        let joined = |row: &Read| {
            let position = positions.remove(&row.head.id).unwrap_or_default();
            let model = models.get(&row.head.model_id).cloned();
            (
                row.head.id,
                Joined {
                    position,
                    model,
                    ..Joined::default()
                },
            )
        };
        Ok(rows.iter().map(joined).collect())
    }

    async fn joined_to_employees(&mut self, rows: &[Read]) -> Result<BTreeMap<i64, Joined>> {
        let ids = rows
            .iter()
            .flat_map(|row| &row.head.specialties)
            .map(|link| link.specialty_id);
        let names = self.names("Specialty", ids).await?;
        let joined = |row: &Read| {
            let of_row = row.head.specialties.iter();
            let specialties = of_row
                .filter_map(|link| names.get(&link.specialty_id).cloned())
                .collect();
            (
                row.head.id,
                Joined {
                    specialties,
                    ..Joined::default()
                },
            )
        };
        Ok(rows.iter().map(joined).collect())
    }

    async fn names(
        &mut self,
        entity: &str,
        ids: impl Iterator<Item = i64>,
    ) -> Result<BTreeMap<i64, String>> {
        let ids: Vec<i64> = ids
            .filter(|id| *id != 0)
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect();
        let wanted = Wanted {
            entity,
            properties: &["Id", "DisplayAs"],
        };
        let rows: Vec<Named> = self
            .session
            .by_ids(self.cx, wanted, &ids, &mut self.tally)
            .await?;
        Ok(rows
            .into_iter()
            .map(|row| (row.id, row.display_as))
            .collect())
    }
}
