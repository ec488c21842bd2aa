//! The content of each resource. All fields may be absent: sources differ in what they know.

mod asset;
mod location;
mod part;
mod people;
mod purchase_order;
mod work_order;

pub use asset::Asset;
pub use location::{Address, Location};
pub use part::Part;
pub use people::{User, Vendor};
pub use purchase_order::{PurchaseOrder, PurchaseOrderLine};
pub use work_order::{CostLine, LabourLine, PartUsed, Task, WorkOrder};
