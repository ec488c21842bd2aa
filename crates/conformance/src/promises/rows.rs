//! Rows by key, and what becomes of them.

use std::collections::{BTreeMap, BTreeSet};

use wrenchtime_connector::{Document, ErrorKind, Mapper, RemoteKey, Yields};
use wrenchtime_model::{ConnectionId, RecordId};

use crate::Harness;
use crate::reading::{Plan, context, fail, fetch, whole};

/// Fetching by key yields the rows that the stubs named, leaves out what is gone, and shows a row as streams of
/// documents do.
pub async fn stubs_are_completed_by_fetch<H: Harness>() {
    let harness = H::start().await;
    let connector = harness.connector();
    for entity in connector
        .info()
        .entities
        .iter()
        .filter(|entity| entity.fetch_limit.is_some())
    {
        for stream in &entity.streams {
            let pass = Plan::all(stream).read(&*connector).await;
            let keys: Vec<RemoteKey> = pass.keys().into_iter().collect();
            let fetched: BTreeMap<RemoteKey, Document> = fetch(&*connector, entity, &keys)
                .await
                .into_iter()
                .map(|document| (document.key.clone(), document))
                .collect();
            assert_eq!(
                fetched.keys().cloned().collect::<BTreeSet<_>>(),
                pass.keys(),
                "{}",
                stream.name
            );
            for row in &pass.rows {
                let document = &fetched[&row.key];
                assert_eq!(document.entity, entity.name);
                if let Some(listed) = &row.document {
                    assert_eq!(
                        listed.hash(),
                        document.hash(),
                        "{}: {}",
                        stream.name,
                        row.key
                    );
                }
                if stream.yields == Yields::Stubs && row.version.is_some() {
                    assert_eq!(
                        document.version, row.version,
                        "{}: {}",
                        stream.name, row.key
                    );
                }
            }
        }
        let gone = [RemoteKey::new("1999999999")];
        let nothing = fetch(&*connector, entity, &gone).await;
        assert!(
            nothing.is_empty(),
            "{}: a row that never was is left out",
            entity.name
        );
    }
}

/// Where fetching is not declared it is refused, and the source is not troubled.
pub async fn fetching_is_refused_without_a_request_where_it_is_not_declared<H: Harness>() {
    let harness = H::start().await;
    let connector = harness.connector();
    for entity in &connector.info().entities {
        let key = whole(&*connector, entity).await[0].key.clone();
        let before = harness.requests();
        let fetched = connector.fetch(&context(), &entity.name, &[key]).await;
        match (entity.fetch_limit, fetched) {
            (None, Err(error)) => {
                assert_eq!(error.kind(), ErrorKind::Unsupported, "{}", entity.name);
                assert_eq!(
                    harness.requests(),
                    before,
                    "{}: a request was sent",
                    entity.name
                );
            }
            (None, Ok(_)) => fail(&format!(
                "{}: rows are fetched, though none is declared",
                entity.name
            )),
            (Some(_), fetched) => assert_eq!(
                fetched.map(|rows| rows.len()).ok(),
                Some(1),
                "{}",
                entity.name
            ),
        }
    }
}

/// Every row of the source becomes records of the resources that its entity declares, with ids that follow from its class.
pub async fn every_document_maps_to_declared_records<H: Harness>() {
    let harness = H::start().await;
    let connector = harness.connector();
    let (mapper, connection) = (harness.mapper(), ConnectionId::new());
    let mut made = BTreeSet::new();
    for entity in &connector.info().entities {
        let mut made_here = BTreeSet::new();
        for document in whole(&*connector, entity).await {
            let mapped = map(&*mapper, connection, &document);
            for record in mapped {
                assert!(
                    entity.resources.contains(&record.resource),
                    "{}: {}",
                    entity.name,
                    record.resource
                );
                let id = RecordId::derive(connection, &entity.class, record.remote_key.as_str());
                assert_eq!(record.id, id, "{}: {}", entity.name, document.key);
                let content: serde_json::Value =
                    serde_json::from_str(record.content.get()).expect("content is JSON");
                let fields = content.as_object().map_or(0, serde_json::Map::len);
                assert!(
                    fields > 0,
                    "{}: {} became nothing",
                    entity.name,
                    document.key
                );
                made_here.insert(record.resource);
            }
        }
        let declared: BTreeSet<_> = entity.resources.iter().copied().collect();
        assert_eq!(
            made_here, declared,
            "{}: its rows become what is declared, and the source holds rows of each kind",
            entity.name
        );
        made.extend(made_here);
    }
    let declared: BTreeSet<_> = connector
        .info()
        .resources
        .iter()
        .map(|resource| resource.resource)
        .collect();
    assert_eq!(
        made, declared,
        "the source holds rows of every declared resource"
    );
}

pub(super) fn map(
    mapper: &dyn Mapper,
    connection: ConnectionId,
    document: &Document,
) -> Vec<wrenchtime_connector::Mapped> {
    mapper.map(connection, document).unwrap_or_else(|error| {
        fail(&format!(
            "{} {} does not map: {error}",
            document.entity, document.key
        ))
    })
}
