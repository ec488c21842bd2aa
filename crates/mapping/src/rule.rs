//! What a compiled mapping consists of. Everything in it was checked when it was compiled.

use std::borrow::Cow;
use std::sync::Arc;

use chrono::NaiveDate;
use rust_decimal::Decimal;
use wrenchtime_model::{IdentityClass, RecordId, Resource, Timestamp};

use crate::Function;
use crate::convert::Format;
use crate::path::Path;
use crate::value_map::ValueMap;
use crate::zone::ZoneRule;

/// How one entity's documents become records of one resource.
#[derive(Debug)]
pub(crate) struct EntityMap {
    pub(crate) resource: Resource,
    pub(crate) class: IdentityClass,
    pub(crate) when: Vec<Condition>,
    pub(crate) key: Option<Path>,
    pub(crate) remote_created_at: Option<ScalarRule>,
    pub(crate) remote_modified_at: Option<ScalarRule>,
    /// In the order of the resource's schema.
    pub(crate) fields: Vec<Target>,
    /// Sorted by name.
    pub(crate) custom_fields: Vec<Target>,
}

/// One test of a document or line.
#[derive(Debug)]
pub(crate) struct Condition {
    pub(crate) path: Path,
    pub(crate) within: Option<Vec<String>>,
    pub(crate) without: Option<Vec<String>>,
    pub(crate) present: Option<bool>,
}

/// A field and where it comes from.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) name: String,
    /// The name as JSON, with its colon.
    pub(crate) key: String,
    pub(crate) facet: Option<Facet>,
    pub(crate) rule: Rule,
}

/// Fields that are kept beside the content too.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Facet {
    Status,
    Asset,
    DueAt,
    CompletedAt,
    OrderDate,
    DeliveryDate,
}

/// Where a field's value comes from.
#[derive(Debug)]
pub(crate) enum Rule {
    Scalar(ScalarRule),
    /// The place of a line in its list, from 1.
    Position,
    Money(MoneyRule),
    Quantity(QuantityRule),
    Texts(Source),
    Links(Source, LinkRule),
    Lines(LinesRule),
    Object(ObjectRule),
    /// A source's value as it is.
    Json(Source),
}

/// Where one value comes from.
#[derive(Debug)]
pub(crate) enum ScalarRule {
    Constant(Scalar<'static>),
    One(Source, Convert),
    /// All that is found, with this between.
    Joined(Source, String, Convert),
}

/// Where a rule looks, and what it applies to what it finds.
#[derive(Debug)]
pub(crate) struct Source {
    /// The first one that finds something counts.
    pub(crate) paths: Vec<Path>,
    pub(crate) apply: Vec<Function>,
}

/// What a single value becomes.
#[derive(Debug)]
pub(crate) enum Convert {
    Text,
    Named(Arc<ValueMap>, Unmapped),
    /// A whole number, multiplied by the factor of a unit.
    Integer(Option<i64>),
    /// A number as JSON writes numbers.
    Number,
    Boolean,
    NamedBoolean(Arc<ValueMap>),
    Amount,
    Instant(ZoneRule, Vec<Format>),
    Day(Vec<Format>),
    Link(LinkRule),
}

/// What a value becomes that its map does not know.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Unmapped {
    Absent,
    Unknown,
}

/// How a key becomes a reference.
#[derive(Debug)]
pub(crate) struct LinkRule {
    pub(crate) class: IdentityClass,
    pub(crate) resource: Option<Resource>,
    pub(crate) told: Option<(Path, Arc<ValueMap>)>,
}

#[derive(Debug)]
pub(crate) struct MoneyRule {
    pub(crate) source: Source,
    /// Where the number stands in what the source's path finds; absent when that is the number.
    pub(crate) amount: Option<Path>,
    pub(crate) currency: TextFrom,
    pub(crate) currencies: Option<Arc<ValueMap>>,
}

#[derive(Debug)]
pub(crate) struct QuantityRule {
    pub(crate) source: Source,
    pub(crate) unit: TextFrom,
}

/// Where the text beside a number comes from.
#[derive(Debug)]
pub(crate) enum TextFrom {
    Nowhere,
    Constant(String),
    /// Looked up where the rule's other paths are.
    Scope(Path),
    /// Looked up in the object that holds the number.
    Object(Path),
}

#[derive(Debug)]
pub(crate) struct LinesRule {
    pub(crate) each: Path,
    pub(crate) when: Vec<Condition>,
    pub(crate) fields: Vec<Target>,
}

#[derive(Debug)]
pub(crate) struct ObjectRule {
    pub(crate) base: Option<Path>,
    pub(crate) fields: Vec<Target>,
}

/// A single value of the model.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Scalar<'v> {
    Text(Cow<'v, str>),
    Integer(i64),
    Number(Cow<'v, str>),
    Boolean(bool),
    Amount(Decimal),
    Instant(Timestamp),
    Day(NaiveDate),
    Link(RecordId, Option<Resource>),
}
