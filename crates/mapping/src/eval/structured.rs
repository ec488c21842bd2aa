//! Values of several parts: money, quantities, lists, objects.

use std::collections::HashSet;
use std::ops::ControlFlow;

use rust_decimal::Decimal;
use wrenchtime_connector::Value;
use wrenchtime_model::IssueCode;

use super::Run;
use super::issues::Place;
use super::scalar::Outcome;
use crate::compile::is_currency;
use crate::convert::push_decimal;
use crate::path::Scope;
use crate::rule::{
    LinesRule, LinkRule, MoneyRule, ObjectRule, QuantityRule, Scalar, Source, TextFrom,
};
use crate::write::{push_text, push_value};

impl TextFrom {
    /// Returns the value, and the text if it is one.
    fn find<'v>(&'v self, scope: Scope<'v, '_>, object: &'v Value<'_>) -> Option<&'v str> {
        match self {
            Self::Nowhere => None,
            Self::Constant(text) => Some(text),
            Self::Scope(path) => path.first(scope)?.as_text(),
            Self::Object(path) => path.first(scope.of_item(object, scope.position))?.as_text(),
        }
    }
}

impl Run {
    pub(super) fn money(
        &mut self,
        rule: &MoneyRule,
        scope: Scope<'_, '_>,
        place: &Place<'_>,
    ) -> bool {
        let Some(found) = rule.source.first(scope) else {
            return false;
        };
        let amount = match &rule.amount {
            Some(path) => path.first(scope.of_item(found, scope.position)),
            None => Some(found),
        };
        let Some(amount) = amount else {
            // An object that lacks the amount tells nothing; what is no object cannot be read.
            if !matches!(found, Value::Object(_)) {
                self.issues.add(place, IssueCode::Unreadable, found);
            }
            return false;
        };
        let Some(number) = self.decimal(&rule.source, amount, place) else {
            return false;
        };
        self.out.push_str("{\"amount\":");
        push_decimal(&mut self.out, number);
        if let Some(text) = rule.currency.find(scope, found) {
            self.currency(rule, text, &Place::field(Some(place), "currency"));
        }
        self.out.push('}');
        true
    }

    fn currency(&mut self, rule: &MoneyRule, text: &str, place: &Place<'_>) {
        let code = rule.currencies.as_ref().and_then(|map| map.get(text));
        let code = code.unwrap_or(text).to_ascii_uppercase();
        if is_currency(&code) {
            self.out.push_str(",\"currency\":");
            push_text(&mut self.out, &code);
        } else {
            self.issues.add_raw(place, IssueCode::UnmappedValue, text);
        }
    }

    pub(super) fn quantity(
        &mut self,
        rule: &QuantityRule,
        scope: Scope<'_, '_>,
        place: &Place<'_>,
    ) -> bool {
        let Some(found) = rule.source.first(scope) else {
            return false;
        };
        let Some(number) = self.decimal(&rule.source, found, place) else {
            return false;
        };
        self.out.push_str("{\"value\":");
        push_decimal(&mut self.out, number);
        if let Some(unit) = rule.unit.find(scope, found) {
            self.out.push_str(",\"unit\":");
            push_text(&mut self.out, unit);
        }
        self.out.push('}');
        true
    }

    fn decimal(
        &mut self,
        source: &Source,
        found: &Value<'_>,
        place: &Place<'_>,
    ) -> Option<Decimal> {
        let mut number = None;
        self.converted(source, found, place, |run, value| {
            number = value.as_decimal();
            if number.is_none() {
                run.issues.add(place, IssueCode::Unreadable, found);
            }
            number.is_some()
        });
        number
    }

    pub(super) fn texts(
        &mut self,
        source: &Source,
        scope: Scope<'_, '_>,
        place: &Place<'_>,
    ) -> bool {
        let mut written = 0;
        self.out.push('[');
        source.each(scope, &mut |found| {
            let place = Place::item(place, written);
            let is_text = self.converted(source, found, &place, |run, value| {
                let outcome = match value.as_text() {
                    Some(text) => Outcome::Value(Scalar::Text(text.into())),
                    None => Outcome::Issue(IssueCode::Unreadable),
                };
                run.settle(outcome, found, &place, |run, scalar| {
                    run.item(written, &scalar)
                })
            });
            written += usize::from(is_text);
        });
        self.out.push(']');
        written > 0
    }

    /// Writes references, each once.
    pub(super) fn links(
        &mut self,
        source: &Source,
        link: &LinkRule,
        scope: Scope<'_, '_>,
        place: &Place<'_>,
    ) -> bool {
        let mut seen = HashSet::new();
        self.out.push('[');
        source.each(scope, &mut |found| {
            let place = Place::item(place, seen.len());
            self.converted(source, found, &place, |run, value| {
                let outcome = link.outcome(value, scope, run.connection);
                run.settle(outcome, found, &place, |run, scalar| {
                    let written = seen.len();
                    if matches!(scalar, Scalar::Link(id, _) if seen.insert(id)) {
                        run.item(written, &scalar);
                    }
                })
            });
        });
        self.out.push(']');
        !seen.is_empty()
    }

    fn item(&mut self, written: usize, scalar: &Scalar<'_>) {
        if written > 0 {
            self.out.push(',');
        }
        scalar.push_json(&mut self.out);
    }

    pub(super) fn lines(
        &mut self,
        rule: &LinesRule,
        scope: Scope<'_, '_>,
        place: &Place<'_>,
    ) -> bool {
        let mut written = 0;
        let mut position = 0;
        self.out.push('[');
        let mut line = |run: &mut Self, item: &Value<'_>| {
            position += 1;
            let scope = Scope {
                root: scope.root,
                item,
                position,
            };
            if rule.when.iter().all(|condition| condition.holds(scope)) {
                written += usize::from(run.line(rule, scope, (place, written)));
            }
        };
        let _all = rule.each.visit(scope, &mut |value| {
            match value {
                Value::List(items) => items.iter().for_each(|item| line(self, item)),
                Value::Object(_) => line(self, value),
                _ => self.issues.add(place, IssueCode::Unreadable, value),
            }
            ControlFlow::Continue(())
        });
        self.out.push(']');
        written > 0
    }

    /// Writes one line of a list. A line of which nothing is known is left out, unless an issue is told of it: its
    /// number must stay right.
    fn line(
        &mut self,
        rule: &LinesRule,
        scope: Scope<'_, '_>,
        (list, written): (&Place<'_>, usize),
    ) -> bool {
        let mark = self.out.len();
        let issues = self.issues.count();
        self.out.push_str(if written > 0 { ",{" } else { "{" });
        let place = Place::item(list, written);
        let has_members = self.members(&rule.fields, scope, Some(&place));
        if has_members || self.issues.count() > issues {
            self.out.push('}');
            return true;
        }
        self.out.truncate(mark);
        false
    }

    pub(super) fn object(
        &mut self,
        rule: &ObjectRule,
        scope: Scope<'_, '_>,
        place: &Place<'_>,
    ) -> bool {
        let scope = match &rule.base {
            None => scope,
            Some(path) => match path.first(scope) {
                Some(base) => scope.of_item(base, scope.position),
                None => return false,
            },
        };
        self.out.push('{');
        let has_members = self.members(&rule.fields, scope, Some(place));
        self.out.push('}');
        has_members
    }

    /// Keeps what is found as it is; a list if the path may find many.
    pub(super) fn json(
        &mut self,
        source: &Source,
        scope: Scope<'_, '_>,
        place: &Place<'_>,
    ) -> bool {
        let is_many = source.paths.iter().any(|path| path.is_many());
        if !is_many {
            let Some(found) = source.first(scope) else {
                return false;
            };
            return self.converted(source, found, place, |run, value| {
                run.verbatim(value, found, place)
            });
        }
        let mut written = 0;
        self.out.push('[');
        source.each(scope, &mut |found| {
            let mark = self.out.len();
            if written > 0 {
                self.out.push(',');
            }
            let place = Place::item(place, written);
            if self.converted(source, found, &place, |run, value| {
                run.verbatim(value, found, &place)
            }) {
                written += 1;
            } else {
                self.out.truncate(mark);
            }
        });
        self.out.push(']');
        written > 0
    }

    fn verbatim(&mut self, value: &Value<'_>, found: &Value<'_>, place: &Place<'_>) -> bool {
        let written = match value {
            Value::Text(text) => {
                push_text(&mut self.out, text.trim());
                true
            }
            other => push_value(&mut self.out, other),
        };
        if !written {
            self.issues.add(place, IssueCode::Unreadable, found);
        }
        written
    }
}
