//! What `Storage` promises of fences, runs and restarts.

use crate::fixture::{
    ENTITY, Fixture, Lane, Parts, STREAM, finish, missing_keys, new_run, noon, removal, second,
    sort_key,
};
use std::collections::BTreeMap;
use std::time::Duration;
use wrenchtime_connector::{Bound, Cursor};
use wrenchtime_model::{ConnectionId, EventBody, EventType, Resource};
use wrenchtime_service::storage::ConnectionStore;
use wrenchtime_sync::{
    Absence, Counts, Marks, Mode, Outcome, Pass, Storage, StorageError, StreamState,
};

pub(crate) async fn an_unknown_connection_is_refused<F: Fixture>() {
    let fixture = F::new().await;
    let id = ConnectionId::new();
    let refused = fixture.store().acquire(id).await;
    assert!(matches!(refused, Err(StorageError::NoConnection(refused)) if refused == id));
}

pub(crate) async fn a_replaced_runner_writes_nothing<F: Fixture>() {
    let fixture = F::new().await;
    let lane = Lane::begin(&fixture).await;
    lane.commit(vec![lane.document("1", "pump")]).await;
    let newer = lane.store.acquire(lane.id).await.unwrap();
    assert!(newer.epoch > lane.fence.epoch);

    let page = lane.page(vec![lane.document("2", "fan")]);
    lane.assert_fenced(&lane.store.commit(&lane.fence, page).await);
    let gone = removal(&lane, &["1"], 9);
    lane.assert_fenced(&lane.store.remove(&lane.fence, gone).await);
    let end = finish(lane.run, Outcome::Complete);
    lane.assert_fenced(&lane.store.finish_run(&lane.fence, end).await);
    let run = new_run(Mode::Full);
    lane.assert_fenced(&lane.store.begin_run(&lane.fence, run).await);

    assert_eq!(lane.changes().await.len(), 1);
    assert_eq!(lane.known("2").await, None);
    assert!(!lane.known("1").await.unwrap().gone);
}

pub(crate) async fn an_unfinished_run_is_gone_on_with<F: Fixture>() {
    let fixture = F::new().await;
    let lane = Lane::begin(&fixture).await;
    let mut page = lane.page(vec![lane.document("1", "pump")]);
    page.progress.pages = 4;
    page.state.pass = Some(Pass {
        run: lane.run,
        started_at: noon(),
        observation: 7,
        from: None,
        cursor: Cursor::from_text("next"),
        position: Some(sort_key("1")),
        largest: None,
        rows: 1,
        blind: false,
        since: Some(second(1)),
    });
    let state = page.state.clone();
    lane.store.commit(&lane.fence, page).await.unwrap();
    let (id, run) = (lane.id, lane.run);

    let fixture = fixture.reopen().await;
    let store = fixture.store();
    let fence = store.acquire(id).await.unwrap();
    let start = store
        .begin_run(&fence, new_run(Mode::Incremental))
        .await
        .unwrap();
    assert_eq!(
        (start.run.id, start.run.mode, start.initial),
        (run, Mode::Full, true)
    );
    assert_eq!(
        (start.run.progress.pages, start.run.started_at),
        (4, noon())
    );
    let states = store.stream_states(id).await.unwrap();
    assert_eq!(states, BTreeMap::from([(STREAM, state)]));
}

pub(crate) async fn a_full_run_takes_the_place_of_a_lesser_one<F: Fixture>() {
    let fixture = F::new().await;
    let lane = Lane::begin(&fixture).await;
    let end = finish(lane.run, Outcome::Complete);
    lane.store.finish_run(&lane.fence, end).await.unwrap();
    let lesser = new_run(Mode::Incremental);
    lane.store
        .begin_run(&lane.fence, lesser.clone())
        .await
        .unwrap();
    let full = new_run(Mode::Full);
    let start = lane
        .store
        .begin_run(&lane.fence, full.clone())
        .await
        .unwrap();
    assert_eq!(
        (start.run.id, start.run.finished, start.initial),
        (full.id, None, false)
    );
    let left = lane.store.run(lane.id, lesser.id).await.unwrap().unwrap();
    assert_eq!(left.finished, Some((noon(), Outcome::Cancelled)));
    let told = lane.events().await;
    assert_eq!(
        told.len(),
        1,
        "only the end of the first run is told: {told:?}"
    );
}

pub(crate) async fn a_run_that_another_takes_the_place_of_leaves_no_marks<F: Fixture>() {
    let fixture = F::new().await;
    let lane = Lane::begin(&fixture).await;
    lane.commit(vec![lane.document("a", "a")]).await;
    let end = finish(lane.run, Outcome::Complete);
    lane.store.finish_run(&lane.fence, end).await.unwrap();
    let lesser = new_run(Mode::Incremental);
    lane.store
        .begin_run(&lane.fence, lesser.clone())
        .await
        .unwrap();
    let mut page = lane.page(Vec::new());
    page.run = lesser.id;
    page.marks = Marks::Absent(vec![sort_key("a")]);
    lane.store.commit(&lane.fence, page).await.unwrap();
    let absence = Absence {
        run: lesser.id,
        entity: ENTITY,
        by_seen: false,
        observation: 9,
    };
    assert_eq!(missing_keys(&lane, &absence).await, ["a"]);
    lane.store
        .begin_run(&lane.fence, new_run(Mode::Full))
        .await
        .unwrap();
    assert!(missing_keys(&lane, &absence).await.is_empty());
}

pub(crate) async fn first_runs_are_initial_until_one_succeeds<F: Fixture>() {
    for (outcome, still) in [
        (Outcome::Failed, true),
        (Outcome::Cancelled, true),
        (Outcome::Partial, false),
        (Outcome::Complete, false),
    ] {
        let fixture = F::new().await;
        let lane = Lane::begin(&fixture).await;
        let end = finish(lane.run, outcome);
        lane.store.finish_run(&lane.fence, end).await.unwrap();
        let start = lane
            .store
            .begin_run(&lane.fence, new_run(Mode::Full))
            .await
            .unwrap();
        assert_eq!(start.initial, still, "{outcome:?}");
    }
}

pub(crate) async fn the_end_of_a_run_is_told<F: Fixture>() {
    for (outcome, told) in [
        (Outcome::Complete, vec![EventType::SyncCompleted]),
        (Outcome::Partial, vec![EventType::SyncCompleted]),
        (Outcome::Failed, vec![EventType::SyncFailed]),
        (Outcome::Cancelled, vec![]),
    ] {
        let fixture = F::new().await;
        let lane = Lane::begin(&fixture).await;
        let mut end = finish(lane.run, outcome);
        let counts = Counts {
            fetched: 7,
            ..Counts::default()
        };
        end.progress.resources.insert(Resource::Asset, counts);
        let report = lane
            .store
            .finish_run(&lane.fence, end.clone())
            .await
            .unwrap();
        assert_eq!((report.id, report.outcome), (lane.run, outcome));
        assert_eq!(
            (report.started_at, report.finished_at),
            (noon(), second(60))
        );
        let events = lane.events().await;
        let types: Vec<_> = events.iter().map(|event| event.body.event_type()).collect();
        assert_eq!(types, told);
        if !told.is_empty() {
            let EventBody::Lifecycle { data, .. } = &events[0].body else {
                panic!("{events:?}");
            };
            assert_eq!(*data, serde_json::to_value(&report).unwrap());
        }
        let run = lane.store.run(lane.id, lane.run).await.unwrap().unwrap();
        assert_eq!(run.finished, Some((second(60), outcome)));
        assert_eq!(run.progress, end.progress);
        let again = lane.store.finish_run(&lane.fence, end).await;
        assert!(matches!(again, Err(StorageError::Corrupt(_))), "{again:?}");
    }
}

pub(crate) async fn a_run_leaves_checkpoints_and_no_marks<F: Fixture>() {
    let fixture = F::new().await;
    let lane = Lane::begin(&fixture).await;
    let mut page = lane.page(vec![lane.document("a", "a")]);
    page.marks = Marks::Absent(vec![sort_key("a")]);
    page.state.completed_at = Some(second(3));
    let state = page.state.clone();
    lane.store.commit(&lane.fence, page).await.unwrap();
    let absence = Absence {
        run: lane.run,
        entity: ENTITY,
        by_seen: false,
        observation: 9,
    };
    assert_eq!(missing_keys(&lane, &absence).await, ["a"]);
    let end = finish(lane.run, Outcome::Cancelled);
    lane.store.finish_run(&lane.fence, end).await.unwrap();
    assert!(missing_keys(&lane, &absence).await.is_empty());
    let states = lane.store.stream_states(lane.id).await.unwrap();
    assert_eq!(states, BTreeMap::from([(STREAM, state)]));
}

pub(crate) async fn a_run_that_is_not_under_way_takes_no_page<F: Fixture>() {
    let fixture = F::new().await;
    let lane = Lane::begin(&fixture).await;
    let end = finish(lane.run, Outcome::Complete);
    lane.store.finish_run(&lane.fence, end).await.unwrap();
    let page = lane.page(vec![lane.document("1", "pump")]);
    let refused = lane.store.commit(&lane.fence, page).await;
    assert!(
        matches!(refused, Err(StorageError::Corrupt(_))),
        "{refused:?}"
    );
    assert_eq!(lane.known("1").await, None);
}

pub(crate) async fn connections_do_not_see_each_other<F: Fixture>() {
    let fixture = F::new().await;
    let (one, other) = (Lane::begin(&fixture).await, Lane::begin(&fixture).await);
    one.commit(vec![one.document("1", "pump")]).await;
    other.commit(vec![other.document("1", "fan")]).await;
    assert_eq!(one.record("1").await.content(), r#"{"name":"pump"}"#);
    assert_eq!(other.record("1").await.content(), r#"{"name":"fan"}"#);
    assert_eq!(
        (one.events().await.len(), other.events().await[0].sequence),
        (1, 1)
    );
    let gone = removal(&one, &["1"], 9);
    one.store.remove(&one.fence, gone).await.unwrap();
    assert!(!other.record("1").await.envelope().deleted);
    let nobody = ConnectionId::new();
    assert!(one.store.stream_states(nobody).await.unwrap().is_empty());
}

pub(crate) async fn everything_is_there_after_a_restart<F: Fixture>() {
    let fixture = F::new().await;
    let lane = Lane::begin(&fixture).await;
    let mut page = lane.page(vec![lane.document("1", "pump"), lane.document("2", "fan")]);
    page.state = StreamState {
        bound: Some(Bound::Token("t".to_owned())),
        completed_at: Some(second(1)),
        ..StreamState::default()
    };
    lane.store.commit(&lane.fence, page).await.unwrap();
    let (id, fence, run) = (lane.id, lane.fence, lane.run);
    let (records, events) = (lane.records(Resource::Asset).await, lane.events().await);
    let known = lane.known("1").await;

    let fixture = fixture.reopen().await;
    fixture.clock().set(noon() - Duration::from_secs(60));
    let lane = Lane::<F> {
        store: fixture.store(),
        id,
        fence,
        run,
    };
    assert_eq!(lane.records(Resource::Asset).await, records);
    assert_eq!(lane.events().await, events);
    assert_eq!(lane.known("1").await, known);
    lane.commit(vec![lane.document("3", "belt")]).await;
    let newest = &lane.events().await[2];
    assert!(newest.sequence == 3 && newest.time > events[1].time);
}
