//! Entities that other ones refer to and of which this tenant has no rows, so that paths into them are no errors.

use super::super::{
    enums,
    schema::{
        Entity, Field,
        Kind::{self, Bool, Date, Decimal, Enum, Int, Many, Money, Ref, Text},
        Schema,
    },
    value::Value,
};

const fn absent(name: &'static str, kind: Kind) -> Field {
    Field {
        name,
        kind,
        get: |_, _| Value::Missing,
    }
}

macro_rules! empty {
    ($($constant:ident $name:literal { $($field:literal $kind:expr),* $(,)? })*) => {
        $(pub(in crate::corrigo) const $constant: Schema = Schema {
            name: $name,
            rows: |_| Vec::new(),
            unstable: "",
            fields: &[$(absent($field, $kind),)* absent("Id", Int)],
        };)*
    };
}

empty! {
    CONTACT "Contact" {
        "DisplayAs" Text, "FirstName" Text, "LastName" Text, "CustomerId" Int, "CanViewAnyRequest" Bool,
        "CanCreateRequest" Bool, "PriorityThreshold" Int, "CustomFields" Many(Entity::CustomField2),
        "ContactAddresses" Many(Entity::ContactInfo), "Username" Text, "Number" Text, "MustResetPassword" Bool,
        "NoAlertEmails" Bool, "Comment" Text, "UnlimitedRequest" Bool, "UnlimitedAuthorization" Bool,
        "SupervisorId" Int, "LanguageId" Int, "NoPwdExpirationAlert" Bool, "IsRemoved" Bool, "ConcurrencyId" Int,
    }
    REPAIR_CODE "RepairCode" {
        "DisplayAs" Text, "ParentId" Int, "IsRemoved" Bool, "ConcurrencyId" Int,
    }
    DISPOSITION "Disposition" {
        "DisplayAs" Text, "IsCompleted" Bool, "IsCancelled" Bool, "OnCreate" Bool, "OnComplete" Bool,
        "OnCancel" Bool, "IsRemoved" Bool, "ConcurrencyId" Int,
    }
    WO_FLAG "WoFlag" {
        "WoId" Int, "FlagId" Int, "UtcStamp" Date, "Comment" Text, "ConcurrencyId" Int,
    }
    WO_VERIFICATION "WoVerification" {
        "Idx" Int, "WorkOrderId" Int, "Comment" Text, "EditedDate" Date, "Actor" Ref(Entity::Actor),
        "ConcurrencyId" Int,
    }
    WO_ON_SITE "WoOnSite" {
        "WorkOrderId" Int, "EmployeeId" Int, "TimeZone" Int, "DtCheckIn" Date, "InLatitude" Decimal,
        "InLongitude" Decimal, "DtCheckOut" Date, "OutLatitude" Decimal, "OutLongitude" Decimal, "ConcurrencyId" Int,
    }
    WO_QUOTE "WoQuote" {
        "WoId" Int, "CurrencyTypeId" Enum(enums::CURRENCY), "Amount" Money, "Description" Text, "Reason" Text,
        "IsMultiline" Bool, "ConcurrencyId" Int,
    }
    WO_ESTIMATE "WoEstimate" {
        "WorkOrderId" Int, "CurrencyTypeId" Enum(enums::CURRENCY), "Amount" Money, "Comment" Text, "Reason" Text,
        "ContactId" Int, "ContactName" Text, "IsMultiline" Bool, "ConcurrencyId" Int,
    }
    WO_EQUIPMENT "WoEquipment" {
        "WoId" Int, "Asset" Ref(Entity::Location), "Comment" Text, "RefrigerantUsed" Bool, "ConcurrencyId" Int,
    }
    DOCUMENT "Document" {
        "ActorId" Int, "ActorTypeId" Enum(enums::ACTOR_TYPE), "Description" Text, "Title" Text,
        "DocType" Ref(Entity::DocumentType), "EndDate" Date, "StartDate" Date, "UpdatedDate" Date, "ExtensionId" Int,
        "IsShared" Bool, "IsPublic" Bool, "DocUrl" Text, "MimeType" Text, "UpdatedBy" Ref(Entity::Actor),
        "WonId" Int, "WonMemberId" Int, "ConcurrencyId" Int,
    }
    DOCUMENT_TYPE "DocumentType" {
        "Description" Text, "DisplayAs" Text, "ConcurrencyId" Int,
    }
    INVOICE_ITEM "InvoiceDictionaryItem" {
        "DisplayAs" Text, "Descr" Text, "CostCategory" Enum(enums::COST_CATEGORY), "GlExpense" Text, "GlIncome" Text,
        "IsRemoved" Bool, "ConcurrencyId" Int,
    }
    LABOR_CODE "LaborCode" {
        "InvoiceItem" Ref(Entity::InvoiceDictionaryItem), "Description" Text, "DisplayAs" Text, "IsDefault" Bool,
        "ShowForWo" Bool, "IsTimeCard" Bool, "IsProductive" Bool, "IsPaid" Bool, "ExternalCode" Text, "Rate" Decimal,
        "CurrencyTypeId" Enum(enums::CURRENCY), "IsRemoved" Bool, "ConcurrencyId" Int,
    }
    BILL_TO_OPTION "BillToOption" {
        "DisplayAs" Text, "Code" Text,
    }
    CHARGE_CODE "ChargeCodeLookup" {
        "DisplayAs" Text, "Code" Text, "IsRemoved" Bool, "ConcurrencyId" Int,
    }
    BILLING_ACCOUNT "BillingAccount" {
        "DisplayAs" Text, "IsBillAcct" Bool, "Number" Text, "PaymentTerms" Text, "PaymentNumberOfDays" Int,
        "IsCreditHold" Bool, "SalesRep" Text, "IsTaxExempt" Bool, "Balance" Decimal,
        "CurrencyTypeId" Enum(enums::CURRENCY), "CustomFields" Many(Entity::CustomField2), "IsRemoved" Bool,
        "ConcurrencyId" Int,
    }
}
