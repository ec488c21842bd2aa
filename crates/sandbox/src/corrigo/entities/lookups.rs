//! Small tables that other entities refer to.

use super::super::{
    enums,
    schema::{
        Entity,
        Kind::{Bool, Enum, Int, Ref, Text},
        Schema, fields,
    },
    tenant::Tenant,
    value::{Key, Value, flag, int, link, owned, text},
};
use crate::plant::{
    CANCEL_REASONS, CATEGORIES, Category, HOLD_REASONS, Priority, TRADES, Task, WorkOrder,
    WorkOrderKind,
};

/// Ids of reasons: those for waiting begin here, those for calling off there.
const HOLD_BASE: u32 = 11;
const CANCEL_BASE: u32 = 21;
/// Predefined codes, in the order of the reasons.
const HOLD_CODES: &[u32] = &[4, 6, 3, 23];
const CANCEL_CODES: &[u32] = &[2, 6, 4];

/// Id, name, category, abbreviation.
const SUBTYPES: &[(u32, &str, &str, &str)] = &[
    (1, "Basic", "Basic", "B"),
    (2, "PM/RM", "PMRM", "PM"),
    (3, "Turn", "Turn", "T"),
    (259, "Request", "Request", "R"),
];

pub(super) fn priority_id(priority: Priority) -> u32 {
    priority as u32 + 1
}

pub(super) fn subtype_id(kind: WorkOrderKind) -> u32 {
    match kind {
        WorkOrderKind::Corrective => 1,
        WorkOrderKind::Preventive => 2,
        WorkOrderKind::Request => 259,
    }
}

/// Returns the Id of a reason by its name.
pub(super) fn reason_id(name: &'static str) -> Option<u32> {
    let find = |names: &[&str], base: u32| {
        (base..)
            .zip(names)
            .find(|(_, reason)| **reason == name)
            .map(|(id, _)| id)
    };
    find(HOLD_REASONS, HOLD_BASE).or_else(|| find(CANCEL_REASONS, CANCEL_BASE))
}

fn keys(from: u32, count: usize) -> Vec<Key> {
    (from..).take(count).map(Key::of).collect()
}

#[expect(
    clippy::unused_self,
    reason = "properties find their rows through the tenant, whatever the entity"
)]
impl Tenant {
    fn priority(&self, key: Key) -> Option<Priority> {
        Priority::ALL
            .get((key.id as usize).checked_sub(1)?)
            .copied()
    }

    fn subtype(&self, key: Key) -> Option<(u32, &str, &str, &str)> {
        SUBTYPES.iter().find(|row| row.0 == key.id).copied()
    }

    /// Returns Id, name, action and predefined code.
    fn reason(&self, key: Key) -> Option<(u32, &'static str, &'static str, u32)> {
        let (names, codes, base, action) = if key.id >= CANCEL_BASE {
            (CANCEL_REASONS, CANCEL_CODES, CANCEL_BASE, "Cancel")
        } else {
            (HOLD_REASONS, HOLD_CODES, HOLD_BASE, "OnHold")
        };
        let at = key.id.checked_sub(base)? as usize;
        Some((key.id, names.get(at)?, action, *codes.get(at)?))
    }

    fn task(&self, key: Key) -> Option<(&'static Category, &'static Task)> {
        let all = CATEGORIES
            .iter()
            .flat_map(|category| category.tasks.iter().map(move |task| (category, task)));
        all.into_iter().find(|(_, task)| task.id == key.id)
    }

    fn specialty(&self, key: Key) -> Option<(u32, &'static str)> {
        Some((key.id, TRADES.get((key.id as usize).checked_sub(1)?)?))
    }

    fn descriptor(&self, key: Key) -> Option<(u32, &'static str, &'static str)> {
        match key.id {
            1 => Some((1, "Downtime minutes", "Integer")),
            2 => Some((2, "External ticket", "String")),
            _ => None,
        }
    }
}

impl Tenant {
    /// Returns Id, type and name of whoever acts.
    fn actor(&self, key: Key) -> Option<(u32, &'static str, String)> {
        let kind = if self.plant().vendor(key.id).is_some() {
            "Provider"
        } else {
            "Employee"
        };
        self.plant()
            .actor_name(key.id)
            .map(|name| (key.id, kind, name))
    }

    /// Returns the order, the descriptor and the value.
    fn custom_field(&self, key: Key) -> Option<(&WorkOrder, u32, String)> {
        let order = self.work_order(key)?;
        let value = match key.sub {
            1 => order.downtime_minutes?.to_string(),
            2 => Some(order.external_number.clone()).filter(|text| !text.is_empty())?,
            _ => return None,
        };
        Some((order, key.sub, value))
    }
}

/// Returns the keys of the custom fields of an order; `sub` is the descriptor.
pub(super) fn custom_fields(order: &WorkOrder) -> Vec<Key> {
    let mut keys = Vec::new();
    keys.extend(order.downtime_minutes.map(|_| Key::pair(order.id, 1)));
    keys.extend((!order.external_number.is_empty()).then(|| Key::pair(order.id, 2)));
    keys
}

pub(in crate::corrigo) const ACTOR: Schema = Schema {
    name: "Actor",
    rows: |t| {
        let people = t.plant().people.iter().map(|row| Key::of(row.id));
        let mut keys: Vec<Key> = people
            .chain(t.plant().vendors.iter().map(|row| Key::of(row.id)))
            .collect();
        keys.sort_unstable();
        keys
    },
    unstable: "TypeId",
    fields: fields! { actor;
        "DisplayAs" Text => |_, (_, _, name)| owned(name);
        "TypeId" Enum(enums::ACTOR_TYPE) => |_, (_, kind, _)| text(kind);
        "Id" Int => |_, (id, _, _)| int(id);
    },
};

pub(in crate::corrigo) const WO_PRIORITY: Schema = Schema {
    name: "WoPriority",
    rows: |_| keys(1, Priority::ALL.len()),
    unstable: "",
    fields: fields! { priority;
        "DisplayAs" Text => |_, p| text(p.name());
        "IsEmergency" Bool => |_, p| flag(p == Priority::Emergency);
        "AcknowledgeInMinutes" Int => |_, p| int(p.due_minutes() / 8);
        "RespondInMinutes" Int => |_, p| int(p.due_minutes() / 2);
        "DueInMinutes" Int => |_, p| int(p.due_minutes());
        "Id" Int => |_, p| int(priority_id(p));
    },
};

pub(in crate::corrigo) const WORK_ORDER_TYPE: Schema = Schema {
    name: "WorkOrderType",
    rows: |_| SUBTYPES.iter().map(|row| Key::of(row.0)).collect(),
    unstable: "TypeId",
    fields: fields! { subtype;
        "DisplayAs" Text => |_, (_, name, _, _)| text(name);
        "TypeId" Enum(enums::WO_TYPE) => |_, (_, _, kind, _)| text(kind);
        "Abbr" Text => |_, (_, _, _, short)| text(short);
        "IsDefSR" Bool => |_, (id, _, _, _)| flag(id == 259);
        "IsDefBasic" Bool => |_, (id, _, _, _)| flag(id == 1);
        "IsRemoved" Bool => |_, _| flag(false);
        "ConcurrencyId" Int => |_, _| int(1);
        "Id" Int => |_, (id, _, _, _)| int(id);
    },
};

pub(in crate::corrigo) const REASON: Schema = Schema {
    name: "WoActionReasonLookup",
    rows: |_| {
        let mut rows = keys(HOLD_BASE, HOLD_REASONS.len());
        rows.extend(keys(CANCEL_BASE, CANCEL_REASONS.len()));
        rows
    },
    unstable: "ActionId",
    fields: fields! { reason;
        "DisplayAs" Text => |_, (_, name, _, _)| text(name);
        "ActionId" Enum(enums::WO_ACTION_TYPE) => |_, (_, _, action, _)| text(action);
        "ReasonId" Int => |_, (_, _, _, code)| int(code);
        "Hide" Bool => |_, _| flag(false);
        "Descr" Text => |_, _| text("");
        "IsRemoved" Bool => |_, _| flag(false);
        "ConcurrencyId" Int => |_, _| int(1);
        "Id" Int => |_, (id, _, _, _)| int(id);
    },
};

pub(in crate::corrigo) const TASK: Schema = Schema {
    name: "Task",
    rows: |_| {
        CATEGORIES
            .iter()
            .flat_map(|category| category.tasks)
            .map(|task| Key::of(task.id))
            .collect()
    },
    unstable: "",
    fields: fields! { task;
        "ModelId" Int => |_, (category, _)| int(category.id);
        "DisplayAs" Text => |_, (_, task)| text(task.name);
        "Preventive" Bool => |_, (_, task)| flag(task.preventive);
        "Routine" Bool => |_, _| flag(false);
        "Corrective" Bool => |_, (_, task)| flag(!task.preventive);
        "Default" Bool => |_, _| flag(false);
        "Symptom" Bool => |_, _| flag(false);
        "CompletionTime" Int => |_, (_, task)| int(task.minutes);
        "Specialty" Ref(Entity::Specialty) => |_, (category, _)| link(category.trade + 1);
        "Instructions" Text => |_, (_, task)| text(if task.preventive { task.symptoms[0] } else { "" });
        "SelfHelpContent" Text => |_, _| text("");
        "PeopleRequired" Int => |_, _| int(1);
        "SkillLevel" Int => |_, _| Value::NullInt;
        "GlAccount" Text => |_, _| text("");
        "Number" Text => |_, (_, task)| owned(format!("T{}", task.id));
        "ChargeCode" Ref(Entity::ChargeCodeLookup) => |_, _| Value::Missing;
        "IsRemoved" Bool => |_, _| flag(false);
        "ConcurrencyId" Int => |_, _| int(1);
        "Id" Int => |_, (_, task)| int(task.id);
    },
};

pub(in crate::corrigo) const SPECIALTY: Schema = Schema {
    name: "Specialty",
    rows: |_| keys(1, TRADES.len()),
    unstable: "",
    fields: fields! { specialty;
        "DisplayAs" Text => |_, (_, name)| text(name);
        "WONServiceId" Int => |_, _| Value::NullInt;
        "Instructions" Text => |_, _| text("");
        "IsNteAuto" Bool => |_, _| Value::Missing;
        "IsRemoved" Bool => |_, _| flag(false);
        "ConcurrencyId" Int => |_, _| int(1);
        "Id" Int => |_, (id, _)| int(id);
    },
};

pub(in crate::corrigo) const CUSTOM_FIELD: Schema = Schema {
    name: "CustomField2",
    rows: |t| {
        t.plant()
            .work_orders
            .iter()
            .flat_map(custom_fields)
            .collect()
    },
    unstable: "ObjectTypeId",
    fields: fields! { custom_field;
        "Descriptor" Ref(Entity::CustomFieldDescriptor) => |_, (_, descriptor, _)| link(descriptor);
        "ObjectId" Int => |_, (order, _, _)| int(order.id);
        "ObjectTypeId" Enum(enums::ACTOR_TYPE) => |_, _| text("WO");
        "Value" Text => |_, (_, _, value)| owned(value);
        "CurrencyTypeId" Enum(enums::CURRENCY) => |_, _| text("Unknown");
        "Id" Int => |_, (order, descriptor, _)| int(order.id * 4 + descriptor);
    },
};

pub(in crate::corrigo) const CUSTOM_FIELD_DESCRIPTOR: Schema = Schema {
    name: "CustomFieldDescriptor",
    rows: |_| keys(1, 2),
    unstable: "Type",
    fields: fields! { descriptor;
        "ActorTypeId" Enum(enums::ACTOR_TYPE) => |_, _| text("WO");
        "Length" Int => |_, _| int(256);
        "Type" Enum(enums::FIELD_TYPE) => |_, (_, _, kind)| text(kind);
        "SharedWithProvider" Enum(enums::SHARING) => |_, _| text("None");
        "SharedByRequestor" Enum(enums::SHARING) => |_, _| text("None");
        "CpnRequestorId" Int => |_, _| Value::NullInt;
        "Name" Text => |_, (_, name, _)| text(name);
        "IsRemoved" Bool => |_, _| flag(false);
        "ConcurrencyId" Int => |_, _| int(1);
        "Id" Int => |_, (id, _, _)| int(id);
    },
};
