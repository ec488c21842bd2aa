//! Costs of work orders and the vendor's invoice for them.

use rust_decimal::Decimal;

use super::super::{
    enums,
    schema::{
        Entity,
        Kind::{Bool, Date, Decimal as Number, Enum, Int, Many, Money, Ref, Text},
        Schema, fields,
    },
    tenant::{CostLine, Tenant},
    value::{Key, Value, children, flag, int, link, local, owned, row, text},
};
use crate::plant::{Status, WorkOrder};

/// How the log names a change of costs.
pub(super) const ACTION: &str = "CostStatus";

/// Name, state, whether ready for export; the Id is the index from 1.
const AP_STATES: &[(&str, &str)] = &[
    ("None", "None"),
    ("Received", "Received"),
    ("Paid", "Paid"),
    ("Waiting for approval", "Waiting"),
    ("Authorized", "Authorized"),
    ("Exported", "Exported"),
    ("Disputed", "Disputed"),
];

pub(in crate::corrigo) const WORK_ORDER_COST: Schema = Schema {
    name: "WorkOrderCost",
    rows: |t| {
        t.plant()
            .work_orders
            .iter()
            .map(|row| Key::of(row.id))
            .collect()
    },
    unstable: "ApStateId",
    fields: fields! { work_order;
        "Id" Int => |_, w| int(w.id);
        "CurrencyTypeId" Enum(enums::CURRENCY) => |t, w| text(t.currency(w.site));
        "BillToOption" Ref(Entity::BillToOption) => |_, _| Value::Missing;
        "CostsTotal" Money => |t, w| money(t, w, w.total_cost());
        "ApStateId" Enum(enums::AP_STATE) => |_, w| text(AP_STATES[ap_state(w) as usize].1);
        "ApStatusId" Int => |_, w| int(ap_state(w) + 1);
        "JobCode" Text => |_, _| text("");
        "AuthorizationCode" Text => |_, w| owned(format!("A{:07}", w.id));
        "CheckNumber" Text => |_, _| text("");
        "PaymentAmount" Money => |t, w| money(t, w, Decimal::ZERO);
        "PaymentNotes" Text => |_, _| text("");
        "CheckCutDate" Date => |_, _| Value::Missing;
        "CheckClearDate" Date => |_, _| Value::Missing;
        "GlAccount" Text => |_, _| text("6100");
        "Number" Text => |_, w| if invoiced(w) { owned(format!("INV-{}", 70_000 + w.id)) } else { text("") };
        "VendorInvoiceDate" Date => |t, w| invoice_date(t, w);
        "VendorInvoiceReceivedDate" Date => |t, w| invoice_date(t, w);
        "VendorInvoiceTotal" Money => |t, w| money(t, w, w.contractor_cost.unwrap_or_default());
        "IsPreBilled" Bool => |_, _| flag(false);
        "ExpensesTotal" Money => |t, w| money(t, w, Decimal::ZERO);
        "BillingRule" Enum(enums::BILLING_RULE) => |_, _| text("NotBilled");
        "TaxStatus" Enum(enums::TAX_VALIDATION) => |_, _| text("None");
        "CustomerNte" Money => |t, w| money(t, w, Decimal::ZERO);
        "Items" Many(Entity::FinancialItem) => |_, w| children(w.id, Tenant::cost_line_count(w));
        "ServiceFeesTotal" Money => |t, w| money(t, w, Decimal::ZERO);
        "CostStatusId" Int => |_, _| int(1);
        "CostState" Enum(enums::COST_STATE) => |_, w| text(if w.status == Status::Completed { "Approved" } else { "Pending" });
        "ChargeCode" Ref(Entity::ChargeCodeLookup) => |_, _| Value::Missing;
        "BillingAccount" Ref(Entity::BillingAccount) => |_, _| Value::Missing;
        "ExternalId" Text => |_, _| text("");
        "ConcurrencyId" Int => |_, w| int(w.revision);
    },
};

fn money<'a>(tenant: &'a Tenant, order: &WorkOrder, value: Decimal) -> Value<'a> {
    Value::Money(value.round_dp(2), tenant.currency(order.site))
}

fn invoiced(order: &WorkOrder) -> bool {
    order.contractor_cost.is_some() && order.status == Status::Completed
}

/// Returns the index of the state of the vendor's invoice.
fn ap_state(order: &WorkOrder) -> u32 {
    if !invoiced(order) {
        return 0;
    }
    match order.id % 8 {
        0 => 3,
        1 => 4,
        2 => 1,
        _ => 2,
    }
}

fn invoice_date<'a>(tenant: &'a Tenant, order: &WorkOrder) -> Value<'a> {
    let at = order.completed_at.filter(|_| invoiced(order));
    at.map_or(Value::Missing, |at| local(at, tenant.zone(order.site)))
}

pub(in crate::corrigo) const FINANCIAL_ITEM: Schema = Schema {
    name: "FinancialItem",
    rows: |t| {
        let lines = |w: &WorkOrder| match children(w.id, Tenant::cost_line_count(w)) {
            Value::Rows(keys) => keys,
            _ => Vec::new(),
        };
        t.plant().work_orders.iter().flat_map(lines).collect()
    },
    unstable: "CostCategoryId",
    fields: fields! { numbered_cost_line;
        "WoId" Int => |_, (w, _, _)| int(w.id);
        "CurrencyTypeId" Enum(enums::CURRENCY) => |t, (w, _, _)| text(t.currency(w.site));
        "Comment" Text => |_, (_, line, _)| text(if matches!(line, CostLine::Contractor(_)) { "Vendor invoice" } else { "" });
        "Amount" Money => |t, (w, line, _)| money(t, w, amount(line));
        "CostCategoryId" Enum(enums::COST_CATEGORY) => |_, (_, line, _)| text(category(line));
        "Rate" Money => |t, (w, line, _)| money(t, w, rate(line));
        "StartDate" Date => |t, (w, line, _)| match line {
            CostLine::Labour(labour) => local(labour.started_at, t.zone(w.site)),
            CostLine::Part(_) | CostLine::Contractor(_) => Value::Missing,
        };
        "Duration" Int => |_, (_, line, _)| minutes(line);
        "InvoiceItem" Ref(Entity::InvoiceDictionaryItem) => |_, _| Value::Missing;
        "Exclude" Bool => |_, _| flag(false);
        "RuleModification" Enum(enums::COST_EXCLUSION) => |_, _| Value::Missing;
        "Product" Ref(Entity::Product) => |_, (_, line, _)| match line {
            CostLine::Part(part) => link(part.part),
            CostLine::Labour(_) | CostLine::Contractor(_) => Value::Missing,
        };
        "Employee" Ref(Entity::Employee) => |_, (w, line, _)| row(match line {
            CostLine::Labour(labour) => Some(Key::of(labour.person)),
            CostLine::Contractor(_) => w.assignee.map(Key::of),
            CostLine::Part(_) => None,
        });
        "Quantity" Number => |_, (_, line, _)| Value::Decimal(quantity(line));
        "LaborCode" Ref(Entity::LaborCode) => |_, _| Value::Missing;
        "TypeId" Enum(enums::COST_LINE_TYPE) => |_, (_, line, _)| text(if matches!(line, CostLine::Contractor(_)) { "Vendor" } else { "Cost" });
        "TaxAmount" Money => |t, (w, _, _)| money(t, w, Decimal::ZERO);
        "WithholdingTaxRate" Number => |_, _| Value::Decimal(Decimal::ZERO);
        "WithholdingTaxRateUndefined" Bool => |_, _| flag(true);
        "StockLocation" Ref(Entity::StockLocation) => |_, _| Value::Missing;
        "NonBillable" Bool => |_, _| Value::Missing;
        "MerchantName" Text => |_, _| text("");
        "CheckForNonBillable" Bool => |_, _| flag(false);
        "ConcurrencyId" Int => |_, _| int(1);
        "Id" Int => |_, (w, _, sub)| int(w.id * 16 + sub + 1);
    },
};

impl Tenant {
    fn numbered_cost_line(&self, key: Key) -> Option<(&WorkOrder, CostLine<'_>, u32)> {
        self.cost_line(key)
            .map(|(order, line)| (order, line, key.sub))
    }
}

fn quantity(line: CostLine<'_>) -> Decimal {
    match line {
        CostLine::Labour(labour) => labour.hours,
        CostLine::Part(part) => part.quantity,
        CostLine::Contractor(_) => Decimal::ONE,
    }
}

fn rate(line: CostLine<'_>) -> Decimal {
    match line {
        CostLine::Labour(labour) => labour.rate,
        CostLine::Part(part) => part.unit_cost,
        CostLine::Contractor(amount) => amount,
    }
}

fn amount(line: CostLine<'_>) -> Decimal {
    quantity(line) * rate(line)
}

fn category(line: CostLine<'_>) -> &'static str {
    match line {
        CostLine::Labour(_) => "Labor",
        CostLine::Part(_) => "Material",
        CostLine::Contractor(_) => "Vendor",
    }
}

fn minutes(line: CostLine<'_>) -> Value<'static> {
    match line {
        CostLine::Labour(labour) => {
            let minutes = (labour.hours * Decimal::from(60)).trunc().mantissa();
            u32::try_from(minutes).map_or(Value::NullInt, int)
        }
        CostLine::Part(_) | CostLine::Contractor(_) => Value::NullInt,
    }
}

pub(in crate::corrigo) const AP_INVOICE_STATUS: Schema = Schema {
    name: "ApInvoiceStatus",
    rows: |_| {
        (1_u32..)
            .zip(AP_STATES)
            .map(|(id, _)| Key::of(id))
            .collect()
    },
    unstable: "ApStateId",
    fields: fields! { ap_status;
        "DisplayAs" Text => |_, (_, name, _)| text(name);
        "Description" Text => |_, _| text("");
        "ForecastGroupId" Enum(enums::FORECAST) => |_, _| text("None");
        "ApStateId" Enum(enums::AP_STATE) => |_, (_, _, state)| text(state);
        "ReadyForExport" Bool => |_, (_, _, state)| flag(state == "Authorized");
        "SetOnExport" Bool => |_, (_, _, state)| flag(state == "Exported");
        "ChildWoDefault" Bool => |_, (_, _, state)| flag(state == "None");
        "IsRemoved" Bool => |_, _| flag(false);
        "ConcurrencyId" Int => |_, _| int(1);
        "Id" Int => |_, (id, _, _)| int(id);
    },
};

impl Tenant {
    #[expect(
        clippy::unused_self,
        reason = "properties find their rows through the tenant, whatever the entity"
    )]
    fn ap_status(&self, key: Key) -> Option<(u32, &'static str, &'static str)> {
        let (name, state) = AP_STATES.get((key.id as usize).checked_sub(1)?)?;
        Some((key.id, name, state))
    }
}
