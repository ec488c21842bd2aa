//! Equipment.

use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{AssetStatus, CustomFields, DataIssue, Money, Reference};

/// Equipment that is maintained.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Asset {
    /// The number or tag that people use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// What it is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it is, at length.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whether it is in use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<AssetStatus>,
    /// The source's own status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_status: Option<String>,
    /// The source's category or type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// What it is part of or stands in: an asset or a location.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<Reference>,
    /// The place where it stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<Reference>,
    /// The place's name as the source shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location_name: Option<String>,
    /// The site to which it belongs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub site: Option<Reference>,
    /// The site's name as the source shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub site_name: Option<String>,
    /// Who made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manufacturer: Option<String>,
    /// The maker's model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The maker's serial number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial_number: Option<String>,
    /// The code on its tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub barcode: Option<String>,
    /// The day of its installation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub installed_on: Option<NaiveDate>,
    /// The last day of the maker's warranty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warranty_ends_on: Option<NaiveDate>,
    /// What it was bought for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purchase_cost: Option<Money>,
    /// A reference that other systems keep there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_reference: Option<String>,
    /// Fields beyond the unified ones, by name.
    #[serde(skip_serializing_if = "CustomFields::is_empty")]
    pub custom_fields: CustomFields,
    /// Values of the source that could not be taken over.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub data_issues: Vec<DataIssue>,
}
