//! Functions of the default mapping, where data alone does not say it.

use serde_json::{Map, Value};
use wrenchtime_connector::NamedFunction;

use crate::wire::parse_utc;

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
fn status(order: &Value) -> Result<Value, String> {
    let status = text(&order["StatusId"]);
    let assigned = order["Employee"]["Id"].as_i64().is_some_and(|id| id != 0);
    Ok(match status {
        "" => Value::Null,
        "New" if assigned => "New, assigned".into(),
        _ => status.into(),
    })
}

/// Work order to the time of its last action while that was its completion.
fn completed_at(order: &Value) -> Result<Value, String> {
    let at = text(&order["LastActionDateUtc"]);
    let is_time = parse_utc(at).is_some();
    Ok(if is_time && order["StatusId"] == "Completed" {
        at.into()
    } else {
        Value::Null
    })
}

/// Priority to the unified one, by its mark of emergency, else by the time within which work is due.
fn urgency(priority: &Value) -> Result<Value, String> {
    const HOUR: i64 = 60;
    const DAY: i64 = 24 * HOUR;
    if priority["IsEmergency"] == true {
        return Ok("emergency".into());
    }
    Ok(
        match priority["DueInMinutes"].as_i64().unwrap_or_default() {
            i64::MIN..=0 => Value::Null,
            minutes if minutes <= DAY => "high".into(),
            minutes if minutes <= 7 * DAY => "medium".into(),
            _ => "low".into(),
        },
    )
}

/// A name without the mark of removed rows.
fn name(name: &Value) -> Result<Value, String> {
    let name = name.as_str().ok_or("not a text")?.trim();
    Ok(name.strip_suffix(REMOVED_SUFFIX).unwrap_or(name).into())
}

/// Employee to the person's full name, or the shown name where there is none.
fn full_name(employee: &Value) -> Result<Value, String> {
    let parts = [text(&employee["FirstName"]), text(&employee["LastName"])];
    let full: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    if full.is_empty() {
        return name(&Value::from(text(&employee["DisplayAs"])));
    }
    Ok(full.join(" ").into())
}

/// Contact addresses to the first mail address, by the order of their kinds.
fn mail(addresses: &Value) -> Result<Value, String> {
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
fn phone(addresses: &Value) -> Result<Value, String> {
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

fn contact(addresses: &Value, kinds: &[&str]) -> Result<Value, String> {
    let addresses = addresses.as_array().ok_or("not a list")?;
    let found = kinds.iter().find_map(|kind| {
        let of_kind = addresses
            .iter()
            .filter(|address| address["AddrTypeId"] == *kind);
        of_kind
            .map(|address| text(&address["Address"]))
            .find(|address| !address.is_empty())
    });
    Ok(found.map_or(Value::Null, Value::from))
}

/// Address to its lines of street.
fn street(address: &Value) -> Result<Value, String> {
    let lines = [text(&address["Street"]), text(&address["Street2"])];
    let lines: Vec<&str> = lines.into_iter().filter(|line| !line.is_empty()).collect();
    Ok(if lines.is_empty() {
        Value::Null
    } else {
        lines.join("\n").into()
    })
}

/// A currency, unless it is the member that stands for none.
fn currency(currency: &Value) -> Result<Value, String> {
    Ok(if currency == "Unknown" {
        Value::Null
    } else {
        currency.clone()
    })
}

/// Assignment to its employee, unless that is the one responsible.
fn further_assignee(assignment: &Value) -> Result<Value, String> {
    Ok(if assignment["IsPrimary"] == true {
        Value::Null
    } else {
        assignment["EmployeeId"].clone()
    })
}

/// Attributes to who made the asset. Attributes are named by each company; these are common names.
fn make(attributes: &Value) -> Result<Value, String> {
    attribute(attributes, &["Manufacturer", "Make", "Brand"])
}

/// Attributes to the maker's model.
fn model(attributes: &Value) -> Result<Value, String> {
    attribute(attributes, &["Model", "Model Number", "Model No"])
}

/// Attributes to the day of installation, where it is one that can be read.
fn installed_on(attributes: &Value) -> Result<Value, String> {
    attribute(
        attributes,
        &["Install Date", "Installation Date", "Installed"],
    )
}

fn attribute(attributes: &Value, names: &[&str]) -> Result<Value, String> {
    let attributes = attributes.as_array().ok_or("not a list")?;
    let found = names.iter().find_map(|name| {
        let named =
            |attribute: &&Value| text(&attribute["Descriptor"]["Name"]).eq_ignore_ascii_case(name);
        attributes
            .iter()
            .filter(named)
            .map(|attribute| text(&attribute["Value"]))
            .find(|value| !value.is_empty())
    });
    Ok(found.map_or(Value::Null, Value::from))
}

/// Row to its custom fields by name.
fn custom_fields(row: &Value) -> Result<Value, String> {
    Ok(by_name(&row["CustomFields"]))
}

/// Row to its attributes by name.
fn attributes(row: &Value) -> Result<Value, String> {
    Ok(by_name(&row["Attributes"]))
}

fn by_name(fields: &Value) -> Value {
    let fields = fields.as_array().into_iter().flatten();
    let named = fields.filter_map(|field| {
        let (name, value) = (text(&field["Descriptor"]["Name"]), text(&field["Value"]));
        (!name.is_empty() && !value.is_empty()).then(|| (name.to_owned(), Value::from(value)))
    });
    let named: Map<String, Value> = named.collect();
    if named.is_empty() {
        Value::Null
    } else {
        named.into()
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default().trim()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(function: &str, value: &Value, expected: &Value) {
        let function = FUNCTIONS
            .iter()
            .find(|known| known.name == function)
            .unwrap();
        assert_eq!(
            (function.apply)(value).as_ref(),
            Ok(expected),
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
        check("corrigo_status", &json!({}), &Value::Null);
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
            &Value::Null,
        );
        check(
            "corrigo_completed_at",
            &order("Completed", "1753-01-01T00:00:00"),
            &Value::Null,
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
        check("corrigo_urgency", &due(0), &Value::Null);
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
        check("corrigo_phone", &json!([]), &Value::Null);
    }

    #[test]
    fn only_others_than_the_one_responsible_are_further_assignees() {
        check(
            "corrigo_further_assignee",
            &json!({"IsPrimary": true, "EmployeeId": 4}),
            &Value::Null,
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
        check("corrigo_installed_on", &fields, &Value::Null);
        check(
            "corrigo_attributes",
            &json!({"Attributes": fields}),
            &json!({"make": "Norden"}),
        );
        check("corrigo_custom_fields", &json!({}), &Value::Null);
    }
}
