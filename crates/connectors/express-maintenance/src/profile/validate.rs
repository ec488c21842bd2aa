//! From a profile as it is written to one that fits together.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

use chrono::{NaiveDate, NaiveDateTime};
use chrono_tz::Tz;
use wrenchtime_model::FieldKind;

use super::text::{
    CodesText, ColumnText, EntitiesText, EntityText, LinesText, LookupText, ProfileText,
};
use super::{
    Codes, Column, Entity, EntityKind, Formats, Lines, Lookup, Profile, ProfileError, Table,
};
use crate::rows::Dialect;
use crate::suggest::did_you_mean;

/// In seconds. A file that is left alone only between syncs would never be read.
const LONGEST_SETTLE: u32 = 300;

/// What is wrong, collected.
type Faults = Vec<String>;

pub(super) fn profile(raw: ProfileText, text: &str) -> Result<Profile, ProfileError> {
    let mut faults = Faults::new();
    if raw.format != 1 {
        faults.push(format!(
            "format: {} is not known, this version reads 1",
            raw.format
        ));
    }
    if !["utf-8", "utf8"].contains(&raw.encoding.to_lowercase().as_str()) {
        faults.push(format!(
            "encoding: `{}` cannot be read yet, export the files as utf-8",
            raw.encoding
        ));
    }
    let dialect = dialect(&raw, &mut faults);
    let formats = formats(&raw, &mut faults);
    let tables = tables(&raw.entities, &mut faults);
    let mut entities = BTreeMap::new();
    for (kind, raw) in each(&raw.entities) {
        entities.insert(kind, entity(kind, raw, &tables, &mut faults));
    }
    circles(&entities, &mut faults);
    if entities.is_empty() {
        faults.push("entities: at least one is needed".to_owned());
    }
    if raw.settle_seconds > LONGEST_SETTLE {
        faults.push(format!(
            "settle_seconds: {} is more than {LONGEST_SETTLE}, the longest that a sync waits",
            raw.settle_seconds
        ));
    }
    if raw
        .identity
        .as_deref()
        .is_some_and(|identity| identity.trim().is_empty())
    {
        faults.push("identity: is blank".to_owned());
    }
    if !faults.is_empty() {
        return Err(ProfileError { faults });
    }
    Ok(Profile {
        identity: raw.identity,
        dialect,
        formats,
        settle: Duration::from_secs(u64::from(raw.settle_seconds)),
        entities,
        text: text.to_owned(),
    })
}

fn each(raw: &EntitiesText) -> impl Iterator<Item = (EntityKind, &EntityText)> {
    EntityKind::ALL.into_iter().filter_map(|kind| {
        let text = match kind {
            EntityKind::Units => &raw.units,
            EntityKind::WorkOrders => &raw.work_orders,
            EntityKind::Parts => &raw.parts,
            EntityKind::Vendors => &raw.vendors,
            EntityKind::PurchaseOrders => &raw.purchase_orders,
        };
        Some((kind, text.as_ref()?))
    })
}

fn dialect(raw: &ProfileText, faults: &mut Faults) -> Dialect {
    let mut sign = |name: &str, text: &str| match text.as_bytes() {
        [byte] if byte.is_ascii() && !b"\r\n".contains(byte) => *byte,
        _ => {
            faults.push(format!("{name}: must be one ASCII sign that ends no line"));
            b','
        }
    };
    let dialect = Dialect {
        delimiter: sign("delimiter", &raw.delimiter),
        quote: sign("quote", &raw.quote),
    };
    if dialect.delimiter == dialect.quote {
        faults.push("quote: must differ from the delimiter".to_owned());
    }
    dialect
}

fn formats(raw: &ProfileText, faults: &mut Faults) -> Formats {
    let mut sign = |name: &str, text: &str| {
        let mut signs = text.chars();
        match (signs.next(), signs.next()) {
            (Some(sign), None) if !sign.is_alphanumeric() => sign,
            _ => {
                faults.push(format!(
                    "{name}: must be one sign that is neither letter nor digit"
                ));
                '\0'
            }
        }
    };
    let decimal_sign = sign("decimal_sign", &raw.decimal_sign);
    let group_sign = raw
        .group_sign
        .as_deref()
        .map(|text| sign("group_sign", text));
    if group_sign == Some(decimal_sign) {
        faults.push("group_sign: must differ from the decimal sign".to_owned());
    }
    for format in &raw.date_formats {
        if !tells_a_day(format) {
            faults.push(format!("date_formats: `{format}` does not tell a day"));
        }
    }
    for format in &raw.datetime_formats {
        if !tells_a_minute(format) {
            faults.push(format!(
                "datetime_formats: `{format}` does not tell a day and a time"
            ));
        }
    }
    let zone = raw.time_zone.as_deref().and_then(|name| {
        let zone = name.parse::<Tz>();
        if zone.is_err() {
            faults.push(format!("time_zone: {}", unknown_zone(name)));
        }
        zone.ok()
    });
    Formats {
        decimal_sign,
        group_sign,
        dates: raw.date_formats.clone(),
        datetimes: raw.datetime_formats.clone(),
        yes: raw.yes.clone(),
        no: raw.no.clone(),
        zone,
    }
}

/// Returns why a name is no zone's.
pub(crate) fn unknown_zone(name: &str) -> String {
    let known = chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name());
    format!("`{name}` is no IANA time zone{}", did_you_mean(name, known))
}

fn tells_a_day(format: &str) -> bool {
    let sample = NaiveDate::from_ymd_opt(2031, 12, 28).unwrap_or_default();
    let mut text = String::new();
    write!(text, "{}", sample.format(format)).is_ok()
        && NaiveDate::parse_from_str(&text, format) == Ok(sample)
}

fn tells_a_minute(format: &str) -> bool {
    let day = NaiveDate::from_ymd_opt(2031, 12, 28).unwrap_or_default();
    let sample = day.and_hms_opt(17, 45, 0).unwrap_or_default();
    let mut text = String::new();
    write!(text, "{}", sample.format(format)).is_ok()
        && NaiveDateTime::parse_from_str(&text, format) == Ok(sample)
}

/// The tables of all entities, for lookups name those of others.
fn tables(raw: &EntitiesText, faults: &mut Faults) -> BTreeMap<EntityKind, Table> {
    each(raw)
        .map(|(kind, entity)| {
            let place = format!("entities.{}", kind.name());
            (kind, table(&place, &entity.file, &entity.columns, faults))
        })
        .collect()
}

fn table(
    place: &str,
    file: &str,
    columns: &BTreeMap<String, ColumnText>,
    faults: &mut Faults,
) -> Table {
    if file.trim() != file || file.is_empty() || file.contains(['/', '\\', '\0']) || file == ".." {
        faults.push(format!(
            "{place}.file: `{file}` must be the plain name of a file in the folder"
        ));
    }
    let columns = columns
        .iter()
        .map(|(field, raw)| {
            if raw.column.trim().is_empty() {
                faults.push(format!("{place}.columns.{field}: the header is blank"));
            }
            Column {
                field: field.clone(),
                header: raw.column.trim().to_owned(),
                kind: raw.kind,
                optional: raw.optional,
            }
        })
        .collect();
    Table {
        file: file.to_owned(),
        columns,
    }
}

fn entity(
    kind: EntityKind,
    raw: &EntityText,
    tables: &BTreeMap<EntityKind, Table>,
    faults: &mut Faults,
) -> Entity {
    let place = format!("entities.{}", kind.name());
    let table = tables.get(&kind).cloned().unwrap_or(Table {
        file: String::new(),
        columns: Vec::new(),
    });
    if raw.key.is_empty() {
        faults.push(format!("{place}.key: at least one field is needed"));
    }
    let key = raw
        .key
        .iter()
        .filter_map(|field| find(&table, field, &format!("{place}.key"), faults))
        .collect();
    let mut lookups = Vec::new();
    for (field, raw) in &raw.lookups {
        let place = format!("{place}.lookups.{field}");
        lookups.extend(lookup((&place, field), raw, &table, (tables, faults)));
    }
    let mut codes = Vec::new();
    for (field, raw) in &raw.codes {
        codes.extend(code_map((kind, &place, field), raw, &table, faults));
    }
    let mut lines = Vec::new();
    for (field, raw) in &raw.lines {
        let place = format!("{place}.lines.{field}");
        lines.push(line_table((&place, field), raw, &table, faults));
    }
    distinct(&place, raw, faults);
    Entity {
        table,
        key,
        lookups,
        codes,
        lines,
    }
}

/// Of two entities that are looked up in each other none can be read first.
fn circles(entities: &BTreeMap<EntityKind, Entity>, faults: &mut Faults) {
    let mut left: BTreeMap<EntityKind, BTreeSet<EntityKind>> = entities
        .iter()
        .map(|(kind, entity)| (*kind, entity.others(*kind)))
        .collect();
    loop {
        let kinds: BTreeSet<EntityKind> = left.keys().copied().collect();
        left.retain(|_, others| !others.is_disjoint(&kinds));
        if left.len() == kinds.len() {
            break;
        }
    }
    if !left.is_empty() {
        let names: Vec<&str> = left.keys().map(|kind| kind.name()).collect();
        faults.push(format!(
            "lookups: they lead in a circle, so that nothing can be read first: {}",
            names.join(", ")
        ));
    }
}

fn find(table: &Table, field: &str, place: &str, faults: &mut Faults) -> Option<usize> {
    let found = table.position(field);
    if found.is_none() {
        let known = table.columns.iter().map(|column| column.field.as_str());
        let hint = did_you_mean(field, known);
        faults.push(format!(
            "{place}: there is no field `{field}` under columns{hint}"
        ));
    }
    found
}

/// Finds both sides of what must be equal.
fn pairs(
    matches: &BTreeMap<String, String>,
    left: &Table,
    right: &Table,
    (place, faults): (&str, &mut Faults),
) -> (Vec<usize>, Vec<usize>) {
    let place = format!("{place}.match");
    if matches.is_empty() {
        faults.push(format!("{place}: at least one field is needed"));
    }
    let mut found = (Vec::new(), Vec::new());
    for (one, other) in matches {
        found.0.extend(find(left, one, &place, faults));
        found.1.extend(find(right, other, &place, faults));
    }
    found
}

fn lookup(
    (place, field): (&str, &str),
    raw: &LookupText,
    table: &Table,
    (tables, faults): (&BTreeMap<EntityKind, Table>, &mut Faults),
) -> Option<Lookup> {
    let target = EntityKind::ALL
        .into_iter()
        .find(|kind| kind.name() == raw.target);
    let Some((target, other)) = target.and_then(|kind| Some((kind, tables.get(&kind)?))) else {
        let hint = did_you_mean(&raw.target, tables.keys().map(|kind| kind.name()));
        faults.push(format!(
            "{place}.in: the profile has no entity `{}`{hint}",
            raw.target
        ));
        return None;
    };
    let (own, others) = pairs(&raw.matches, table, other, (place, faults));
    Some(Lookup {
        field: field.to_owned(),
        target,
        own,
        others,
    })
}

fn line_table(
    (place, field): (&str, &str),
    raw: &LinesText,
    table: &Table,
    faults: &mut Faults,
) -> Lines {
    let lines = self::table(place, &raw.file, &raw.columns, faults);
    let (others, own) = pairs(&raw.matches, &lines, table, (place, faults));
    Lines {
        field: field.to_owned(),
        table: lines,
        own,
        others,
    }
}

fn code_map(
    (kind, place, field): (EntityKind, &str, &str),
    raw: &CodesText,
    table: &Table,
    faults: &mut Faults,
) -> Option<Codes> {
    let place = format!("{place}.codes.{field}");
    let from = find(table, &raw.field, &format!("{place}.field"), faults);
    let unified = kind.resource().fields();
    let choices = unified
        .iter()
        .find(|unified| unified.name == raw.unified)
        .map(|field| &field.kind);
    let Some(FieldKind::Choice(choices)) = choices else {
        let known = unified
            .iter()
            .filter(|field| matches!(field.kind, FieldKind::Choice(_)));
        let hint = did_you_mean(&raw.unified, known.map(|field| field.name.as_str()));
        let resource = kind.resource();
        faults.push(format!(
            "{place}.unified: `{}` is no code of a {resource}{hint}",
            raw.unified
        ));
        return None;
    };
    let targets = raw
        .map
        .values()
        .chain(raw.when.iter().map(|when| &when.code));
    for target in targets.chain(&raw.otherwise).chain(&raw.blank) {
        if !choices.contains(target) {
            let hint = did_you_mean(target, choices.iter().map(String::as_str));
            faults.push(format!("{place}: `{target}` is no {}{hint}", raw.unified));
        }
    }
    let mut map = BTreeMap::new();
    for (own, code) in &raw.map {
        if map
            .insert(own.trim().to_lowercase(), code.clone())
            .is_some()
        {
            faults.push(format!(
                "{place}.map: `{own}` stands twice, case does not count"
            ));
        }
    }
    let when = raw
        .when
        .iter()
        .filter_map(|when| {
            let index = find(table, &when.present, &format!("{place}.when"), faults)?;
            Some((index, when.code.clone()))
        })
        .collect();
    let (otherwise, blank) = (raw.otherwise.clone(), raw.blank.clone());
    Some(Codes {
        field: field.to_owned(),
        from: from?,
        map,
        when,
        otherwise,
        blank,
    })
}

/// A field of a document has one meaning.
fn distinct(place: &str, raw: &EntityText, faults: &mut Faults) {
    let mut seen = BTreeSet::new();
    let names = raw
        .columns
        .keys()
        .chain(raw.lookups.keys())
        .chain(raw.codes.keys());
    for name in names.chain(raw.lines.keys()) {
        if !seen.insert(name) {
            faults.push(format!("{place}: the field `{name}` is named twice"));
        }
    }
}
