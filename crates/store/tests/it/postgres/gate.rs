//! Two calls of which the first is held where it matters most: with all written, and nothing to be seen yet.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;

use super::database::Database;

/// How long anybody waits for the other, on a machine that has much else to do.
const PATIENCE: Duration = Duration::from_secs(180);

/// Makes commits wait that wrote to a table, as long as somebody holds the lock.
fn gate(table: &str) -> String {
    format!(
        "CREATE OR REPLACE FUNCTION wrenchtime.gate() RETURNS trigger LANGUAGE plpgsql \
         AS 'BEGIN PERFORM pg_advisory_xact_lock_shared(1); RETURN NULL; END'; \
         DROP TRIGGER IF EXISTS gate ON wrenchtime.{table}; \
         CREATE CONSTRAINT TRIGGER gate AFTER INSERT OR UPDATE OR DELETE ON wrenchtime.{table} \
         DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION wrenchtime.gate()"
    )
}

async fn execute(connection: &mut PgConnection, statements: String) {
    sqlx::raw_sql(AssertSqlSafe(statements))
        .execute(connection)
        .await
        .unwrap();
}

/// Waits until so many connections wait for a lock, or there is no more need to.
async fn wait_for(watcher: &mut PgConnection, count: i64, is_over: &AtomicBool) {
    let waiting = async {
        while !is_over.load(Ordering::SeqCst) {
            let held: i64 = sqlx::query_scalar(
                "SELECT count(*) FROM pg_stat_activity, pg_sleep(0.01) \
                 WHERE datname = current_database() AND wait_event_type = 'Lock'",
            )
            .fetch_one(&mut *watcher)
            .await
            .unwrap();
            if held >= count {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap();
}

/// Holds the first call at the commit of what it wrote to a table, begins the second, and lets both go once that one waits
/// as well, or has come to its end without.
pub(super) async fn race<A: Send, B: Send>(
    database: &Database,
    table: &str,
    first: impl Future<Output = A> + Send,
    second: impl Future<Output = B> + Send,
) -> (A, B) {
    let mut holder = database.connect().await;
    execute(&mut holder, gate(table)).await;
    execute(&mut holder, "SELECT pg_advisory_lock(1)".to_owned()).await;
    let (mut early, mut late) = (database.connect().await, database.connect().await);
    let (never, is_over) = (AtomicBool::new(false), AtomicBool::new(false));
    let first = async {
        let ended = first.await;
        is_over.store(true, Ordering::SeqCst);
        ended
    };
    let second = async {
        wait_for(&mut early, 1, &never).await;
        assert!(!is_over.load(Ordering::SeqCst), "the first was not held");
        let ended = second.await;
        is_over.store(true, Ordering::SeqCst);
        ended
    };
    let opening = async {
        wait_for(&mut late, 2, &is_over).await;
        execute(&mut holder, "SELECT pg_advisory_unlock(1)".to_owned()).await;
    };
    let (first, second, ()) = tokio::join!(first, second, opening);
    execute(
        &mut holder,
        format!("DROP TRIGGER gate ON wrenchtime.{table}"),
    )
    .await;
    (first, second)
}
