//! Products, stock and replenishment orders.

use super::{
    super::{
        enums,
        schema::{
            Entity,
            Kind::{Bool, Date, Decimal as Number, Enum, Int, Many, Money, Ref, Text},
            Schema, fields,
        },
        tenant::{OF_LOCATION, Tenant},
        value::{Key, Value, children, day, flag, int, link, owned, row, text, utc, zone_index},
    },
    removed_name,
};
use crate::plant::{Part, PurchaseOrder, PurchaseOrderState};

const CATEGORIES: &[&str] = &[
    "Bearings",
    "Belts",
    "Filters",
    "Seals",
    "Electrical",
    "Sensors",
    "Lubricants",
    "Drives",
    "Valves",
    "Lighting",
];

pub(in crate::corrigo) const PRODUCT: Schema = Schema {
    name: "Product",
    rows: all,
    unstable: "UnitOfMeasureId",
    fields: fields! { part;
        "InvoiceItem" Ref(Entity::InvoiceDictionaryItem) => |_, _| Value::Missing;
        "DisplayAs" Text => |_, p| Value::Text(removed_name(p.name.as_str(), p.removed));
        "PartName" Text => |_, p| text(&p.number);
        "Description" Text => |_, p| text(&p.name);
        "Discontinued" Bool => |_, p| flag(p.removed);
        "UnitOfMeasureId" Enum(enums::UNIT) => |_, p| text(unit(p));
        "Comments" Text => |_, p| text(&p.notes);
        "Manufacturer" Text => |_, p| text(&p.manufacturer);
        "PartNumber" Text => |_, p| text(&p.manufacturer_number);
        "ScanCode" Text => |_, p| text(&p.barcode);
        "Category" Ref(Entity::ProductCategory) => |_, p| row(category(p));
        "Suppliers" Many(Entity::LinkProductAndSupplier) => |_, p| Value::Rows(p.vendor.map(|_| Key::of(p.id)).into_iter().collect());
        "CustomFields" Many(Entity::CustomField2) => |_, _| Value::Rows(Vec::new());
        "Currencies" Many(Entity::ProductMoneyValues) => |_, p| Value::Rows(vec![Key::of(p.id)]);
        "IsRemoved" Bool => |_, p| flag(p.removed);
        "ConcurrencyId" Int => |_, p| int(p.revision);
        "Id" Int => |_, p| int(p.id);
    },
};

fn all(tenant: &Tenant) -> Vec<Key> {
    tenant
        .plant()
        .parts
        .iter()
        .map(|row| Key::of(row.id))
        .collect()
}

fn unit(part: &Part) -> &'static str {
    match part.unit {
        "box" => "Box",
        "m" => "Meter",
        "l" => "Liter",
        "kg" => "Kg",
        "set" => "Set",
        _ => "Unit",
    }
}

fn category(part: &Part) -> Option<Key> {
    (1_u32..)
        .zip(CATEGORIES)
        .find(|(_, name)| **name == part.category)
        .map(|(id, _)| Key::of(id))
}

#[expect(
    clippy::unused_self,
    reason = "properties find their rows through the tenant, whatever the entity"
)]
impl Tenant {
    fn product_category(&self, key: Key) -> Option<(u32, &'static str)> {
        Some((key.id, CATEGORIES.get((key.id as usize).checked_sub(1)?)?))
    }
}

impl Tenant {
    fn supplied(&self, key: Key) -> Option<(&Part, u32)> {
        let part = self.part(key)?;
        part.vendor.map(|vendor| (part, vendor))
    }
}

pub(in crate::corrigo) const PRODUCT_CATEGORY: Schema = Schema {
    name: "ProductCategory",
    rows: |_| {
        (1_u32..)
            .zip(CATEGORIES)
            .map(|(id, _)| Key::of(id))
            .collect()
    },
    unstable: "",
    fields: fields! { product_category;
        "DisplayAs" Text => |_, (_, name)| text(name);
        "IsRemoved" Bool => |_, _| flag(false);
        "ConcurrencyId" Int => |_, _| int(1);
        "Id" Int => |_, (id, _)| int(id);
    },
};

pub(in crate::corrigo) const PRODUCT_PRICE: Schema = Schema {
    name: "ProductMoneyValues",
    rows: all,
    unstable: "",
    fields: fields! { part;
        "CurrencyTypeId" Enum(enums::CURRENCY) => |t, p| text(t.currency(p.site));
        "ParentId" Int => |_, p| int(p.id);
        "UnitPrice" Number => |_, p| p.unit_cost.map_or(Value::Missing, Value::Decimal);
        "LastPrice" Number => |_, p| p.price.map_or(Value::Missing, Value::Decimal);
        "ConcurrencyId" Int => |_, p| int(p.revision);
        "Id" Int => |_, p| int(p.id);
    },
};

pub(in crate::corrigo) const PRODUCT_SUPPLIER: Schema = Schema {
    name: "LinkProductAndSupplier",
    rows: |t| {
        t.plant()
            .parts
            .iter()
            .filter(|row| row.vendor.is_some())
            .map(|row| Key::of(row.id))
            .collect()
    },
    unstable: "",
    fields: fields! { supplied;
        "ProductId" Int => |_, (p, _)| int(p.id);
        "SupplierId" Int => |_, (_, vendor)| int(vendor);
        "PartNumber" Text => |_, (p, _)| text(&p.vendor_number);
        "IsDefault" Bool => |_, _| flag(true);
        "ConcurrencyId" Int => |_, _| int(1);
        "Id" Int => |_, (p, _)| int(p.id);
    },
};

pub(in crate::corrigo) const STOCK_LOCATION: Schema = Schema {
    name: "StockLocation",
    rows: |t| t.plant().sites.iter().map(|row| Key::of(row.id)).collect(),
    unstable: "TypeId",
    fields: fields! { site;
        "DisplayAs" Text => |_, s| owned(format!("{} main store", s.code));
        "Number" Text => |_, s| text(&s.code);
        "TypeId" Enum(enums::STORE_TYPE) => |_, _| text("StoreRoom");
        "ShipToName" Text => |_, s| text(&s.name);
        "BillToName" Text => |_, s| text(&s.name);
        "DeliveryInstructions" Text => |_, _| text("");
        "Comments" Text => |_, _| text("");
        "AllowNegativeQty" Bool => |_, _| flag(false);
        "MoneyId" Enum(enums::CURRENCY) => |_, s| text(s.currency);
        "TimeZoneId" Int => |_, s| int(zone_index(s.time_zone));
        "StreetAddresses" Many(Entity::Address2) => |_, s| Value::Rows(vec![Key::pair(s.root, OF_LOCATION)]);
        "ContactAddresses" Many(Entity::ContactInfo) => |_, _| Value::Rows(Vec::new());
        "CustomFields" Many(Entity::CustomField2) => |_, _| Value::Rows(Vec::new());
        "ConcurrencyId" Int => |_, _| int(1);
        "Id" Int => |_, s| int(s.id);
    },
};

pub(in crate::corrigo) const STOCK: Schema = Schema {
    name: "StockLocationInventoryDetails",
    rows: all,
    unstable: "",
    fields: fields! { part;
        "StockLocationId" Int => |_, p| int(p.site);
        "ProductId" Int => |_, p| int(p.id);
        "Price" Number => |_, p| p.unit_cost.map_or(Value::Missing, Value::Decimal);
        "Quantity" Number => |_, p| Value::Decimal(p.on_hand);
        "CreatedOn" Date => |t, _| t.plant().work_orders.first().map_or(Value::Missing, |order| utc(order.created_at));
        "CurrencyTypeId" Enum(enums::CURRENCY) => |t, p| text(t.currency(p.site));
        "Id" Int => |_, p| int(p.id);
    },
};

pub(in crate::corrigo) const ORDER: Schema = Schema {
    name: "ReplenishmentOrder",
    rows: |t| {
        t.plant()
            .purchase_orders
            .iter()
            .map(|row| Key::of(row.id))
            .collect()
    },
    unstable: "StatusId",
    fields: fields! { purchase_order;
        "StatusId" Enum(enums::ORDER_STATUS) => |_, o| text(order_status(o));
        "Description" Text => |_, _| text("");
        "PoNumber" Text => |_, o| text(&o.reference);
        "DEstimatedtDelivery" Date => |_, o| o.deliver_by.map_or(Value::Missing, day);
        "Supplier" Ref(Entity::Employee) => |_, o| link(o.vendor);
        "StockLocation" Ref(Entity::StockLocation) => |_, o| link(o.site);
        "SupplierInstructions" Text => |_, _| text("");
        "SupplierOrderNumber" Text => |_, o| text(&o.vendor_reference);
        "IsExported" Bool => |_, _| flag(false);
        "Number" Text => |_, o| text(&o.number);
        "TimeZone" Int => |t, o| int(zone_index(t.zone(o.site)));
        "CurrencyTypeId" Enum(enums::CURRENCY) => |t, o| text(t.currency(o.site));
        "Items" Many(Entity::ReplenishmentOrderItem) => |_, o| children(o.id, o.lines.len());
        "ConcurrencyId" Int => |_, o| int(o.revision);
        "Id" Int => |_, o| int(o.id);
    },
};

fn order_status(order: &PurchaseOrder) -> &'static str {
    match order.state {
        PurchaseOrderState::Draft => "Pending",
        PurchaseOrderState::Ordered => "OnOrder",
        PurchaseOrderState::PartlyReceived => "Partial",
        PurchaseOrderState::Received => "Received",
        PurchaseOrderState::Cancelled => "Cancelled",
    }
}

pub(in crate::corrigo) const ORDER_ITEM: Schema = Schema {
    name: "ReplenishmentOrderItem",
    rows: |t| {
        let orders = t.plant().purchase_orders.iter();
        orders
            .flat_map(|order| {
                (0_u32..)
                    .zip(&order.lines)
                    .map(move |(sub, _)| Key::pair(order.id, sub))
            })
            .collect()
    },
    unstable: "",
    fields: fields! { purchase_order_line;
        "ReplenishmentOrderId" Int => |_, (o, _, _)| int(o.id);
        "Product" Ref(Entity::Product) => |_, (_, line, _)| link(line.part);
        "Price" Money => |t, (o, line, _)| Value::Money(line.unit_price, t.currency(o.site));
        "QtyOrdered" Number => |_, (_, line, _)| Value::Decimal(line.quantity);
        "QtyReceived" Number => |_, (_, line, _)| Value::Decimal(line.received);
        "AmtTotal" Money => |t, (o, line, _)| Value::Money((line.quantity * line.unit_price).round_dp(2), t.currency(o.site));
        "CurrencyTypeId" Enum(enums::CURRENCY) => |t, (o, _, _)| text(t.currency(o.site));
        "ConcurrencyId" Int => |_, _| int(1);
        "Id" Int => |_, (_, _, id)| int(id);
    },
};
