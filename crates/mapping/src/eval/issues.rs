//! What could not be taken over, and where.

use wrenchtime_connector::Value;
use wrenchtime_model::IssueCode;

use crate::write::{push_text, push_value};

/// More are not told of one record: a column that went wrong in thousands of lines is told often enough.
const MAX_ISSUES: usize = 100;

const MAX_RAW_CHARS: usize = 200;

/// A field, and what it stands in. Put together as text only when there is something to tell of it.
#[derive(Clone, Copy)]
pub(super) struct Place<'p> {
    parent: Option<&'p Self>,
    step: Step<'p>,
}

#[derive(Clone, Copy)]
enum Step<'p> {
    Field(&'p str),
    Item(usize),
}

impl<'p> Place<'p> {
    pub(super) fn field(parent: Option<&'p Self>, name: &'p str) -> Self {
        Self {
            parent,
            step: Step::Field(name),
        }
    }

    pub(super) fn item(parent: &'p Self, index: usize) -> Self {
        Self {
            parent: Some(parent),
            step: Step::Item(index),
        }
    }

    fn push(&self, out: &mut String) {
        if let Some(parent) = self.parent {
            parent.push(out);
            out.push('.');
        }
        match self.step {
            Step::Field(name) => out.push_str(name),
            Step::Item(index) => out.push_str(&index.to_string()),
        }
    }
}

/// The data issues of one record, as JSON in the making.
#[derive(Default)]
pub(super) struct Issues {
    json: String,
    count: usize,
}

impl Issues {
    /// Notes an issue with the source's value.
    pub(super) fn add(&mut self, place: &Place<'_>, code: IssueCode, value: &Value<'_>) {
        match value {
            Value::Text(text) | Value::Number(text) => self.add_raw(place, code, text),
            other => {
                let mut json = String::new();
                let whole = push_value(&mut json, other);
                self.add_raw(place, code, if whole { &json } else { "" });
            }
        }
    }

    /// Notes an issue with a text of its own.
    pub(super) fn add_raw(&mut self, place: &Place<'_>, code: IssueCode, raw: &str) {
        self.count += 1;
        if self.count > MAX_ISSUES {
            return;
        }
        self.json.push_str(if self.count == 1 { "[" } else { "," });
        let mut field = String::new();
        place.push(&mut field);
        self.json.push_str("{\"field\":");
        push_text(&mut self.json, &field);
        self.json.push_str(",\"code\":");
        push_text(&mut self.json, code_name(code));
        if !raw.is_empty() {
            let cut: String = raw.chars().take(MAX_RAW_CHARS).collect();
            self.json.push_str(",\"raw\":");
            push_text(&mut self.json, &cut);
        }
        self.json.push('}');
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(super) fn push_json(&self, out: &mut String) {
        out.push_str(&self.json);
        out.push(']');
    }
}

fn code_name(code: IssueCode) -> &'static str {
    match code {
        IssueCode::UnmappedValue => "unmapped_value",
        IssueCode::UnknownZone => "unknown_zone",
        IssueCode::Implausible => "implausible",
        _ => "unreadable",
    }
}

#[cfg(test)]
mod tests {
    use wrenchtime_model::DataIssue;

    use super::*;

    fn read(issues: &Issues) -> Vec<DataIssue> {
        let mut json = String::new();
        issues.push_json(&mut json);
        serde_json::from_str(&json).unwrap()
    }

    #[test]
    fn codes_are_written_as_the_model_reads_them() {
        let codes = [
            IssueCode::UnmappedValue,
            IssueCode::Unreadable,
            IssueCode::UnknownZone,
            IssueCode::Implausible,
        ];
        let mut issues = Issues::default();
        for code in codes {
            issues.add_raw(&Place::field(None, "due_at"), code, "x");
        }
        let read: Vec<IssueCode> = read(&issues).into_iter().map(|issue| issue.code).collect();
        assert_eq!(read, codes);
    }

    #[test]
    fn raw_texts_are_cut_by_characters_and_places_are_dotted() {
        let mut issues = Issues::default();
        let tasks = Place::field(None, "tasks");
        let item = Place::item(&tasks, 3);
        issues.add(
            &Place::field(Some(&item), "title"),
            IssueCode::Unreadable,
            &Value::from("ü".repeat(300)),
        );
        let read = read(&issues);
        assert_eq!(read[0].field, "tasks.3.title");
        assert_eq!(read[0].raw, Some("ü".repeat(200)));
    }

    #[test]
    fn there_is_an_end_to_telling() {
        let mut issues = Issues::default();
        for _ in 0..1000 {
            issues.add_raw(&Place::field(None, "a"), IssueCode::Unreadable, "");
        }
        assert_eq!(read(&issues).len(), MAX_ISSUES);
    }
}
