//! The body of a document.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::lookup::Answer;
use crate::profile::{Cell, Entity, Formats, Lookup, Table};
use crate::snapshot::{Snapshot, compared};

/// A JSON object, its members in the profile's order, without blank ones.
#[derive(Default, Debug)]
pub(crate) struct Body<'a>(Vec<(&'a str, Member<'a>)>);

/// A lookup that cannot be answered, and why.
#[derive(Debug)]
pub(crate) struct Unknown<'a> {
    pub(crate) lookup: &'a Lookup,
    pub(crate) reason: String,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Member<'a> {
    Cell(Cell),
    Text(&'a str),
    Lines(&'a [Box<RawValue>]),
}

impl<'a> Body<'a> {
    /// Makes the body of an entity's row, unless nobody knows what a lookup means.
    pub(crate) fn of(
        entity: &'a Entity,
        cells: &[Option<&'a str>],
        snapshot: &'a Snapshot,
        formats: &Formats,
    ) -> Result<Self, Unknown<'a>> {
        let mut body = Self::default();
        body.columns(&entity.table, cells, formats);
        for (index, lookup) in entity.lookups.iter().enumerate() {
            let Some(wanted) = compared(cells, &lookup.own) else {
                continue;
            };
            match snapshot.looked_up(index, &wanted) {
                Answer::Key(key) => body.0.push((&lookup.field, Member::Text(key.as_str()))),
                Answer::Nothing => {}
                Answer::Unknown(reason) => return Err(Unknown { lookup, reason }),
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
        Ok(body)
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
