//! The body of a document.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::profile::{Cell, Entity, Formats, Table};
use crate::snapshot::{Snapshot, compared};

/// A JSON object, its members in the profile's order, without blank ones.
#[derive(Default, Debug)]
pub(crate) struct Body<'a>(Vec<(&'a str, Member<'a>)>);

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Member<'a> {
    Cell(Cell),
    Text(&'a str),
    Lines(&'a [Box<RawValue>]),
}

impl<'a> Body<'a> {
    /// Makes the body of an entity's row.
    pub(crate) fn of(
        entity: &'a Entity,
        cells: &[Option<&'a str>],
        snapshot: &'a Snapshot,
        formats: &Formats,
    ) -> Self {
        let mut body = Self::default();
        body.columns(&entity.table, cells, formats);
        for (index, lookup) in entity.lookups.iter().enumerate() {
            // Names are typed by hand: case does not tell them apart.
            let wanted = compared(cells, &lookup.own).map(|text| text.to_lowercase());
            if let Some(key) = wanted.and_then(|wanted| snapshot.looked_up(index, &wanted)) {
                body.0.push((&lookup.field, Member::Text(key.as_str())));
            }
        }
        for codes in &entity.codes {
            if let Some(code) = codes.read(cells) {
                body.0.push((&codes.field, Member::Text(code)));
            }
        }
        for (index, lines) in entity.lines.iter().enumerate() {
            let found = compared(cells, &lines.own);
            let found = found.map_or(&[][..], |wanted| snapshot.lines_of(index, &wanted));
            if !found.is_empty() {
                body.0.push((&lines.field, Member::Lines(found)));
            }
        }
        body
    }

    /// Adds the columns of a table.
    pub(crate) fn columns(&mut self, table: &'a Table, cells: &[Option<&str>], formats: &Formats) {
        for (column, cell) in table.columns.iter().zip(cells) {
            if let Some(text) = cell {
                self.0
                    .push((&column.field, Member::Cell(formats.read(column.kind, text))));
            }
        }
    }
}

impl Serialize for Body<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, member) in &self.0 {
            map.serialize_entry(name, member)?;
        }
        map.end()
    }
}
