//! Entities that are joined into others: which are read too, and which come first.

use std::collections::BTreeSet;

use wrenchtime_connector::{ConnectorInfo, EntityInfo, EntityName};

/// Returns the entities that are asked for and all that are joined into them, in waves: what is joined stands in an
/// earlier wave than what it is joined into. Within a wave they keep the order in which they are declared.
pub(crate) fn waves<'a>(
    info: &'a ConnectorInfo,
    asked: Option<&[EntityName]>,
) -> Vec<Vec<&'a EntityInfo>> {
    let wanted = wanted(info, asked);
    let mut left: Vec<&EntityInfo> = info.entities.iter().collect();
    left.retain(|entity| wanted.contains(&entity.name));
    let mut waves = Vec::new();
    while !left.is_empty() {
        let (waiting, ready): (Vec<_>, Vec<_>) = left.iter().copied().partition(|entity| {
            joined(entity).any(|name| left.iter().any(|one| one.name == *name))
        });
        if ready.is_empty() {
            // In a circle, which nobody should declare, nothing can come first.
            waves.push(waiting);
            break;
        }
        waves.push(ready);
        left = waiting;
    }
    waves
}

/// Returns what is joined into an entity.
pub(crate) fn joined(entity: &EntityInfo) -> impl Iterator<Item = &EntityName> {
    entity.joins.iter().filter(|name| **name != entity.name)
}

fn wanted<'a>(info: &'a ConnectorInfo, asked: Option<&[EntityName]>) -> BTreeSet<&'a EntityName> {
    let is_asked = |name: &EntityName| asked.is_none_or(|asked| asked.contains(name));
    let names = info.entities.iter().map(|entity| &entity.name);
    let mut found: BTreeSet<&EntityName> = names.filter(|name| is_asked(name)).collect();
    let mut new: Vec<&EntityName> = found.iter().copied().collect();
    while let Some(name) = new.pop() {
        let joins = info.entity(name).into_iter().flat_map(joined);
        new.extend(joins.filter(|name| found.insert(name)));
    }
    found
}

#[cfg(test)]
mod tests {
    use wrenchtime_connector::SystemName;
    use wrenchtime_model::IdentityClass;

    use super::*;

    fn names(
        joins: &[(&'static str, &[&'static str])],
        asked: Option<&[&'static str]>,
    ) -> Vec<String> {
        let mut info = ConnectorInfo::new(SystemName::from_static("x"), "X");
        for (name, joined) in joins {
            let class = IdentityClass::new(*name);
            let entity = EntityInfo::new(EntityName::from_static(name), Vec::new(), class);
            let joined = joined.iter().copied().map(EntityName::from_static);
            info.entities.push(entity.with_joins(joined));
        }
        let asked: Option<Vec<EntityName>> =
            asked.map(|names| names.iter().copied().map(EntityName::from_static).collect());
        let waves = waves(&info, asked.as_deref());
        let wave = |wave: &Vec<&EntityInfo>| {
            let names: Vec<&str> = wave.iter().map(|entity| entity.name.as_str()).collect();
            names.join(" ")
        };
        waves.iter().map(wave).collect()
    }

    #[test]
    fn what_is_joined_comes_first() {
        assert_eq!(names(&[("b", &[]), ("a", &[])], None), ["b a"]);
        let chain: &[(&str, &[&str])] = &[("c", &["b"]), ("d", &["a"]), ("b", &["a"]), ("a", &[])];
        assert_eq!(names(chain, None), ["a", "d b", "c"]);
        assert_eq!(names(chain, Some(&["b", "d"])), ["a", "d b"]);
        assert_eq!(names(chain, Some(&["c"])), ["a", "b", "c"]);
        assert_eq!(names(chain, Some(&["a"])), ["a"]);
        assert_eq!(names(chain, Some(&[])), [""; 0]);
    }

    #[test]
    fn what_should_not_be_declared_ends_all_the_same() {
        assert_eq!(names(&[("a", &["a"]), ("b", &["gone"])], None), ["a b"]);
        let circle: &[(&str, &[&str])] = &[("a", &["b"]), ("b", &["a"]), ("c", &["a"]), ("d", &[])];
        assert_eq!(names(circle, None), ["d", "a b c"]);
        assert_eq!(names(circle, Some(&["a"])), ["a b"]);
    }
}
