//! Places.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{CustomFields, DataIssue, LocationKind, Reference};

/// A place: a site, building, floor, room.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Location {
    /// The code that people use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// What it is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What kind of place it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<LocationKind>,
    /// The source's own kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_kind: Option<String>,
    /// The place that it lies in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<Reference>,
    /// The site to which it belongs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub site: Option<Reference>,
    /// Where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
    /// IANA name of its time zone, for example `America/Chicago`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// ISO 4217 code of the currency used there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// Whether it is in use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active: Option<bool>,
    /// Fields beyond the unified ones, by name.
    #[serde(skip_serializing_if = "CustomFields::is_empty")]
    pub custom_fields: CustomFields,
    /// Values of the source that could not be taken over.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub data_issues: Vec<DataIssue>,
}

/// A postal address.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Address {
    /// Street and number; further lines after a line end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub street: Option<String>,
    /// City.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub city: Option<String>,
    /// State, province or county.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Postal code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postal_code: Option<String>,
    /// Country as the source writes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
}
