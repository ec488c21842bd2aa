#![doc = include_str!("../README.md")]

mod event;
mod facets;
mod field;
mod id;
mod issue;
mod record;
mod resource;
mod resources;
mod schema;
mod status;
mod value;

pub use event::{Event, EventBody, EventType, RecordChange, UnknownEventType};
pub use facets::Facets;
pub use field::{Field, FieldKind};
pub use id::{ConnectionId, EndpointId, IdentityClass, RecordId, RunId, SuspicionId};
pub use issue::{DataIssue, IssueCode};
pub use record::{CustomFields, Envelope, Record};
pub use resource::{Resource, UnknownResource};
pub use resources::{
    Address, Asset, CostLine, LabourLine, Location, Part, PartUsed, PurchaseOrder,
    PurchaseOrderLine, Task, User, Vendor, WorkOrder,
};
pub use schema::{content_schema, record_schema};
pub use status::{
    AssetStatus, CostKind, LocationKind, Priority, PurchaseOrderStatus, WorkOrderStatus, WorkType,
};
pub use value::{Amount, Money, Quantity, Reference, Timestamp};
