//! Employees (own people and providers), organizations, roles, teams.

use std::borrow::Cow;

use super::{
    super::{
        enums,
        schema::{
            Entity,
            Kind::{Bool, Child, Date, Enum, Int, Many, Ref, Text},
            Schema, fields,
        },
        tenant::{EMAIL, OF_ACTOR, ORGANIZATION_EMAIL, PHONE, Tenant},
        value::{Key, Value, flag, int, owned, row, sentinel, text},
    },
    removed_name,
};
use crate::plant::{Person, Role, Vendor};

/// A person or a provider.
type Who<'a> = Result<&'a Person, &'a Vendor>;

const ROLES: [Role; 5] = [
    Role::Technician,
    Role::Supervisor,
    Role::Planner,
    Role::Manager,
    Role::Administrator,
];

pub(in crate::corrigo) const EMPLOYEE: Schema = Schema {
    name: "Employee",
    rows: all,
    unstable: "ProviderTypeId",
    fields: fields! { person_or_vendor;
        "FirstName" Text => |_, e| of_person(e, |p| &p.first_name);
        "LastName" Text => |_, e| of_person(e, |p| &p.last_name);
        "DisplayAs" Text => |_, e| Value::Text(display(e));
        "Role" Ref(Entity::Role) => |_, e| row(e.ok().map(|p| Key::of(p.role as u32 + 1)));
        "AccessToAllWorkZones" Bool => |_, e| flag(e.is_err());
        "LanguageId" Int => |_, _| int(1033);
        "ActorTypeId" Enum(enums::ACTOR_TYPE) => |_, e| text(if e.is_ok() { "Employee" } else { "Provider" });
        "Username" Text => |_, e| username(e);
        "DtPwdChange" Date => |_, _| sentinel();
        "ProviderInvitedOn" Date => |_, _| Value::Missing;
        "Instructions" Text => |_, _| text("");
        "WonMemberId" Int => |_, _| Value::NullInt;
        "WonLocationId" Int => |_, _| Value::NullInt;
        "WonServiceRadius" Int => |_, _| Value::NullInt;
        "IsElectronicPayment" Bool => |_, _| flag(false);
        "ProviderStatusId" Enum(enums::NETWORK_STATUS) => |_, e| text(if e.is_ok() { "NA" } else { "NotConnected" });
        "LabelId" Int => |_, _| Value::NullInt;
        "FreeTextAllowed" Bool => |_, _| flag(true);
        "RadiusUnit" Enum(enums::DISTANCE_UNIT) => |_, _| text("Mile");
        "Password" Text => |_, _| text("");
        "Number" Text => |_, e| number(e);
        "JobTitle" Text => |_, e| of_person(e, |p| &p.job_title);
        "FederalId" Text => |_, e| of_vendor(e, |v| &v.tax_id);
        "ExternalId" Text => |_, e| of_vendor(e, |v| &v.external_id);
        "ForcePasswordReset" Bool => |_, _| flag(false);
        "TaxWarnOnly" Bool => |_, _| flag(false);
        "CustomFields" Many(Entity::CustomField2) => |_, _| Value::Rows(Vec::new());
        "Organization" Ref(Entity::Organization) => |_, e| row(e.err().map(|v| Key::of(v.id)));
        "BillAtZero" Bool => |_, _| flag(false);
        "IsSupplier" Bool => |_, e| flag(e.is_err_and(|v| v.supplier));
        "ProviderTypeId" Enum(enums::PROVIDER_TYPE) => |_, e| text(if e.is_err_and(|v| v.supplier) { "Supplier" } else { "Regular" });
        "ContactAddresses" Many(Entity::ContactInfo) => |_, e| Value::Rows(vec![Key::pair(id(e), EMAIL), Key::pair(id(e), PHONE)]);
        "Address" Child(Entity::Address2) => |_, e| row(Some(Key::pair(id(e), OF_ACTOR)));
        "Teams" Many(Entity::LinkUserAndTeam) => |_, e| Value::Rows(e.ok().map(|p| Key::of(p.id)).into_iter().collect());
        "WorkZones" Many(Entity::LinkUserAndWorkZone) => |_, e| Value::Rows(e.ok().map(|p| Key::of(p.id)).into_iter().collect());
        "Specialties" Many(Entity::LinkUserAndSpecialty) => |_, e| Value::Rows(vec![Key::of(id(e))]);
        "TaxExempt" Bool => |_, _| flag(false);
        "LimitAssignmentByPortfolioId" Int => |_, _| Value::NullInt;
        "IsRemoved" Bool => |_, e| flag(e.map_or_else(|v| v.removed, |p| p.removed));
        "ConcurrencyId" Int => |_, e| int(e.map_or_else(|v| v.revision, |p| p.revision));
        "Id" Int => |_, e| int(id(e));
    },
};

fn all(tenant: &Tenant) -> Vec<Key> {
    let people = tenant.plant().people.iter().map(|row| row.id);
    let vendors = tenant.plant().vendors.iter().map(|row| row.id);
    let mut keys: Vec<Key> = people.chain(vendors).map(Key::of).collect();
    keys.sort_unstable();
    keys
}

fn id(who: Who<'_>) -> u32 {
    who.map_or_else(|vendor| vendor.id, |person| person.id)
}

fn of_person<'a>(who: Who<'a>, pick: impl FnOnce(&'a Person) -> &'a str) -> Value<'a> {
    text(who.map_or("", pick))
}

fn of_vendor<'a>(who: Who<'a>, pick: impl FnOnce(&'a Vendor) -> &'a str) -> Value<'a> {
    text(who.err().map_or("", pick))
}

fn display(who: Who<'_>) -> Cow<'_, str> {
    match who {
        Ok(person) => removed_name(person.name(), person.removed),
        Err(vendor) => removed_name(vendor.name.as_str(), vendor.removed),
    }
}

fn username(who: Who<'_>) -> Value<'_> {
    match who {
        Ok(person) => text(&person.username),
        Err(vendor) => owned(format!(
            "{0:08x}-5e1d-4c3b-9a2f-{0:012x}",
            vendor.id.wrapping_mul(2_654_435_761)
        )),
    }
}

fn number(who: Who<'_>) -> Value<'_> {
    match who {
        Ok(person) => text(&person.number),
        Err(vendor) => owned(format!("V{}", vendor.id)),
    }
}

pub(in crate::corrigo) const ORGANIZATION: Schema = Schema {
    name: "Organization",
    rows: |t| {
        t.plant()
            .vendors
            .iter()
            .map(|row| Key::of(row.id))
            .collect()
    },
    unstable: "",
    fields: fields! { vendor;
        "DisplayAs" Text => |_, v| text(&v.name);
        "Number" Text => |_, v| text(&v.external_id);
        "CustomFields" Many(Entity::CustomField2) => |_, _| Value::Rows(Vec::new());
        "ContactAddresses" Many(Entity::ContactInfo) => |_, v| Value::Rows(vec![Key::pair(v.id, ORGANIZATION_EMAIL)]);
        "Address" Child(Entity::Address2) => |_, v| row(Some(Key::pair(v.id, OF_ACTOR)));
        "ConcurrencyId" Int => |_, _| int(1);
        "Id" Int => |_, v| int(v.id);
    },
};

#[expect(
    clippy::unused_self,
    reason = "properties find their rows through the tenant, whatever the entity"
)]
impl Tenant {
    fn role(&self, key: Key) -> Option<Role> {
        ROLES.get((key.id as usize).checked_sub(1)?).copied()
    }
}

impl Tenant {
    fn person(&self, key: Key) -> Option<&Person> {
        self.plant().person(key.id)
    }
}

pub(in crate::corrigo) const ROLE: Schema = Schema {
    name: "Role",
    rows: |_| ROLES.iter().map(|role| Key::of(*role as u32 + 1)).collect(),
    unstable: "",
    fields: fields! { role;
        "DisplayAs" Text => |_, r| text(r.name());
        "Rank" Int => |_, r| int(r as u32 + 1);
        "UnlimitedNte" Bool => |_, r| flag(r == Role::Administrator);
        "SsoLoginOnly" Bool => |_, _| flag(false);
        "IsIsmRequired" Bool => |_, _| flag(false);
        "ConcurrencyId" Int => |_, _| int(1);
        "Id" Int => |_, r| int(r as u32 + 1);
    },
};

pub(in crate::corrigo) const TEAM: Schema = Schema {
    name: "Team",
    rows: |t| t.plant().sites.iter().map(|row| Key::of(row.id)).collect(),
    unstable: "",
    fields: fields! { site;
        "DisplayAs" Text => |_, s| owned(format!("{} maintenance", s.code));
        "IsRemoved" Bool => |_, _| flag(false);
        "ConcurrencyId" Int => |_, _| int(1);
        "Id" Int => |_, s| int(s.id);
    },
};

pub(in crate::corrigo) const USER_TEAM: Schema = Schema {
    name: "LinkUserAndTeam",
    rows: |t| t.plant().people.iter().map(|row| Key::of(row.id)).collect(),
    unstable: "",
    fields: fields! { person;
        "UserId" Int => |_, p| int(p.id);
        "TeamId" Int => |_, p| int(p.site);
        "Id" Int => |_, p| int(p.id);
    },
};

pub(in crate::corrigo) const USER_WORK_ZONE: Schema = Schema {
    name: "LinkUserAndWorkZone",
    rows: |t| t.plant().people.iter().map(|row| Key::of(row.id)).collect(),
    unstable: "",
    fields: fields! { person;
        "UserId" Int => |_, p| int(p.id);
        "WorkZoneId" Int => |_, p| int(p.site);
        "Id" Int => |_, p| int(p.id);
    },
};

pub(in crate::corrigo) const USER_SPECIALTY: Schema = Schema {
    name: "LinkUserAndSpecialty",
    rows: all,
    unstable: "",
    fields: fields! { person_or_vendor;
        "UserId" Int => |_, e| int(id(e));
        "SpecialtyId" Int => |_, e| int(1 + e.map_or_else(|v| v.trade, |p| p.trade));
        "Id" Int => |_, e| int(id(e));
    },
};
