//! The source profile: which files, which columns, which formats.

mod cell;
mod text;
mod validate;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use chrono_tz::Tz;
use wrenchtime_connector::content_hash;
use wrenchtime_model::Resource;

pub(crate) use cell::{Cell, CellKind, Formats};
pub(crate) use validate::unknown_zone;

use crate::rows::Dialect;

/// How the exports of one site are read: which file holds what, under which headers, in which formats.
///
/// Read from TOML, checked as a whole. The README describes every key.
#[derive(Clone, Debug)]
pub struct Profile {
    pub(crate) identity: Option<String>,
    pub(crate) dialect: Dialect,
    pub(crate) formats: Formats,
    /// How long a file must have been left alone before it is read.
    pub(crate) settle: Duration,
    pub(crate) entities: BTreeMap<EntityKind, Entity>,
    text: String,
}

impl Profile {
    /// The text of the profile that is used when none is given.
    pub const DEFAULT: &str = include_str!("../profile.toml");

    /// Reads a profile.
    ///
    /// # Errors
    /// A text that is no TOML or has a key that no profile has is told with line and column. Everything else that does
    /// not fit together is told at once.
    pub fn parse(text: &str) -> Result<Self, ProfileError> {
        let raw = text::ProfileText::parse(text)?;
        validate::profile(raw, text)
    }

    /// Sets the zone of the times in the files, whatever the profile names.
    #[must_use]
    pub fn with_zone(mut self, zone: Tz) -> Self {
        self.formats.zone = Some(zone);
        self
    }

    /// Tells this profile from others that make other documents of the same files.
    pub(crate) fn digest(&self) -> [u8; 32] {
        let zone = self.formats.zone.map_or("", |zone| zone.name());
        content_hash(&[&self.text, zone])
    }
}

/// What is wrong with a profile: one sentence for each fault.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProfileError {
    /// The faults, with their places.
    pub faults: Vec<String>,
}

impl fmt::Display for ProfileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the source profile does not fit: {}",
            self.faults.join("; ")
        )
    }
}

impl std::error::Error for ProfileError {}

/// What is read.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum EntityKind {
    Units,
    WorkOrders,
    Parts,
    Vendors,
    PurchaseOrders,
}

impl EntityKind {
    pub(crate) const ALL: [Self; 5] = [
        Self::Units,
        Self::WorkOrders,
        Self::Parts,
        Self::Vendors,
        Self::PurchaseOrders,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Units => "units",
            Self::WorkOrders => "work_orders",
            Self::Parts => "parts",
            Self::Vendors => "vendors",
            Self::PurchaseOrders => "purchase_orders",
        }
    }

    pub(crate) const fn stream(self) -> &'static str {
        match self {
            Self::Units => "units-snapshot",
            Self::WorkOrders => "work-orders-snapshot",
            Self::Parts => "parts-snapshot",
            Self::Vendors => "vendors-snapshot",
            Self::PurchaseOrders => "purchase-orders-snapshot",
        }
    }

    pub(crate) const fn resource(self) -> Resource {
        match self {
            Self::Units => Resource::Asset,
            Self::WorkOrders => Resource::WorkOrder,
            Self::Parts => Resource::Part,
            Self::Vendors => Resource::Vendor,
            Self::PurchaseOrders => Resource::PurchaseOrder,
        }
    }
}

/// One file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Table {
    pub(crate) file: String,
    pub(crate) columns: Vec<Column>,
}

impl Table {
    pub(crate) fn position(&self, field: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.field == field)
    }
}

/// One column of a file that is read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Column {
    /// Its name in documents.
    pub(crate) field: String,
    /// Its name in the file.
    pub(crate) header: String,
    pub(crate) kind: CellKind,
    /// The file need not have it.
    pub(crate) optional: bool,
}

/// One entity. Numbers are positions in the columns of a table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Entity {
    pub(crate) table: Table,
    pub(crate) key: Vec<usize>,
    pub(crate) lookups: Vec<Lookup>,
    pub(crate) codes: Vec<Codes>,
    pub(crate) lines: Vec<Lines>,
}

impl Entity {
    /// Returns the other entities that rows of this one, which is of this kind, are looked up in.
    pub(crate) fn others(&self, kind: EntityKind) -> BTreeSet<EntityKind> {
        let targets = self.lookups.iter().map(|lookup| lookup.target);
        targets.filter(|target| *target != kind).collect()
    }
}

/// A field that holds the key of the one row of another entity whose fields equal these.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Lookup {
    pub(crate) field: String,
    pub(crate) target: EntityKind,
    pub(crate) own: Vec<usize>,
    pub(crate) others: Vec<usize>,
}

/// A field that holds a unified code made from the site's own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Codes {
    pub(crate) field: String,
    pub(crate) from: usize,
    /// By the site's code in lower case.
    pub(crate) map: BTreeMap<String, String>,
    /// The first of these columns that is not blank decides what the map does not.
    pub(crate) when: Vec<(usize, String)>,
    pub(crate) otherwise: Option<String>,
    pub(crate) blank: Option<String>,
}

impl Codes {
    /// Returns the code for a row, told by its cells.
    pub(crate) fn read<'a>(&'a self, cells: &[Option<&'a str>]) -> Option<&'a str> {
        let cell = |index: usize| cells.get(index).copied().flatten();
        let own = cell(self.from);
        if let Some(code) = own.and_then(|own| self.map.get(&own.to_lowercase())) {
            return Some(code);
        }
        if let Some((_, code)) = self.when.iter().find(|(index, _)| cell(*index).is_some()) {
            return Some(code);
        }
        match own {
            Some(own) => Some(self.otherwise.as_deref().unwrap_or(own)),
            None => self.blank.as_deref(),
        }
    }
}

/// A field that holds the rows of another file that belong to this row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Lines {
    pub(crate) field: String,
    pub(crate) table: Table,
    pub(crate) own: Vec<usize>,
    pub(crate) others: Vec<usize>,
}
