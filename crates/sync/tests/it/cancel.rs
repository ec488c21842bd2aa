//! Runs that are ended from outside.

use std::time::Duration;

use wrenchtime_connector::{Clock, EntityName};
use wrenchtime_model::EventType;
use wrenchtime_sync::{Fault, Mode, Outcome};

use crate::source::{Asked, Op, Shape};
use crate::support::World;

#[tokio::test]
async fn a_cancelled_run_ends_with_its_page_and_the_next_goes_on_there() {
    let world = World::with_rows(Shape::default(), 40);
    let request = world.request(Mode::Full);
    let cancel = request.cancel.clone();
    world.source.at_request(5, move |_| cancel.cancel());
    let report = world.send(request).await.unwrap();
    assert_eq!(report.outcome, Outcome::Cancelled);
    assert!(world.lifecycle().is_empty());
    let copied = world.copy().len();
    assert!((12..=20).contains(&copied), "{copied}");
    world.source.asked();
    let report = world.run(Mode::Full).await.unwrap();
    assert_eq!(report.outcome, Outcome::Complete);
    let asked = world.source.asked();
    assert!(
        matches!(&asked[0], Asked::Page(_, None, Some(_))),
        "{:?}",
        asked[0]
    );
    world.assert_true();
    assert_eq!(world.lifecycle()[0].0, EventType::SyncCompleted);
    // No listing was whole yet, so the next run still has one to do.
    world.source.act(&Op::Remove { key: 1 });
    world.run(Mode::Incremental).await.unwrap();
    world.assert_true();
}

#[tokio::test]
async fn a_run_says_that_it_ends_before_anybody_can_see_it() {
    let begin = || World::with_rows(Shape::default(), 10);
    let rehearsal = begin();
    rehearsal.run(Mode::Full).await.unwrap();
    // The last call that writes stores the end.
    let last = rehearsal.storage.writes().calls;
    let requests = rehearsal.source.asked().len();
    let world = begin();
    let request = world.request(Mode::Full);
    let ending = request.ending.clone();
    let (seen, told) = std::sync::mpsc::channel();
    for number in 1..=requests {
        let (ending, seen) = (ending.clone(), seen.clone());
        world.source.at_request(number, move |_| {
            seen.send(ending.is_cancelled()).unwrap();
        });
    }
    world.storage.fail(Fault::Before(last));
    world.send(request).await.unwrap_err();
    let told: Vec<bool> = told.try_iter().collect();
    assert_eq!(told, vec![false; requests]);
    assert!(ending.is_cancelled());
}

#[tokio::test]
async fn a_wait_between_repetitions_can_be_cancelled() {
    let world = World::with_rows(Shape::default(), 3);
    let request = world.request(Mode::Full);
    let cancel = request.cancel.clone();
    let busy = || {
        wrenchtime_connector::Error::new(wrenchtime_connector::ErrorKind::Unavailable, "ask: busy")
    };
    world.source.at_request(1, move |_| cancel.cancel());
    world.source.fail([Some(busy())]);
    let before = world.clock.now();
    let report = world.send(request).await.unwrap();
    assert_eq!(report.outcome, Outcome::Cancelled);
    assert!(world.clock.now() - before < chrono::TimeDelta::seconds(1));
}

#[tokio::test]
async fn progress_is_told_while_the_run_goes_on() {
    let world = World::with_rows(Shape::default(), 40);
    let request = world.request(Mode::Full);
    let progress = request.progress.subscribe();
    let (seen, told) = std::sync::mpsc::channel();
    for number in 1..8 {
        let progress = progress.clone();
        let seen = seen.clone();
        world.source.at_request(number, move |_| {
            seen.send(progress.borrow().pages).unwrap();
        });
    }
    let report = world.send(request).await.unwrap();
    let told: Vec<u64> = told.try_iter().collect();
    assert!(told.is_sorted() && told[6] >= 4, "{told:?}");
    assert_eq!(progress.borrow().pages, report.progress.pages);
    assert_eq!(report.progress.streams_done, 2);
    assert_eq!(report.progress.streams_total, 2);
}

#[tokio::test]
async fn only_the_entities_asked_for_are_read() {
    let shape = Shape {
        tables: vec!["pumps", "valves"],
        ..Shape::default()
    };
    let world = World::with_rows(shape, 3);
    world.source.put_into("valves", 1, 1);
    let mut request = world.request(Mode::Full);
    request.entities = Some(vec![wrenchtime_connector::EntityName::from_static(
        "valves",
    )]);
    world.send(request).await.unwrap();
    assert_eq!(world.storage.documents(world.connection).len(), 1);
    let mut request = world.request(Mode::Full);
    request.entities = Some(vec![wrenchtime_connector::EntityName::from_static(
        "motors",
    )]);
    let error = world.send(request).await.unwrap_err();
    assert_eq!(error.to_string(), "the system has no entity motors");
}

#[tokio::test]
async fn a_listing_is_due_again_after_its_interval() {
    let world = World::with_rows(Shape::default(), 9);
    world.run(Mode::Full).await.unwrap();
    world.source.act(&Op::Child { key: 4, child: 8 });
    world
        .clock
        .advance(std::time::Duration::from_secs(20 * 3_600));
    world.run(Mode::Incremental).await.unwrap();
    assert_ne!(world.copy(), world.truth());
    world
        .clock
        .advance(std::time::Duration::from_secs(4 * 3_600));
    world.run(Mode::Incremental).await.unwrap();
    world.assert_true();
}

#[tokio::test]
async fn a_connection_that_is_read_daily_is_listed_daily() {
    let world = World::with_rows(Shape::default(), 12);
    let start = world.clock.now();
    world.run(Mode::Full).await.unwrap();
    let mut listed = Vec::new();
    for day in 1..5 {
        let at = start + chrono::TimeDelta::days(day);
        let left = at - world.clock.now();
        world.clock.advance(left.to_std().unwrap());
        world.source.asked();
        world.run(Mode::Incremental).await.unwrap();
        let is_listing =
            |one: &Asked| matches!(one, Asked::Page(stream, ..) if stream.as_str() == "pumps-all");
        listed.push(world.source.asked().iter().any(is_listing));
    }
    assert_eq!(listed, [true; 4]);
}

#[tokio::test]
async fn what_nothing_but_its_listing_tells_of_is_listed_when_it_is_asked_for() {
    let shape = Shape {
        changes: None,
        ..Shape::default()
    };
    let world = World::with_rows(shape, 12);
    world.run(Mode::Full).await.unwrap();
    world.put(3, 80);
    world.clock.advance(Duration::from_secs(60 * 60));
    world.run(Mode::Incremental).await.unwrap();
    assert_ne!(world.copy(), world.truth(), "once a day by itself");
    let mut request = world.request(Mode::Incremental);
    request.entities = Some(vec![EntityName::from_static("pumps")]);
    world.send(request).await.unwrap();
    world.assert_true();
}
