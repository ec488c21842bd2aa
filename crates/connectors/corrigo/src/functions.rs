//! Functions of the default mapping, where data alone does not say it.

use wrenchtime_connector::{NamedFunction, Value};

use crate::wire::parse_utc;

/// What functions return: a value that borrows from the document, or what is wrong with the one given.
type Made<'a> = Result<Value<'a>, String>;

/// What Corrigo adds to the names of removed rows.
const REMOVED_SUFFIX: &str = " (deleted)";

pub(crate) const FUNCTIONS: &[NamedFunction] = &[
    NamedFunction {
        name: "corrigo_status",
        apply: status,
    },
    NamedFunction {
        name: "corrigo_completed_at",
        apply: completed_at,
    },
    NamedFunction {
        name: "corrigo_urgency",
        apply: urgency,
    },
    NamedFunction {
        name: "corrigo_name",
        apply: name,
    },
    NamedFunction {
        name: "corrigo_full_name",
        apply: full_name,
    },
    NamedFunction {
        name: "corrigo_mail",
        apply: mail,
    },
    NamedFunction {
        name: "corrigo_phone",
        apply: phone,
    },
    NamedFunction {
        name: "corrigo_street",
        apply: street,
    },
    NamedFunction {
        name: "corrigo_currency",
        apply: currency,
    },
    NamedFunction {
        name: "corrigo_further_assignee",
        apply: further_assignee,
    },
    NamedFunction {
        name: "corrigo_make",
        apply: make,
    },
    NamedFunction {
        name: "corrigo_model",
        apply: model,
    },
    NamedFunction {
        name: "corrigo_installed_on",
        apply: installed_on,
    },
    NamedFunction {
        name: "corrigo_custom_fields",
        apply: custom_fields,
    },
    NamedFunction {
        name: "corrigo_attributes",
        apply: attributes,
    },
];

/// Work order to its status; `New, assigned` for a new one that somebody is responsible for.
fn status<'a>(order: &Value<'a>) -> Made<'a> {
    let status = text(&order["StatusId"]);
    let assigned = integer(&order["Employee"]["Id"]).is_some_and(|id| id != 0);
    Ok(match status {
        "" => Value::Null,
        "New" if assigned => "New, assigned".into(),
        _ => status.to_owned().into(),
    })
}

/// Work order to the time of its last action while that was its completion.
fn completed_at<'a>(order: &Value<'a>) -> Made<'a> {
    let at = text(&order["LastActionDateUtc"]);
    Ok(
        if is(&order["StatusId"], "Completed") && parse_utc(at).is_some() {
            at.to_owned().into()
        } else {
            Value::Null
        },
    )
}

/// Priority to the unified one, by its mark of emergency, else by the time within which work is due.
fn urgency<'a>(priority: &Value<'a>) -> Made<'a> {
    const HOUR: i64 = 60;
    const DAY: i64 = 24 * HOUR;
    if priority["IsEmergency"] == Value::Boolean(true) {
        return Ok("emergency".into());
    }
    Ok(
        match integer(&priority["DueInMinutes"]).unwrap_or_default() {
            i64::MIN..=0 => Value::Null,
            minutes if minutes <= DAY => "high".into(),
            minutes if minutes <= 7 * DAY => "medium".into(),
            _ => "low".into(),
        },
    )
}

/// A name without the mark of removed rows.
fn name<'a>(name: &Value<'a>) -> Made<'a> {
    match name {
        Value::Text(name) => Ok(without_mark(name).into()),
        _ => Err("not a text".to_owned()),
    }
}

fn without_mark(name: &str) -> String {
    let name = name.trim();
    let name = name.strip_suffix(REMOVED_SUFFIX).unwrap_or(name);
    name.to_owned()
}

/// Employee to the person's full name, or the shown name where there is none.
fn full_name<'a>(employee: &Value<'a>) -> Made<'a> {
    let parts = [text(&employee["FirstName"]), text(&employee["LastName"])];
    let full: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    if full.is_empty() {
        return Ok(without_mark(text(&employee["DisplayAs"])).into());
    }
    Ok(full.join(" ").into())
}

/// Contact addresses to the first mail address, by the order of their kinds.
fn mail<'a>(addresses: &Value<'a>) -> Made<'a> {
    contact(
        addresses,
        &[
            "PrimEmail",
            "EMail1",
            "AltEmail",
            "EMail2",
            "EMail3",
            "EmergencyEMail",
            "CssEmail",
        ],
    )
}

/// Contact addresses to the first phone number, by the order of their kinds.
fn phone<'a>(addresses: &Value<'a>) -> Made<'a> {
    contact(
        addresses,
        &[
            "PrimPhone",
            "OfficePhone",
            "MobilePhone",
            "AltPhone",
            "HomePhone",
            "EmergencyPhone",
            "CssPhone",
        ],
    )
}

fn contact<'a>(addresses: &Value<'a>, kinds: &[&str]) -> Made<'a> {
    let addresses = addresses.as_list().ok_or("not a list")?;
    let found = kinds.iter().find_map(|kind| {
        let of_kind = addresses
            .iter()
            .filter(|address| is(&address["AddrTypeId"], kind));
        of_kind
            .map(|address| text(&address["Address"]))
            .find(|address| !address.is_empty())
    });
    Ok(found.map_or(Value::Null, |text| text.to_owned().into()))
}

/// Address to its lines of street.
fn street<'a>(address: &Value<'a>) -> Made<'a> {
    let lines = [text(&address["Street"]), text(&address["Street2"])];
    let lines: Vec<&str> = lines.into_iter().filter(|line| !line.is_empty()).collect();
    Ok(if lines.is_empty() {
        Value::Null
    } else {
        lines.join("\n").into()
    })
}

/// A currency, unless it is the member that stands for none.
fn currency<'a>(currency: &Value<'a>) -> Made<'a> {
    Ok(if is(currency, "Unknown") {
        Value::Null
    } else {
        currency.clone()
    })
}

/// Assignment to its employee, unless that is the one responsible.
fn further_assignee<'a>(assignment: &Value<'a>) -> Made<'a> {
    Ok(if assignment["IsPrimary"] == Value::Boolean(true) {
        Value::Null
    } else {
        assignment["EmployeeId"].clone()
    })
}

/// Attributes to who made the asset. Attributes are named by each company; these are common names.
fn make<'a>(attributes: &Value<'a>) -> Made<'a> {
    attribute(attributes, &["Manufacturer", "Make", "Brand"])
}

/// Attributes to the maker's model.
fn model<'a>(attributes: &Value<'a>) -> Made<'a> {
    attribute(attributes, &["Model", "Model Number", "Model No"])
}

/// Attributes to the day of installation, where it is one that can be read.
fn installed_on<'a>(attributes: &Value<'a>) -> Made<'a> {
    attribute(
        attributes,
        &["Install Date", "Installation Date", "Installed"],
    )
}

fn attribute<'a>(attributes: &Value<'a>, names: &[&str]) -> Made<'a> {
    let attributes = attributes.as_list().ok_or("not a list")?;
    let found = names.iter().find_map(|name| {
        let named = |attribute: &&Value<'_>| {
            text(&attribute["Descriptor"]["Name"]).eq_ignore_ascii_case(name)
        };
        attributes
            .iter()
            .filter(named)
            .map(|attribute| text(&attribute["Value"]))
            .find(|value| !value.is_empty())
    });
    Ok(found.map_or(Value::Null, |text| text.to_owned().into()))
}

/// Row to its custom fields by name.
fn custom_fields<'a>(row: &Value<'a>) -> Made<'a> {
    Ok(by_name(&row["CustomFields"]))
}

/// Row to its attributes by name.
fn attributes<'a>(row: &Value<'a>) -> Made<'a> {
    Ok(by_name(&row["Attributes"]))
}

fn by_name<'a>(fields: &Value<'a>) -> Value<'a> {
    let fields = fields.as_list().into_iter().flatten();
    let named = fields.filter_map(|field| {
        let (name, value) = (text(&field["Descriptor"]["Name"]), text(&field["Value"]));
        (!name.is_empty() && !value.is_empty())
            .then(|| (name.to_owned().into(), value.to_owned().into()))
    });
    let named: Vec<_> = named.collect();
    if named.is_empty() {
        Value::Null
    } else {
        Value::Object(named)
    }
}

/// Text without blanks around it; empty for everything that is none.
fn text<'v>(value: &'v Value<'_>) -> &'v str {
    match value {
        Value::Text(text) => text.trim(),
        _ => "",
    }
}

fn is(value: &Value<'_>, text: &str) -> bool {
    matches!(value, Value::Text(own) if own == text)
}

fn integer(value: &Value<'_>) -> Option<i64> {
    match value {
        Value::Number(digits) => digits.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;

    #[track_caller]
    fn check(function: &str, value: &Json, expected: &Json) {
        let function = FUNCTIONS
            .iter()
            .find(|known| known.name == function)
            .unwrap();
        let [value, expected] = [value, expected].map(Json::to_string);
        assert_eq!(
            (function.apply)(&Value::parse(&value).unwrap()),
            Ok(Value::parse(&expected).unwrap()),
            "{} of {value}",
            function.name
        );
    }

    #[test]
    fn a_new_order_with_an_employee_is_assigned() {
        let order =
            |status: &str, employee: i64| json!({"StatusId": status, "Employee": {"Id": employee}});
        check("corrigo_status", &order("New", 5), &json!("New, assigned"));
        check("corrigo_status", &order("New", 0), &json!("New"));
        check("corrigo_status", &json!({"StatusId": "New"}), &json!("New"));
        check("corrigo_status", &order("OnHold", 5), &json!("OnHold"));
        check(
            "corrigo_status",
            &order("Petrified", 5),
            &json!("Petrified"),
        );
        check("corrigo_status", &json!({}), &Json::Null);
    }

    #[test]
    fn an_order_is_completed_at_its_last_action_while_completed() {
        let order = |status: &str, at: &str| json!({"StatusId": status, "LastActionDateUtc": at});
        check(
            "corrigo_completed_at",
            &order("Completed", "2031-05-01T09:30:00"),
            &json!("2031-05-01T09:30:00"),
        );
        check(
            "corrigo_completed_at",
            &order("Open", "2031-05-01T09:30:00"),
            &Json::Null,
        );
        check(
            "corrigo_completed_at",
            &order("Completed", "1753-01-01T00:00:00"),
            &Json::Null,
        );
    }

    #[test]
    fn urgency_follows_the_time_within_which_work_is_due() {
        let due = |minutes: i64| json!({"IsEmergency": false, "DueInMinutes": minutes});
        check(
            "corrigo_urgency",
            &json!({"IsEmergency": true, "DueInMinutes": 240}),
            &json!("emergency"),
        );
        check("corrigo_urgency", &due(1440), &json!("high"));
        check("corrigo_urgency", &due(1441), &json!("medium"));
        check("corrigo_urgency", &due(43200), &json!("low"));
        check("corrigo_urgency", &due(0), &Json::Null);
    }

    #[test]
    fn gotcha_7_the_mark_of_removed_rows_is_no_part_of_their_name() {
        check(
            "corrigo_name",
            &json!("Harbour Tower (deleted)"),
            &json!("Harbour Tower"),
        );
        check(
            "corrigo_name",
            &json!("Harbour Tower"),
            &json!("Harbour Tower"),
        );
        check(
            "corrigo_full_name",
            &json!({"FirstName": "Ann", "LastName": " Doe "}),
            &json!("Ann Doe"),
        );
        check(
            "corrigo_full_name",
            &json!({"FirstName": "", "DisplayAs": "Acme (deleted)"}),
            &json!("Acme"),
        );
    }

    #[test]
    fn contacts_are_chosen_by_their_kind() {
        let addresses = json!([
            {"AddrTypeId": "EMail1", "Address": "b@example.test"},
            {"AddrTypeId": "PrimEmail", "Address": " "},
            {"AddrTypeId": "MobilePhone", "Address": "555-0101"},
        ]);
        check("corrigo_mail", &addresses, &json!("b@example.test"));
        check("corrigo_phone", &addresses, &json!("555-0101"));
        check("corrigo_phone", &json!([]), &Json::Null);
    }

    #[test]
    fn only_others_than_the_one_responsible_are_further_assignees() {
        check(
            "corrigo_further_assignee",
            &json!({"IsPrimary": true, "EmployeeId": 4}),
            &Json::Null,
        );
        check(
            "corrigo_further_assignee",
            &json!({"IsPrimary": false, "EmployeeId": 4}),
            &json!(4),
        );
    }

    #[test]
    fn fields_are_found_by_name() {
        let fields = json!([
            {"Descriptor": {"Name": "make", "Id": 1}, "Value": "Norden"},
            {"Descriptor": {"Name": "Install Date"}, "Value": ""},
        ]);
        check("corrigo_make", &fields, &json!("Norden"));
        check("corrigo_installed_on", &fields, &Json::Null);
        check(
            "corrigo_attributes",
            &json!({"Attributes": fields}),
            &json!({"make": "Norden"}),
        );
        check("corrigo_custom_fields", &json!({}), &Json::Null);
    }
}
