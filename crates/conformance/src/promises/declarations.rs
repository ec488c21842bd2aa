//! What is declared, and what must not be told.

use std::collections::BTreeSet;

use wrenchtime_connector::{
    ConnectorInfo, CursorKind, EntityInfo, Operation, Role, SettingKind, StreamInfo, Yields,
};

use crate::log::Log;
use crate::reading::{Plan, context, whole};
use crate::{Fault, Harness};

/// Declarations fit together: the engine plans by them before anything was read.
pub async fn declarations_are_sane<H: Harness>() {
    let harness = H::start().await;
    let connector = harness.connector();
    let info = connector.info();
    assert!(!info.entities.is_empty(), "nothing can be read");
    let mut names = BTreeSet::new();
    let entities: BTreeSet<_> = info.entities.iter().map(|entity| &entity.name).collect();
    assert_eq!(
        entities.len(),
        info.entities.len(),
        "two entities have one name"
    );
    for entity in &info.entities {
        assert!(entity.listing().is_some(), "{} has no listing", entity.name);
        assert!(
            !entity.resources.is_empty(),
            "{} becomes nothing",
            entity.name
        );
        assert_ne!(
            entity.fetch_limit,
            Some(0),
            "{}: no key can be fetched",
            entity.name
        );
        for stream in &entity.streams {
            assert!(
                names.insert(stream.name.clone()),
                "two streams are named {}",
                stream.name
            );
            assert!(
                stream.page_limit > 0,
                "{}: a page holds nothing",
                stream.name
            );
            let by_time = matches!(stream.cursor, CursorKind::Time { .. });
            assert_eq!(
                stream.role == Role::Changes,
                by_time,
                "{}: role and cursor",
                stream.name
            );
            check_stream(stream, by_time);
            assert!(
                stream.yields == Yields::Documents || entity.fetch_limit.is_some(),
                "{}: stubs that nothing completes",
                stream.name
            );
        }
    }
    check_names(info);
    check_joins(info);
    check_resources(info);
}

fn check_stream(stream: &StreamInfo, by_time: bool) {
    let name = &stream.name;
    assert!(
        stream.dated || !by_time,
        "{name} is asked by time, and its rows show none"
    );
    assert!(
        stream.history.is_none() || stream.role == Role::Changes,
        "{name}: only changes are forgotten"
    );
    let parts: BTreeSet<_> = stream.unseen.iter().collect();
    assert!(
        parts.len() == stream.unseen.len() && parts.iter().all(|part| !part.is_empty()),
        "{name}: each part that is not seen has a name of its own"
    );
}

fn check_resources(info: &ConnectorInfo) {
    for resource in &info.resources {
        let name = resource.resource;
        let can_read = resource.operations.contains(&Operation::Read);
        assert!(can_read, "{name} cannot even be read");
        let can_write = resource
            .operations
            .iter()
            .any(|one| *one != Operation::Read);
        assert!(
            can_write || (resource.required.is_empty() && resource.writable.is_empty()),
            "{name}: fields to write, and no way to write them"
        );
        let unknown = |field: &&&str| !resource.writable.contains(*field);
        let unknown = resource.required.iter().find(unknown);
        assert_eq!(unknown, None, "{name}: required and not writable");
    }
    let declared: BTreeSet<_> = info
        .resources
        .iter()
        .map(|resource| resource.resource)
        .collect();
    let fed: BTreeSet<_> = info
        .entities
        .iter()
        .flat_map(|entity| entity.resources.iter().copied())
        .collect();
    assert_eq!(
        declared, fed,
        "the resources declared are those that entities become"
    );
}

/// What is joined is there, and there is an order in which nothing is read before what is joined into it.
fn check_joins(info: &ConnectorInfo) {
    let mut left: Vec<&EntityInfo> = info.entities.iter().collect();
    for entity in &left {
        let joins: BTreeSet<_> = entity.joins.iter().collect();
        assert_eq!(
            joins.len(),
            entity.joins.len(),
            "{} joins an entity twice",
            entity.name
        );
        for name in joins {
            assert_ne!(*name, entity.name, "{name} joins itself");
            assert!(
                info.entity(name).is_some(),
                "{} joins {name}, which is not declared",
                entity.name
            );
        }
    }
    while !left.is_empty() {
        let names: BTreeSet<_> = left.iter().map(|entity| &entity.name).collect();
        let before = left.len();
        left.retain(|entity| entity.joins.iter().any(|name| names.contains(name)));
        assert!(left.len() < before, "joined in a circle: {names:?}");
    }
}

fn check_names(info: &ConnectorInfo) {
    let system = info.system.as_str();
    assert!(
        system
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'),
        "{system} is no formal name"
    );
    let fields: BTreeSet<_> = info.settings.iter().map(|field| field.name).collect();
    assert_eq!(
        fields.len(),
        info.settings.len(),
        "two settings have one name"
    );
    for field in &info.settings {
        assert!(
            !field.label.is_empty() && !field.help.is_empty(),
            "{} is not explained",
            field.name
        );
        let Some(default) = field.default else {
            continue;
        };
        assert!(
            field.kind != SettingKind::Secret,
            "{}: a secret with a default",
            field.name
        );
        if let SettingKind::Choice(choices) = &field.kind {
            assert!(
                choices.contains(&default),
                "{}: {default} is no choice",
                field.name
            );
        }
    }
}

/// The harness accounts for every fault: what it declares works, what it lacks is refused and has a reason.
pub async fn every_fault_is_declared_one_way_or_the_other<H: Harness>() {
    for fault in Fault::ALL {
        let harness = H::start().await;
        let powers = harness.powers();
        let declared = powers.faults.contains(&fault);
        let lacking = powers.lacks.get(&fault);
        assert_ne!(
            declared,
            lacking.is_some(),
            "{fault:?} is declared once, as given or as lacking"
        );
        assert!(
            lacking.is_none_or(|reason| !reason.is_empty()),
            "{fault:?} is lacking without a reason"
        );
        assert_eq!(
            harness.inject(fault, 1).await,
            declared,
            "{fault:?}: injected where declared, and only there"
        );
    }
}

/// The same account has the same identity, whoever asks: reauthorizing depends on it.
pub async fn the_account_is_the_same_each_time<H: Harness>() {
    let harness = H::start().await;
    let first = harness
        .connector()
        .check(&context())
        .await
        .expect("the credentials are right");
    let second = harness
        .connector()
        .check(&context())
        .await
        .expect("the credentials are right");
    assert_eq!(first, second);
    assert!(!first.identity.is_empty() && !first.display_name.is_empty());
}

/// Secrets are in no log line at the finest level, in no `Debug` output, in no declaration, error or document.
pub async fn no_secret_shows_anywhere<H: Harness>() {
    let (log, _guard) = Log::start();
    let harness = H::start().await;
    let connector = harness.connector();
    let mut told = format!("{:?}", connector.check(&context()).await);
    let entities = &connector.info().entities;
    for entity in entities {
        told += &format!("{:?}", whole(&*connector, entity).await);
    }
    for fault in harness.powers().faults {
        harness.inject(fault, 30).await;
        let page = Plan::all(&entities[0].streams[0]).step(&*connector).await;
        told += &format!("{page:?}");
        if let Err(error) = page {
            told += &error.to_string();
        }
    }
    told += &format!("{connector:?} {:?}", connector.info());
    told += &log.text();
    let secrets = connector
        .info()
        .settings
        .iter()
        .filter(|field| field.kind == SettingKind::Secret);
    let canaries = harness.canaries();
    assert!(
        canaries.len() >= secrets.count(),
        "the harness knows a canary for each secret setting"
    );
    for canary in canaries {
        assert!(
            canary.len() > 5,
            "a canary is too short to be told from other text"
        );
        assert!(!told.contains(&canary), "a secret shows");
    }
}

#[cfg(test)]
mod tests {
    use wrenchtime_connector::{EntityName, SystemName};
    use wrenchtime_model::IdentityClass;

    use super::*;

    /// Says what is wrong with these joins, by entity.
    fn complaint(joins: &[(&'static str, &[&'static str])]) -> Option<String> {
        let mut info = ConnectorInfo::new(SystemName::from_static("x"), "X");
        for (name, joined) in joins {
            let class = IdentityClass::new(*name);
            let entity = EntityInfo::new(EntityName::from_static(name), Vec::new(), class);
            let joined = joined.iter().copied().map(EntityName::from_static);
            info.entities.push(entity.with_joins(joined));
        }
        let caught = std::panic::catch_unwind(|| check_joins(&info)).err()?;
        caught.downcast_ref::<String>().cloned()
    }

    #[test]
    fn joins_lead_somewhere_and_never_in_a_circle() {
        assert_eq!(
            complaint(&[("a", &["b", "c"]), ("b", &["c"]), ("c", &[])]),
            None
        );
        let check = |joins: &[(&'static str, &[&'static str])], expected: &str| {
            let found = complaint(joins).unwrap();
            assert!(found.contains(expected), "{found}");
        };
        check(&[("a", &["b"])], "a joins b, which is not declared");
        check(&[("a", &["a"])], "a joins itself");
        check(&[("a", &["b", "b"]), ("b", &[])], "a joins an entity twice");
        check(
            &[("a", &["b"]), ("b", &["c"]), ("c", &["b"])],
            "joined in a circle",
        );
    }
}
