//! Work zones, customers, addresses and contacts.

use super::super::{
    enums,
    schema::{
        Entity,
        Kind::{Bool, Decimal as Number, Enum, Int, Many, Ref, Text},
        Schema, fields,
    },
    tenant::{EMAIL, OF_ACTOR, OF_LOCATION, ORDER_CONTACT, ORGANIZATION_EMAIL, PHONE},
    value::{Key, Value, flag, int, link, text, zone_index},
};

pub(in crate::corrigo) const WORK_ZONE: Schema = Schema {
    name: "WorkZone",
    rows: |t| t.plant().sites.iter().map(|row| Key::of(row.id)).collect(),
    unstable: "DefaultAccess",
    fields: fields! { site;
        "DisplayAs" Text => |_, s| text(&s.name);
        "Asset" Ref(Entity::Location) => |_, s| link(s.root);
        "TimeZone" Int => |_, s| int(zone_index(s.time_zone));
        "LanguageId" Int => |_, _| int(1033);
        "WoNumberPrefix" Text => |_, s| text(&s.code);
        "Entity" Text => |_, _| text("Example Facilities LLC");
        "SchedulingWindow" Int => |_, _| int(60);
        "NoIncompleteProcedure" Bool => |_, _| flag(false);
        "AccessOptionsMask" Int => |_, _| int(0);
        "Number" Text => |_, s| text(&s.code);
        "AdvanceNotice" Int => |_, _| int(0);
        "WoNumberDigits" Int => |_, _| int(6);
        "RoundApptTimeTo" Int => |_, _| int(15);
        "WorkPlanAutoCancel" Bool => |_, _| flag(false);
        "WorkPlanChildResolution" Bool => |_, _| flag(false);
        "WorkPlanAutoDependency" Bool => |_, _| flag(false);
        "CpThemeId" Int => |_, _| Value::NullInt;
        "DefaultAccess" Enum(enums::PTE_TYPE) => |_, _| text("CallFirst");
        "AutoAssignEnabled" Bool => |_, _| flag(true);
        "BackupRoutingId" Enum(enums::BACKUP_ROUTING) => |_, _| text("Unassigned");
        "BillingAccount" Ref(Entity::BillingAccount) => |_, _| Value::Missing;
        "NoIncompleteItem" Bool => |_, _| flag(false);
        "UiShowProvidersFirst" Bool => |_, _| flag(false);
        "CurrencyTypeId" Enum(enums::CURRENCY) => |_, s| text(s.currency);
        "IsOffline" Bool => |_, _| flag(false);
        "ContactAddresses" Many(Entity::ContactInfo) => |_, _| Value::Rows(Vec::new());
        "CustomFields" Many(Entity::CustomField2) => |_, _| Value::Rows(Vec::new());
        "Teams" Many(Entity::Team) => |_, s| Value::Rows(vec![Key::of(s.id)]);
        "UseBizHours" Bool => |_, _| flag(true);
        "UseHolidays" Bool => |_, _| flag(true);
        "UseOnCall" Bool => |_, _| flag(false);
        "UseEscalation" Bool => |_, _| flag(false);
        "DefaultBillToLogic" Int => |_, _| int(0);
        "TurnKickOffAuto" Bool => |_, _| flag(false);
        "TurnKickOffLagDays" Int => |_, _| int(0);
        "TurnKickOffOnDays" Int => |_, _| int(0);
        "EarliestSlot" Int => |_, _| int(0);
        "LatestSlot" Int => |_, _| int(0);
        "SlotsCount" Int => |_, _| int(0);
        "IsPrecalculatedSchedule" Bool => |_, _| flag(false);
        "AllowTimePreference" Bool => |_, _| flag(false);
        "TurnTemplateId" Int => |_, _| Value::NullInt;
        "IsmSpecGroupId" Int => |_, _| Value::NullInt;
        "IsmUrl" Text => |_, _| text("");
        "ExcludeNonCompliantProviders" Enum(enums::EXCLUDE_COI) => |_, _| text("InheritGlobalSettings");
        "IsNteAuto" Bool => |_, _| Value::Missing;
        "IsRemoved" Bool => |_, _| flag(false);
        "ConcurrencyId" Int => |_, s| int(s.revision);
        "Id" Int => |_, s| int(s.id);
    },
};

pub(in crate::corrigo) const CUSTOMER: Schema = Schema {
    name: "Customer",
    rows: |t| t.plant().sites.iter().map(|row| Key::of(row.id)).collect(),
    unstable: "",
    fields: fields! { site;
        "DisplayAs" Text => |_, s| text(&s.occupant);
        "Name" Text => |_, s| text(&s.occupant);
        "WorkZone" Ref(Entity::WorkZone) => |_, s| link(s.id);
        "Dba" Text => |_, _| text("");
        "Instructions" Text => |_, _| text("");
        "TenantCode" Text => |_, s| text(&s.code);
        "TaxExempt" Bool => |_, _| flag(false);
        "Contacts" Many(Entity::Contact) => |_, _| Value::Rows(Vec::new());
        "CustomFields" Many(Entity::CustomField2) => |_, _| Value::Rows(Vec::new());
        "Addresses" Many(Entity::Address2) => |_, s| Value::Rows(vec![Key::pair(s.root, OF_LOCATION)]);
        "IsRemoved" Bool => |_, _| flag(false);
        "ConcurrencyId" Int => |_, _| int(1);
        "Id" Int => |_, s| int(s.id);
    },
};

pub(in crate::corrigo) const ADDRESS: Schema = Schema {
    name: "Address2",
    rows: |t| {
        let places = t
            .plant()
            .places
            .iter()
            .map(|row| Key::pair(row.id, OF_LOCATION));
        let people = t
            .plant()
            .people
            .iter()
            .map(|row| Key::pair(row.id, OF_ACTOR));
        let vendors = t
            .plant()
            .vendors
            .iter()
            .map(|row| Key::pair(row.id, OF_ACTOR));
        let mut keys: Vec<Key> = places.chain(people).chain(vendors).collect();
        keys.sort_unstable();
        keys
    },
    unstable: "TypeId",
    fields: fields! { address;
        "ActorTypeId" Enum(enums::ACTOR_TYPE) => |_, a| text(a.owner_type);
        "ActorId" Int => |_, a| int(a.owner);
        "TypeId" Enum(enums::STREET_TYPE) => |_, _| text("Primary");
        "Street" Text => |_, a| text(a.street);
        "Street2" Text => |_, _| text("");
        "City" Text => |_, a| text(a.city);
        "State" Text => |_, a| text(a.state);
        "Zip" Text => |_, a| text(a.zip);
        "Country" Text => |_, a| text(a.country);
        "GeoStatusId" Enum(enums::GEO_STATUS) => |_, _| text("None");
        "Latitude" Number => |_, _| Value::Decimal(0.into());
        "Longitude" Number => |_, _| Value::Decimal(0.into());
        "ConcurrencyId" Int => |_, _| int(1);
        "Id" Int => |_, a| int(a.id);
    },
};

pub(in crate::corrigo) const CONTACT_INFO: Schema = Schema {
    name: "ContactInfo",
    rows: |t| {
        let people = t
            .plant()
            .people
            .iter()
            .flat_map(|row| [EMAIL, PHONE].map(|sub| Key::pair(row.id, sub)));
        let vendors =
            t.plant().vendors.iter().flat_map(|row| {
                [EMAIL, PHONE, ORGANIZATION_EMAIL].map(|sub| Key::pair(row.id, sub))
            });
        let mut keys: Vec<Key> = people.chain(vendors).collect();
        keys.sort_unstable();
        let asked = t
            .plant()
            .work_orders
            .iter()
            .filter(|row| !row.requester_email.is_empty());
        keys.extend(asked.map(|row| Key::pair(row.id, ORDER_CONTACT)));
        keys
    },
    unstable: "AddrTypeId",
    fields: fields! { contact;
        "ActorTypeId" Enum(enums::ACTOR_TYPE) => |_, c| text(c.owner_type);
        "ActorId" Int => |_, c| int(c.owner);
        "AddrTypeId" Enum(enums::CONTACT_TYPE) => |_, c| text(c.kind);
        "Address" Text => |_, c| text(c.address);
        "IsAlert" Bool => |_, _| flag(false);
        "IsReport" Bool => |_, _| flag(false);
        "ConcurrencyId" Int => |_, _| int(1);
        "Id" Int => |_, c| int(c.id);
    },
};
