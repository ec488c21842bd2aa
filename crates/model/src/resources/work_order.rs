//! Work orders and what hangs on them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    CostKind, CustomFields, DataIssue, Money, Priority, Quantity, Reference, Timestamp,
    WorkOrderStatus, WorkType,
};

/// Work to be done, or done, on an asset or at a place.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct WorkOrder {
    /// The number that people use. Not always unique.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// What is to be done, in a line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What is to be done, at length.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// How far it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<WorkOrderStatus>,
    /// The source's own status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_status: Option<String>,
    /// Why it is on hold or cancelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_reason: Option<String>,
    /// Why it is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub work_type: Option<WorkType>,
    /// The source's own type or category.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_work_type: Option<String>,
    /// How urgent it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<Priority>,
    /// The source's own priority.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_priority: Option<String>,
    /// The asset that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asset: Option<Reference>,
    /// The asset's name as the order shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asset_name: Option<String>,
    /// The place where the work is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<Reference>,
    /// The place's name as the order shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location_name: Option<String>,
    /// The site to which the place belongs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub site: Option<Reference>,
    /// The site's name as the order shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub site_name: Option<String>,
    /// Who is responsible: a user or a vendor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assignee: Option<Reference>,
    /// Their name as the order shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assignee_name: Option<String>,
    /// Who else takes part.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub additional_assignees: Vec<Reference>,
    /// The responsible team or work group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub team_name: Option<String>,
    /// Who asked for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requester_name: Option<String>,
    /// How to reach them: phone or mail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requester_contact: Option<String>,
    /// When it was raised at the source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ordered_at: Option<Timestamp>,
    /// When work is to begin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheduled_start_at: Option<Timestamp>,
    /// When it is to be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    /// When work began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When work was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Timestamp>,
    /// Planned working time in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub planned_duration: Option<i64>,
    /// Working time booked, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labour_duration: Option<i64>,
    /// What it has cost so far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<Money>,
    /// What it may cost without asking again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_limit: Option<Money>,
    /// The purchase order written on it, as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purchase_order_number: Option<String>,
    /// A reference that other systems keep there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_reference: Option<String>,
    /// Remarks of those who did the work.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    /// The single steps.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tasks: Vec<Task>,
    /// Working time booked on it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub labour: Vec<LabourLine>,
    /// Parts booked on it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parts_used: Vec<PartUsed>,
    /// Costs booked on it, in the source's own lines.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub costs: Vec<CostLine>,
    /// Fields beyond the unified ones, by name.
    #[serde(skip_serializing_if = "CustomFields::is_empty")]
    pub custom_fields: CustomFields,
    /// Values of the source that could not be taken over.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub data_issues: Vec<DataIssue>,
}

/// One step of a work order.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Task {
    /// The source's own key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote_id: Option<String>,
    /// Place in the list, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<i64>,
    /// What is to be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Remarks on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The asset that this step is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asset: Option<Reference>,
    /// The source's own state of the step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_status: Option<String>,
}

/// Working time booked on a work order.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct LabourLine {
    /// The source's own key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote_id: Option<String>,
    /// Who worked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<Reference>,
    /// Their name as the line shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_name: Option<String>,
    /// What for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<i64>,
    /// When it began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// Price of an hour.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<Money>,
    /// What it cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<Money>,
}

/// A part booked on a work order.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct PartUsed {
    /// The source's own key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote_id: Option<String>,
    /// The part.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<Reference>,
    /// The part's name as the line shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part_name: Option<String>,
    /// How many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantity: Option<Quantity>,
    /// Price of one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit_cost: Option<Money>,
    /// What they cost together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<Money>,
}

/// A cost booked on a work order.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct CostLine {
    /// The source's own key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote_id: Option<String>,
    /// What it was for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<CostKind>,
    /// The source's own kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_kind: Option<String>,
    /// What for, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// How much.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<Money>,
}
