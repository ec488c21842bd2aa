//! The one table of places and machines, and its tree.

use super::super::{
    enums,
    schema::{
        Entity,
        Kind::{Bool, Child, Enum, Int, Many, Ref, Text},
        Schema, fields,
    },
    tenant::{LocationRow, OF_LOCATION, Tenant},
    value::{Key, Value, children, flag, int, link, owned, row, text},
};
use crate::plant::{Asset, CATEGORIES, Category, PlaceKind};

/// Name and type of the attributes that describe machines; the Id is the index from 1.
const ATTRIBUTES: &[(&str, &str)] = &[
    ("Manufacturer", "String"),
    ("Model", "String"),
    ("Install Date", "Date"),
    ("Warranty End", "Date"),
];

pub(in crate::corrigo) const LOCATION: Schema = Schema {
    name: "Location",
    rows: all,
    unstable: "TypeId",
    fields: fields! { location;
        "Name" Text => |_, l| text(name(l));
        "Address" Child(Entity::Address2) => |_, l| row(address(l));
        "ModelId" Int => |_, l| match l {
            LocationRow::Asset(asset) => int(asset.category.id),
            LocationRow::Place(_) => Value::NullInt,
        };
        "Orphan" Bool => |_, l| flag(asset(l).is_some_and(|asset| asset.removed));
        "TypeId" Enum(enums::ASSET_TYPE) => |_, l| text(kind(l));
        "ParentId" Int => |_, _| Value::Int(0);
        "RootId" Int => |_, _| Value::Int(0);
        "IsTemplate" Bool => |_, l| flag(matches!(l, LocationRow::Place(place) if place.template));
        "Info" Child(Entity::AssetInfo) => |_, l| link(id(l));
        "Documents" Many(Entity::Document) => |_, _| Value::Rows(Vec::new());
        "IsOffline" Bool => |_, l| flag(asset(l).is_some_and(|asset| asset.removed || !asset.in_service));
        "IsLocked" Bool => |_, _| flag(false);
        "Attributes" Many(Entity::AssetAttribute) => |_, l| asset(l).map_or(Value::Rows(Vec::new()), |asset| Value::Rows(attributes(asset)));
        "Id" Int => |_, l| int(id(l));
    },
};

/// Every place and asset, by id.
pub(in crate::corrigo) fn all(tenant: &Tenant) -> Vec<Key> {
    let places = tenant.plant().places.iter().map(|row| row.id);
    let assets = tenant.plant().assets.iter().map(|row| row.id);
    let mut keys: Vec<Key> = places.chain(assets).map(Key::of).collect();
    keys.sort_unstable();
    keys
}

fn id(row: LocationRow<'_>) -> u32 {
    match row {
        LocationRow::Place(place) => place.id,
        LocationRow::Asset(asset) => asset.id,
    }
}

fn name(row: LocationRow<'_>) -> &str {
    match row {
        LocationRow::Place(place) => &place.name,
        LocationRow::Asset(asset) => &asset.name,
    }
}

fn asset(row: LocationRow<'_>) -> Option<&Asset> {
    match row {
        LocationRow::Place(_) => None,
        LocationRow::Asset(asset) => Some(asset),
    }
}

fn address(row: LocationRow<'_>) -> Option<Key> {
    match row {
        LocationRow::Place(place)
            if matches!(place.kind, PlaceKind::Site | PlaceKind::Building) =>
        {
            Some(Key::pair(place.id, OF_LOCATION))
        }
        LocationRow::Place(_) | LocationRow::Asset(_) => None,
    }
}

fn kind(row: LocationRow<'_>) -> &'static str {
    match row {
        LocationRow::Place(place) => match place.kind {
            PlaceKind::Site => "Community",
            PlaceKind::Building => "Building",
            PlaceKind::Floor => "Floor",
            PlaceKind::Room => "RoomArea",
        },
        LocationRow::Asset(asset) if asset.parent.is_some() => "Regular",
        LocationRow::Asset(asset) if asset.category.system == "Power distribution" => "Utility",
        LocationRow::Asset(_) => "Equipment",
    }
}

fn attributes(asset: &Asset) -> Vec<Key> {
    let numbered = (0_u32..).zip(ATTRIBUTES);
    numbered
        .filter(|(sub, _)| attribute_value(asset, *sub).is_some())
        .map(|(sub, _)| Key::pair(asset.id, sub))
        .collect()
}

fn attribute_value(asset: &Asset, sub: u32) -> Option<String> {
    match sub {
        0 => Some(asset.manufacturer.clone()),
        1 => Some(asset.model.clone()),
        2 => asset.installed_on.map(|day| day.to_string()),
        3 => asset.warranty_end.map(|day| day.to_string()),
        _ => None,
    }
}

pub(in crate::corrigo) const ASSET_INFO: Schema = Schema {
    name: "AssetInfo",
    rows: all,
    unstable: "",
    fields: fields! { location;
        "Id" Int => |_, l| int(id(l));
        "AssetId" Int => |_, l| int(id(l));
        "CommunityId" Int => |_, l| int(match l {
            LocationRow::Place(place) => place.site,
            LocationRow::Asset(asset) => asset.site,
        });
        "SerialNumber" Text => |_, l| text(asset(l).map_or("", |asset| &asset.serial_number));
        "TagId" Text => |_, l| text(asset(l).map_or("", |asset| &asset.tag));
        "CheckPhone" Text => |_, _| text("");
        "AssetSystem" Ref(Entity::AssetSystem) => |_, l| row(asset(l).map(|asset| Key::of(asset.category.id)));
    },
};

pub(in crate::corrigo) const ASSET_SYSTEM: Schema = Schema {
    name: "AssetSystem",
    rows: |_| CATEGORIES.iter().map(|row| Key::of(row.id)).collect(),
    unstable: "",
    fields: fields! { category;
        "Description" Text => |_, _| text("");
        "DisplayAs" Text => |_, c| text(c.system);
        "Id" Int => |_, c| int(c.id);
    },
};

pub(in crate::corrigo) const MODEL: Schema = Schema {
    name: "Model",
    rows: |_| CATEGORIES.iter().map(|row| Key::of(row.id)).collect(),
    unstable: "AssetCategoryId",
    fields: fields! { category;
        "DisplayAs" Text => |_, c| text(c.name);
        "Description" Text => |_, _| text("");
        "AssetCategoryId" Enum(enums::ASSET_TYPE) => |_, _| text("Equipment");
        "Public" Bool => |_, _| flag(true);
        "SubComponentIdx" Int => |_, _| int(0);
        "GlAccount" Text => |_, _| text("");
        "Instructions" Text => |_, _| text("");
        "Tasks" Many(Entity::Task) => |_, c| Value::Rows(c.tasks.iter().map(|task| Key::of(task.id)).collect());
        "Number" Text => |_, c| owned(format!("M{:03}", c.id));
        "AllowAnonymousRequests" Bool => |_, _| flag(false);
        "ChargeCode" Ref(Entity::ChargeCodeLookup) => |_, _| Value::Missing;
        "IsRemoved" Bool => |_, _| flag(false);
        "ConcurrencyId" Int => |_, _| int(1);
        "Id" Int => |_, c| int(c.id);
    },
};

#[expect(
    clippy::unused_self,
    reason = "properties find their rows through the tenant, whatever the entity"
)]
impl Tenant {
    fn category(&self, key: Key) -> Option<&'static Category> {
        CATEGORIES.get((key.id as usize).checked_sub(1)?)
    }

    fn descriptor_of_assets(&self, key: Key) -> Option<(u32, &'static str, &'static str)> {
        let (name, kind) = ATTRIBUTES.get((key.id as usize).checked_sub(1)?)?;
        Some((key.id, name, kind))
    }
}

impl Tenant {
    fn attribute(&self, key: Key) -> Option<(&Asset, u32, String)> {
        let asset = self.plant().asset(key.id)?;
        attribute_value(asset, key.sub).map(|value| (asset, key.sub, value))
    }

    fn top_of(&self, id: u32) -> u32 {
        let mut top = id;
        for _ in 0..16 {
            match self.above(top) {
                Some(next) => top = next,
                None => break,
            }
        }
        top
    }
}

pub(in crate::corrigo) const ASSET_TREE: Schema = Schema {
    name: "AssetTree",
    rows: |t| {
        let mut keys = Vec::new();
        for key in all(t) {
            let mut at = Some(key.id);
            while let Some(ancestor) = at {
                keys.push(Key::pair(ancestor, key.id));
                at = t.above(ancestor);
            }
        }
        keys.sort_unstable();
        keys
    },
    unstable: "",
    fields: fields! { tree_row;
        "Id" Int => |_, (parent, _, _)| int(parent);
        "ParentId" Int => |_, (parent, _, _)| int(parent);
        "ChildId" Int => |_, (_, child, _)| int(child);
        "Child" Ref(Entity::Location) => |_, (_, child, _)| link(child);
        "Distance" Int => |_, (_, _, distance)| int(distance);
    },
};

pub(in crate::corrigo) const ASSET_ATTRIBUTE: Schema = Schema {
    name: "AssetAttribute",
    rows: |t| t.plant().assets.iter().flat_map(attributes).collect(),
    unstable: "",
    fields: fields! { attribute;
        "Descriptor" Ref(Entity::AttributeDescriptor) => |_, (_, sub, _)| link(sub + 1);
        "AssetId" Int => |_, (asset, _, _)| int(asset.id);
        "TopAssetId" Int => |t, (asset, _, _)| int(t.top_of(asset.id));
        "CurrencyTypeId" Enum(enums::CURRENCY) => |_, _| text("Unknown");
        "Value" Text => |_, (_, _, value)| owned(value);
        "ConcurrencyId" Int => |_, (asset, _, _)| int(asset.revision);
        "Id" Int => |_, (asset, sub, _)| int(asset.id * 4 + sub + 1);
    },
};

pub(in crate::corrigo) const ATTRIBUTE_DESCRIPTOR: Schema = Schema {
    name: "AttributeDescriptor",
    rows: |_| match children(0, ATTRIBUTES.len()) {
        Value::Rows(keys) => keys.into_iter().map(|key| Key::of(key.sub + 1)).collect(),
        _ => Vec::new(),
    },
    unstable: "Type",
    fields: fields! { descriptor_of_assets;
        "Type" Enum(enums::FIELD_TYPE) => |_, (_, _, kind)| text(kind);
        "Name" Text => |_, (_, name, _)| text(name);
        "IsHistory" Bool => |_, _| flag(false);
        "DisplayInWorkOrder" Bool => |_, _| flag(true);
        "IsRemoved" Bool => |_, _| flag(false);
        "ConcurrencyId" Int => |_, _| int(1);
        "Id" Int => |_, (id, _, _)| int(id);
    },
};
