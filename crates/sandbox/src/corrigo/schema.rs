//! What entities and properties exist.

use super::{
    entities,
    tenant::Tenant,
    value::{Key, Value},
};

/// Type of a property.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Int,
    Bool,
    Decimal,
    Money,
    Date,
    Enum(&'static [&'static str]),
    /// Comes as `{"Id":n}` with `*`.
    Ref(Entity),
    /// Comes only by an explicit path.
    Child(Entity),
    /// Comes only by an explicit path.
    Many(Entity),
}

impl Kind {
    /// Returns the entity that a path can go on into.
    pub(super) fn target(self) -> Option<Entity> {
        match self {
            Self::Ref(entity) | Self::Child(entity) | Self::Many(entity) => Some(entity),
            Self::Text
            | Self::Int
            | Self::Bool
            | Self::Decimal
            | Self::Money
            | Self::Date
            | Self::Enum(_) => None,
        }
    }
}

/// A property of an entity.
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) get: for<'a> fn(&'a Tenant, Key) -> Value<'a>,
}

/// An entity.
pub(super) struct Schema {
    pub(super) name: &'static str,
    pub(super) fields: &'static [Field],
    /// Every row, Id ascending.
    pub(super) rows: fn(&Tenant) -> Vec<Key>,
    /// The enumeration that gets an unknown member on demand.
    pub(super) unstable: &'static str,
}

/// Declares the properties of an entity, in the order in which replies show them.
///
/// `find` is the method of [`Tenant`] that turns a key into what the expressions on the right work with.
macro_rules! fields {
    ($find:ident; $($name:literal $kind:expr => |$tenant:pat_param, $row:pat_param| $value:expr;)*) => {
        &[$(crate::corrigo::schema::Field {
            name: $name,
            kind: $kind,
            get: |tenant, key| match tenant.$find(key) {
                Some($row) => {
                    let $tenant = tenant;
                    $value
                }
                None => crate::corrigo::value::Value::Missing,
            },
        }),*]
    };
}
pub(super) use fields;

macro_rules! entities {
    ($($name:ident: $schema:path;)*) => {
        /// The entities that the simulator serves.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Entity {
            $($name),*
        }

        impl Entity {
            pub(super) fn schema(self) -> &'static Schema {
                match self {
                    $(Self::$name => &$schema),*
                }
            }

            /// Finds an entity by name, whatever its case.
            pub(super) fn find(name: &str) -> Option<Self> {
                [$(Self::$name),*]
                    .into_iter()
                    .find(|entity| entity.schema().name.eq_ignore_ascii_case(name))
            }

            #[cfg(test)]
            pub(super) const ALL: &[Self] = &[$(Self::$name),*];
        }
    };
}

entities! {
    WorkOrder: entities::work_order::WORK_ORDER;
    WoItem: entities::work_order::WO_ITEM;
    WoAssignment: entities::work_order::WO_ASSIGNMENT;
    WoNote: entities::work_order::WO_NOTE;
    WoLastAction: entities::work_order::WO_LAST_ACTION;
    WoActionLog: entities::work_order::WO_ACTION_LOG;
    Actor: entities::lookups::ACTOR;
    WoPriority: entities::lookups::WO_PRIORITY;
    WorkOrderType: entities::lookups::WORK_ORDER_TYPE;
    WoActionReasonLookup: entities::lookups::REASON;
    Task: entities::lookups::TASK;
    Specialty: entities::lookups::SPECIALTY;
    CustomField2: entities::lookups::CUSTOM_FIELD;
    CustomFieldDescriptor: entities::lookups::CUSTOM_FIELD_DESCRIPTOR;
    WorkOrderCost: entities::cost::WORK_ORDER_COST;
    FinancialItem: entities::cost::FINANCIAL_ITEM;
    ApInvoiceStatus: entities::cost::AP_INVOICE_STATUS;
    Location: entities::location::LOCATION;
    AssetInfo: entities::location::ASSET_INFO;
    AssetSystem: entities::location::ASSET_SYSTEM;
    AssetTree: entities::location::ASSET_TREE;
    AssetAttribute: entities::location::ASSET_ATTRIBUTE;
    AttributeDescriptor: entities::location::ATTRIBUTE_DESCRIPTOR;
    Model: entities::location::MODEL;
    WorkZone: entities::site::WORK_ZONE;
    Customer: entities::site::CUSTOMER;
    Address2: entities::site::ADDRESS;
    ContactInfo: entities::site::CONTACT_INFO;
    Employee: entities::people::EMPLOYEE;
    Organization: entities::people::ORGANIZATION;
    Role: entities::people::ROLE;
    Team: entities::people::TEAM;
    LinkUserAndTeam: entities::people::USER_TEAM;
    LinkUserAndSpecialty: entities::people::USER_SPECIALTY;
    LinkUserAndWorkZone: entities::people::USER_WORK_ZONE;
    Product: entities::materials::PRODUCT;
    ProductCategory: entities::materials::PRODUCT_CATEGORY;
    ProductMoneyValues: entities::materials::PRODUCT_PRICE;
    LinkProductAndSupplier: entities::materials::PRODUCT_SUPPLIER;
    StockLocation: entities::materials::STOCK_LOCATION;
    StockLocationInventoryDetails: entities::materials::STOCK;
    ReplenishmentOrder: entities::materials::ORDER;
    ReplenishmentOrderItem: entities::materials::ORDER_ITEM;
    Contact: entities::empty::CONTACT;
    RepairCode: entities::empty::REPAIR_CODE;
    Disposition: entities::empty::DISPOSITION;
    WoFlag: entities::empty::WO_FLAG;
    WoVerification: entities::empty::WO_VERIFICATION;
    WoOnSite: entities::empty::WO_ON_SITE;
    WoQuote: entities::empty::WO_QUOTE;
    WoEstimate: entities::empty::WO_ESTIMATE;
    WoEquipment: entities::empty::WO_EQUIPMENT;
    Document: entities::empty::DOCUMENT;
    DocumentType: entities::empty::DOCUMENT_TYPE;
    InvoiceDictionaryItem: entities::empty::INVOICE_ITEM;
    LaborCode: entities::empty::LABOR_CODE;
    BillToOption: entities::empty::BILL_TO_OPTION;
    ChargeCodeLookup: entities::empty::CHARGE_CODE;
    BillingAccount: entities::empty::BILLING_ACCOUNT;
}

impl Schema {
    /// Finds a property by name, whatever its case.
    pub(super) fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields
            .iter()
            .find(|field| field.name.eq_ignore_ascii_case(name))
    }

    /// Returns the Id of a row.
    pub(super) fn id_of(&self, tenant: &Tenant, key: Key) -> i64 {
        let id = self.fields.iter().rev().find(|field| field.name == "Id");
        match id.map(|field| (field.get)(tenant, key)) {
            Some(Value::Int(id)) => id,
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Entity, Kind, Schema, Value};
    use crate::corrigo::tenant::Tenant;

    fn check(schema: &Schema, tenant: &Tenant) {
        let mut ids: Vec<i64> = Vec::new();
        for key in (schema.rows)(tenant) {
            ids.push(schema.id_of(tenant, key));
            for field in schema.fields {
                let value = (field.get)(tenant, key);
                let fits = match (&value, field.kind) {
                    (Value::Missing, kind) => kind != Kind::Int,
                    (Value::NullInt | Value::Int(_), kind) => kind == Kind::Int,
                    (Value::Bool(_), kind) => kind == Kind::Bool,
                    (Value::Text(name), Kind::Enum(members)) => members.contains(&name.as_ref()),
                    (Value::Text(_), kind) => kind == Kind::Text,
                    (Value::Decimal(_), kind) => kind == Kind::Decimal,
                    (Value::Money(..), kind) => kind == Kind::Money,
                    (Value::Date(_), kind) => kind == Kind::Date,
                    (Value::Row(_), kind) => matches!(kind, Kind::Ref(_) | Kind::Child(_)),
                    (Value::Rows(_), kind) => matches!(kind, Kind::Many(_)),
                };
                assert!(
                    fits,
                    "{}.{} of {key:?} is {value:?}",
                    schema.name, field.name
                );
            }
        }
        assert!(ids.is_sorted(), "{} is not in order", schema.name);
        assert!(
            ids.iter().all(|id| i32::try_from(*id).is_ok()),
            "{} leaves i32",
            schema.name
        );
    }

    #[test]
    fn every_value_has_the_type_of_its_property() {
        let tenant = Tenant::for_tests(120);
        for entity in Entity::ALL {
            check(entity.schema(), &tenant);
        }
    }

    #[test]
    fn every_reference_leads_to_a_row() {
        let tenant = Tenant::for_tests(120);
        for entity in Entity::ALL {
            let schema = entity.schema();
            for key in (schema.rows)(&tenant) {
                for field in schema.fields {
                    let Some(target) = field.kind.target() else {
                        continue;
                    };
                    let keys = match (field.get)(&tenant, key) {
                        Value::Row(key) => vec![key],
                        Value::Rows(keys) => keys,
                        _ => Vec::new(),
                    };
                    for found in keys {
                        let id = target.schema().id_of(&tenant, found);
                        assert!(
                            id > 0,
                            "{}.{} of {key:?} leads to nothing",
                            schema.name,
                            field.name
                        );
                    }
                }
            }
        }
    }
}
