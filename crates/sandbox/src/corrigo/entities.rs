//! How each entity shows what the tenant holds.

pub(super) mod cost;
pub(super) mod empty;
pub(super) mod location;
pub(super) mod lookups;
pub(super) mod materials;
pub(super) mod people;
pub(super) mod site;
pub(super) mod work_order;

use std::borrow::Cow;

/// What the vendor adds to the name of a removed record.
fn removed_name<'a>(name: impl Into<Cow<'a, str>>, removed: bool) -> Cow<'a, str> {
    let name = name.into();
    if removed {
        Cow::Owned(format!("{name} (deleted)"))
    } else {
        name
    }
}
