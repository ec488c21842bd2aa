//! Orders to vendors.

use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{CustomFields, DataIssue, Money, PurchaseOrderStatus, Quantity, Reference};

/// An order to a vendor.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct PurchaseOrder {
    /// The number that people use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// How far it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<PurchaseOrderStatus>,
    /// The source's own status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_status: Option<String>,
    /// Who is to deliver.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vendor: Option<Reference>,
    /// The vendor's name as the order shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vendor_name: Option<String>,
    /// Own reference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// The vendor's reference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vendor_reference: Option<String>,
    /// The day on which it was ordered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_date: Option<NaiveDate>,
    /// The day on which it is to arrive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery_date: Option<NaiveDate>,
    /// What it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What it costs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<Money>,
    /// What is ordered.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<PurchaseOrderLine>,
    /// Fields beyond the unified ones, by name.
    #[serde(skip_serializing_if = "CustomFields::is_empty")]
    pub custom_fields: CustomFields,
    /// Values of the source that could not be taken over.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub data_issues: Vec<DataIssue>,
}

/// One item of a purchase order.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct PurchaseOrderLine {
    /// The source's own key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote_id: Option<String>,
    /// Place in the list, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<i64>,
    /// The part.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<Reference>,
    /// The part's number as the line shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part_number: Option<String>,
    /// What is ordered, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// How many were ordered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantity_ordered: Option<Quantity>,
    /// How many have arrived.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantity_received: Option<Quantity>,
    /// Price of one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit_price: Option<Money>,
    /// Price of the line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<Money>,
}
