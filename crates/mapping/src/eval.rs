//! From a document to its records, by what was compiled.

mod issues;
mod scalar;
mod structured;

use std::ops::ControlFlow;

use serde_json::value::RawValue;
use wrenchtime_connector::{Document, MapError, Mapped, RemoteKey, Value};
use wrenchtime_model::{ConnectionId, Facets, RecordId, Timestamp};

use crate::path::Scope;
use crate::rule::{Condition, EntityMap, Facet, Rule, Scalar, ScalarRule, Target};
use issues::{Issues, Place};

/// Maps a document by the maps of its entity. The first of them that makes a record with some id makes it; two
/// records with one id could not be told apart.
pub(crate) fn records(
    maps: &[EntityMap],
    connection: ConnectionId,
    document: &Document,
) -> Result<Vec<Mapped>, MapError> {
    let error = |reason: String| MapError { reason };
    let body = Value::parse(document.body.get());
    let body = body.filter(|body| matches!(body, Value::Object(_)));
    let body = body.ok_or_else(|| error("the document is no object".to_owned()))?;
    let scope = Scope::of_document(&body);
    let mut records: Vec<Mapped> = Vec::with_capacity(1);
    for map in maps {
        if !map.when.iter().all(|condition| condition.holds(scope)) {
            continue;
        }
        let key = map.key_of(document, scope).map_err(error)?;
        let id = RecordId::derive(connection, &map.class, key.as_str());
        if !records.iter().any(|record| record.id == id) {
            records.push(record(map, (id, key), connection, scope).map_err(error)?);
        }
    }
    Ok(records)
}

impl EntityMap {
    fn key_of(&self, document: &Document, scope: Scope<'_, '_>) -> Result<RemoteKey, String> {
        let Some(path) = &self.key else {
            let blank = document.key.as_str().trim().is_empty();
            return if blank {
                Err("the key is blank".to_owned())
            } else {
                Ok(document.key.clone())
            };
        };
        match path.first(scope).and_then(Value::as_text) {
            Some(key) => Ok(RemoteKey::new(key)),
            None => Err(format!(
                "the key at `{}` is missing or blank",
                path.as_str()
            )),
        }
    }
}

fn record(
    map: &EntityMap,
    (id, key): (RecordId, RemoteKey),
    connection: ConnectionId,
    scope: Scope<'_, '_>,
) -> Result<Mapped, String> {
    let mut run = Run::new(connection);
    let created = run.instant(map.remote_created_at.as_ref(), scope, "remote_created_at");
    let modified = run.instant(map.remote_modified_at.as_ref(), scope, "remote_modified_at");
    run.out.push('{');
    run.members(&map.fields, scope, None);
    run.custom_fields(&map.custom_fields, scope);
    run.data_issues();
    run.out.push('}');
    // Never seen to fail; checked because a raw value may hold nothing but JSON.
    let content =
        RawValue::from_string(run.out).map_err(|_| "the record cannot be written".to_owned())?;
    let mut mapped = Mapped::new(id, map.resource, key, content);
    mapped.remote_created_at = created;
    mapped.remote_modified_at = modified;
    mapped.facets = run.facets;
    Ok(mapped)
}

impl Condition {
    pub(crate) fn holds(&self, scope: Scope<'_, '_>) -> bool {
        let any_of = |texts: &[String]| {
            let mut found = false;
            let _stopped = self.path.visit(scope, &mut |value| {
                found = value
                    .as_text()
                    .is_some_and(|text| texts.iter().any(|one| one == text));
                if found {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            });
            found
        };
        self.within.as_deref().is_none_or(any_of)
            && !self.without.as_deref().is_some_and(any_of)
            && self
                .present
                .is_none_or(|wanted| self.path.first(scope).is_some() == wanted)
    }
}

/// One record in the making.
struct Run {
    connection: ConnectionId,
    out: String,
    issues: Issues,
    facets: Facets,
}

impl Run {
    fn new(connection: ConnectionId) -> Self {
        Self {
            connection,
            out: String::with_capacity(1024),
            issues: Issues::default(),
            facets: Facets::default(),
        }
    }

    fn instant(
        &mut self,
        rule: Option<&ScalarRule>,
        scope: Scope<'_, '_>,
        name: &str,
    ) -> Option<Timestamp> {
        let mut instant = None;
        let place = Place::field(None, name);
        self.scalar(rule?, scope, &place, |_, scalar| {
            if let Scalar::Instant(at) = scalar {
                instant = Some(at);
            }
        });
        instant
    }

    /// Writes the members of an object, without its braces. Returns whether there are any.
    fn members(
        &mut self,
        targets: &[Target],
        scope: Scope<'_, '_>,
        parent: Option<&Place<'_>>,
    ) -> bool {
        let start = self.out.len();
        for target in targets {
            let mark = self.out.len();
            if mark > start {
                self.out.push(',');
            }
            self.out.push_str(&target.key);
            if !self.field(target, scope, &Place::field(parent, &target.name)) {
                self.out.truncate(mark);
            }
        }
        self.out.len() > start
    }

    /// Writes one value. Returns false when there is none; what was written then is taken back by the caller.
    fn field(&mut self, target: &Target, scope: Scope<'_, '_>, place: &Place<'_>) -> bool {
        match &target.rule {
            Rule::Scalar(rule) => self.scalar(rule, scope, place, |run, scalar| {
                if let Some(facet) = target.facet {
                    run.keep(facet, &scalar);
                }
                scalar.push_json(&mut run.out);
            }),
            Rule::Position => {
                self.out.push_str(&scope.position.to_string());
                true
            }
            Rule::Money(rule) => self.money(rule, scope, place),
            Rule::Quantity(rule) => self.quantity(rule, scope, place),
            Rule::Texts(source) => self.texts(source, scope, place),
            Rule::Links(source, link) => self.links(source, link, scope, place),
            Rule::Lines(rule) => self.lines(rule, scope, place),
            Rule::Object(rule) => self.object(rule, scope, place),
            Rule::Json(source) => self.json(source, scope, place),
        }
    }

    fn keep(&mut self, facet: Facet, scalar: &Scalar<'_>) {
        let facets = &mut self.facets;
        match (facet, scalar) {
            (Facet::Status, Scalar::Text(status)) => {
                facets.status = Some(status.clone().into_owned())
            }
            (Facet::Asset, Scalar::Link(id, _)) => facets.asset_id = Some(*id),
            (Facet::DueAt, Scalar::Instant(at)) => facets.due_at = Some(*at),
            (Facet::CompletedAt, Scalar::Instant(at)) => facets.completed_at = Some(*at),
            (Facet::OrderDate, Scalar::Day(day)) => facets.order_date = Some(*day),
            (Facet::DeliveryDate, Scalar::Day(day)) => facets.delivery_date = Some(*day),
            _ => {}
        }
    }

    fn custom_fields(&mut self, targets: &[Target], scope: Scope<'_, '_>) {
        let mark = self.out.len();
        self.next_member("\"custom_fields\":{");
        if self.members(targets, scope, Some(&Place::field(None, "custom_fields"))) {
            self.out.push('}');
        } else {
            self.out.truncate(mark);
        }
    }

    fn data_issues(&mut self) {
        if !self.issues.is_empty() {
            self.next_member("\"data_issues\":");
            self.issues.push_json(&mut self.out);
        }
    }

    /// Begins a further member of the record.
    fn next_member(&mut self, text: &str) {
        if !self.out.ends_with('{') {
            self.out.push(',');
        }
        self.out.push_str(text);
    }
}
