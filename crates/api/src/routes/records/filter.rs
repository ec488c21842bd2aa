//! What records are listed and how much of them is shown: parameters, and what is read from them.

use std::collections::BTreeSet;

use wrenchtime_model::{FieldKind, Resource};
use wrenchtime_service::storage::{Range, RecordFilter};

use crate::parameter::{Kind, Parameter, Query};
use crate::problem::Problem;
use crate::reply::Shown;
use crate::routes::{cursor, limit};

const ENVELOPE: [&str; 9] = [
    "id",
    "remote_id",
    "connection_id",
    "created_at",
    "modified_at",
    "remote_created_at",
    "remote_modified_at",
    "deleted",
    "sequence",
];

/// The stretches of time that lists are filtered by: name, what it means, by whose clock, and the field it needs.
const INSTANTS: [(&str, &str, &str, Option<&str>); 6] = [
    (
        "modified_after",
        "modified_before",
        "when its content last changed here, by Wrenchtime's clock",
        None,
    ),
    (
        "created_after",
        "created_before",
        "when it was first stored here, by Wrenchtime's clock",
        None,
    ),
    (
        "remote_modified_after",
        "remote_modified_before",
        "when the source says that it last changed, by the source's clock",
        None,
    ),
    (
        "remote_created_after",
        "remote_created_before",
        "when the source says that it was made, by the source's clock",
        None,
    ),
    (
        "due_after",
        "due_before",
        "when it is due, as the source says",
        Some("due_at"),
    ),
    (
        "completed_after",
        "completed_before",
        "when it was completed, as the source says",
        Some("completed_at"),
    ),
];

const DATES: [(&str, &str, &str, &str); 2] = [
    (
        "order_date_after",
        "order_date_before",
        "the day on which it was ordered, in no time zone",
        "order_date",
    ),
    (
        "delivery_date_after",
        "delivery_date_before",
        "the day on which it is to arrive, in no time zone",
        "delivery_date",
    ),
];

pub(super) fn list_parameters(resource: Resource) -> Vec<Parameter> {
    let mut parameters = Vec::new();
    let mut stretch = |after, before, kind: Kind, what: &str| {
        parameters.push(Parameter::new(
            after,
            kind.clone(),
            format!("From this one on, itself included: {what}."),
        ));
        parameters.push(Parameter::new(
            before,
            kind,
            format!("Before this one: {what}."),
        ));
    };
    for (after, before, what, field) in INSTANTS {
        if field.is_none_or(|field| kind_of(resource, field).is_some()) {
            stretch(after, before, Kind::Instant, what);
        }
    }
    for (after, before, what, field) in DATES {
        if kind_of(resource, field).is_some() {
            stretch(after, before, Kind::Date, what);
        }
    }
    let statuses = statuses(resource);
    if !statuses.is_empty() {
        parameters.push(Parameter::new(
            "status",
            Kind::List(statuses),
            "Only those with one of these statuses.",
        ));
    }
    if kind_of(resource, "asset").is_some() {
        parameters.push(Parameter::new(
            "asset_id",
            Kind::Uuid,
            "Only those about this asset.",
        ));
    }
    parameters.extend([
        Parameter::new(
            "remote_id",
            Kind::Text,
            "Only the one with this key at the source.",
        ),
        Parameter::new(
            "include_deleted",
            Kind::Flag,
            "Records that are gone are listed as well. Always so with `modified_after`.",
        ),
        include(&["raw"]),
        fields(resource),
        limit(),
        cursor(),
    ]);
    parameters
}

pub(super) fn include(what: &[&str]) -> Parameter {
    let names = what.iter().map(|name| (*name).to_owned()).collect();
    let description = match what {
        ["raw"] => "`raw` adds the source's own document, verbatim.",
        _ => "`record` adds the record as it is now.",
    };
    Parameter::new("include", Kind::List(names), description)
}

pub(super) fn fields(resource: Resource) -> Parameter {
    Parameter::new(
        "fields",
        Kind::List(field_names(resource)),
        "Only these members of each record, and its id.",
    )
}

fn field_names(resource: Resource) -> Vec<String> {
    let own = resource.fields().iter().map(|field| field.name.as_str());
    let mut seen = BTreeSet::new();
    ENVELOPE
        .into_iter()
        .chain(own)
        .chain(["custom_fields", "data_issues"])
        .filter(|name| seen.insert(*name))
        .map(str::to_owned)
        .collect()
}

fn kind_of(resource: Resource, field: &str) -> Option<&'static FieldKind> {
    resource
        .fields()
        .iter()
        .find(|one| one.name == field)
        .map(|one| &one.kind)
}

fn statuses(resource: Resource) -> Vec<String> {
    match kind_of(resource, "status") {
        Some(FieldKind::Choice(names)) => names.clone(),
        _ => Vec::new(),
    }
}

pub(super) fn record_filter(query: &Query, resource: Resource) -> Result<RecordFilter, Problem> {
    let instants = |after: &str, before: &str| {
        Ok::<_, Problem>(Range {
            from: query.instant_from(after)?,
            before: query.instant_before(before)?,
        })
    };
    let dates = |after: &str, before: &str| {
        Ok::<_, Problem>(Range {
            from: query.date(after)?,
            before: query.date(before)?,
        })
    };
    Ok(RecordFilter {
        modified: instants("modified_after", "modified_before")?,
        created: instants("created_after", "created_before")?,
        remote_modified: instants("remote_modified_after", "remote_modified_before")?,
        remote_created: instants("remote_created_after", "remote_created_before")?,
        due: instants("due_after", "due_before")?,
        completed: instants("completed_after", "completed_before")?,
        order_date: dates("order_date_after", "order_date_before")?,
        delivery_date: dates("delivery_date_after", "delivery_date_before")?,
        status: query.list("status", &statuses(resource))?,
        asset_id: query.parsed("asset_id", "a UUID")?,
        remote_id: query.text("remote_id").map(str::to_owned),
    })
}

pub(super) fn shown(query: &Query, resource: Resource) -> Result<Shown, Problem> {
    Ok(Shown {
        fields: query.list("fields", &field_names(resource))?,
        raw: !query.list("include", &["raw".to_owned()])?.is_empty(),
    })
}
