//! The resources of the unified model.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A kind of unified record.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Resource {
    /// Work to be done, or done, on an asset or at a place.
    WorkOrder,
    /// Equipment that is maintained.
    Asset,
    /// A place: a site, building, floor, room.
    Location,
    /// A person who works in the maintenance system.
    User,
    /// A company that supplies parts or does work.
    Vendor,
    /// A stocked or purchased item.
    Part,
    /// An order to a vendor.
    PurchaseOrder,
}

impl Resource {
    /// Every resource, in the order in which documentation lists them.
    pub const ALL: [Self; 7] = [
        Self::WorkOrder,
        Self::Asset,
        Self::Location,
        Self::User,
        Self::Vendor,
        Self::Part,
        Self::PurchaseOrder,
    ];

    /// Returns the singular name, as in events and references: `work_order`.
    pub fn name(self) -> &'static str {
        match self {
            Self::WorkOrder => "work_order",
            Self::Asset => "asset",
            Self::Location => "location",
            Self::User => "user",
            Self::Vendor => "vendor",
            Self::Part => "part",
            Self::PurchaseOrder => "purchase_order",
        }
    }

    /// Returns the plural name, as in URLs: `work-orders`.
    pub fn path(self) -> &'static str {
        match self {
            Self::WorkOrder => "work-orders",
            Self::Asset => "assets",
            Self::Location => "locations",
            Self::User => "users",
            Self::Vendor => "vendors",
            Self::Part => "parts",
            Self::PurchaseOrder => "purchase-orders",
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is no resource's.
#[derive(Debug, thiserror::Error)]
#[error("no resource is named {0:?}")]
pub struct UnknownResource(String);

impl FromStr for Resource {
    type Err = UnknownResource;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|resource| resource.name() == text)
            .ok_or_else(|| UnknownResource(text.to_owned()))
    }
}
