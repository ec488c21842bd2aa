//! Closed lists. Each has `unknown`: a source's value that no map knows becomes it, and stands verbatim beside it
//! in the field of the same name with `source_` before it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! closed_list {
    ($(#[$doc:meta])* $name:ident { $($(#[$member_doc:meta])* $member:ident,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        #[schemars(inline)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$member_doc])* #[allow(missing_docs, reason = "members without a line of their own say it in their name")] $member,)*
        }
    };
}

closed_list! {
    /// How far a work order is.
    WorkOrderStatus {
        /// Asked for or planned, and nobody has taken it.
        Open,
        /// Somebody is responsible, work has not begun.
        Assigned,
        /// Being worked on, pauses included.
        InProgress,
        /// Waits for something outside of the work itself: a part, an approval.
        OnHold,
        /// The work is done.
        Completed,
        /// Done and closed for changes.
        Closed,
        Cancelled,
        /// The source's value has no counterpart in the connection's map.
        Unknown,
    }
}

closed_list! {
    /// How urgent a work order is.
    Priority {
        /// Danger or standstill: at once.
        Emergency,
        High,
        Medium,
        Low,
        /// The source says that it has none.
        None,
        /// The source's value has no counterpart in the connection's map.
        Unknown,
    }
}

closed_list! {
    /// Why work is done.
    WorkType {
        /// Something broke or was reported.
        Corrective,
        /// By a maintenance plan.
        Preventive,
        Inspection,
        /// A service asked for: moving, cleaning, setting up.
        Service,
        /// Making rooms ready between two occupants.
        Turnover,
        Project,
        Other,
        /// The source's value has no counterpart in the connection's map.
        Unknown,
    }
}

closed_list! {
    /// Whether an asset is in use.
    AssetStatus {
        /// In use.
        Active,
        /// Out of use for now.
        Inactive,
        /// Taken out of service for good.
        Retired,
        /// The source's value has no counterpart in the connection's map.
        Unknown,
    }
}

closed_list! {
    /// What kind of place it is.
    LocationKind {
        /// A property with its own address: the top of a tree of places.
        Site,
        Building,
        Floor,
        Room,
        /// A let or separately managed part of a building.
        Unit,
        Other,
        /// The source's value has no counterpart in the connection's map.
        Unknown,
    }
}

closed_list! {
    /// How far a purchase order is.
    PurchaseOrderStatus {
        /// Not sent to the vendor yet.
        Draft,
        /// Sent to the vendor.
        Issued,
        PartlyReceived,
        Received,
        Closed,
        Cancelled,
        /// The source's value has no counterpart in the connection's map.
        Unknown,
    }
}

closed_list! {
    /// What a cost was for.
    CostKind {
        Labour,
        Material,
        /// A vendor's invoice.
        Vendor,
        Tax,
        Other,
        /// The source's value has no counterpart in the connection's map.
        Unknown,
    }
}
