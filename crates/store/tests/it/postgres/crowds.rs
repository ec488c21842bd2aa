//! Readers and writers of several processes at one connection, with its lock and without. Each store handle stands for a
//! process.

use super::PostgresFixture;
use crate::crowd::{Outcome, gather};
use crate::fixture::Fixture;

/// Every commit that writes events waits up to this long before it ends, with all that it wrote not yet to be seen.
const SLOW_COMMITS: &str = "CREATE FUNCTION wrenchtime.wait() RETURNS trigger LANGUAGE plpgsql \
     AS 'BEGIN PERFORM pg_sleep(random() * 0.004); RETURN NULL; END'; \
     CREATE CONSTRAINT TRIGGER wait AFTER INSERT ON wrenchtime.events DEFERRABLE INITIALLY DEFERRED \
     FOR EACH ROW EXECUTE FUNCTION wrenchtime.wait()";

/// From now on the log takes two events of one sequence, so that nothing but the lock keeps them apart.
const NO_KEY: &str = "ALTER TABLE wrenchtime.events DROP CONSTRAINT events_pkey; \
     CREATE INDEX events_in_order ON wrenchtime.events (connection, sequence)";

/// From now on nobody can lock a connection's row before writing to it: no lock reaches through a function. All else is as
/// it was.
const WITHOUT_LOCK: &str = "ALTER TABLE wrenchtime.connections RENAME TO kept; \
     CREATE FUNCTION wrenchtime.found() RETURNS SETOF wrenchtime.kept LANGUAGE plpgsql \
     AS 'BEGIN RETURN QUERY SELECT * FROM wrenchtime.kept; END'; \
     CREATE VIEW wrenchtime.connections AS SELECT * FROM wrenchtime.found(); \
     CREATE FUNCTION wrenchtime.keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN UPDATE wrenchtime.kept SET \
     epoch = CASE WHEN new.epoch <> old.epoch THEN new.epoch ELSE epoch END, \
     succeeded_at = CASE WHEN new.succeeded_at IS DISTINCT FROM old.succeeded_at THEN new.succeeded_at ELSE succeeded_at END, \
     fanned_out = CASE WHEN new.fanned_out <> old.fanned_out THEN new.fanned_out ELSE fanned_out END, \
     last_sequence = new.last_sequence, last_time = new.last_time, last_document = new.last_document \
     WHERE kept.row = old.row; RETURN new; END'; \
     CREATE TRIGGER keep INSTEAD OF UPDATE ON wrenchtime.connections FOR EACH ROW EXECUTE FUNCTION wrenchtime.keep(); \
     CREATE FUNCTION wrenchtime.add() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN \
     INSERT INTO wrenchtime.kept (id, last_time) VALUES (new.id, new.last_time); RETURN new; END'; \
     CREATE TRIGGER add INSTEAD OF INSERT ON wrenchtime.connections FOR EACH ROW EXECUTE FUNCTION wrenchtime.add()";

async fn gathered(fixture: &PostgresFixture, turns: u64) -> Outcome {
    let stores = [fixture.beside(10).await, fixture.beside(10).await];
    gather(stores, fixture.clock(), turns).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_readers_miss_nothing_of_fifty_writers() {
    let fixture = PostgresFixture::new().await;
    fixture.database.run(SLOW_COMMITS).await;
    fixture.database.run(NO_KEY).await;
    gathered(&fixture, 4).await.assert_whole(4);
}

/// The same readers, where the lock is not there: they do notice.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn without_the_lock_readers_find_gaps_and_repeats() {
    let fixture = PostgresFixture::new().await;
    fixture.database.run(SLOW_COMMITS).await;
    fixture.database.run(NO_KEY).await;
    fixture.database.run(WITHOUT_LOCK).await;
    let outcome = gathered(&fixture, 2).await;
    assert!(!outcome.findings.is_empty(), "{outcome:?}");
}
