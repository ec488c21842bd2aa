//! Beginning and ending runs.

use sqlx::postgres::PgConnection;
use wrenchtime_failpoint::{self as failpoint, Point};
use wrenchtime_model::{ConnectionId, RunId};
use wrenchtime_sync::{
    Fence, Mode, NewRun, Outcome, RunFinish, RunProgress, RunReport, RunStart, RunState,
};

use super::commit::not_under_way;
use crate::codec;
use crate::columns::{
    self, Ending, EndingColumns, ISSUES_KEPT, RUNS_BEYOND, RUNS_KEPT, RunColumns, event_at_end,
    run_state,
};
use crate::error::Fault;
use crate::postgres::PostgresStore;
use crate::postgres::connection::Lane;

/// The columns of a [`RunState`], in the order of [`RunColumns`].
pub(in crate::postgres) const RUN: &str =
    "SELECT r.id, r.mode, r.started_at, r.finished_at, r.outcome, r.progress FROM runs r ";

pub(super) async fn acquire(
    store: &PostgresStore,
    connection: ConnectionId,
) -> Result<Fence, Fault> {
    let mut tx = store.write().await?;
    let lane = Lane::open(&mut tx, connection).await?;
    sqlx::query("UPDATE connections SET epoch = epoch + 1 WHERE row = $1")
        .bind(lane.row)
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(Fence {
        connection,
        epoch: lane.epoch + 1,
    })
}

pub(super) async fn begin(
    store: &PostgresStore,
    fence: &Fence,
    new: NewRun,
) -> Result<RunStart, Fault> {
    let mut tx = store.write().await?;
    let lane = Lane::fenced(&mut tx, fence).await?;
    let is_initial = |mode| lane.is_initial() && mode == Mode::Full;
    let left: Option<RunColumns> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "{RUN} WHERE r.connection = $1 AND r.finished_at IS NULL ORDER BY r.row DESC LIMIT 1"
    )))
    .bind(lane.row)
    .fetch_optional(&mut *tx)
    .await?;
    if let Some(left) = left {
        let run = run_state(left)?;
        let is_too_small = new.mode == Mode::Full && run.mode != Mode::Full;
        if !is_too_small {
            let initial = is_initial(run.mode);
            return Ok(RunStart { run, initial });
        }
        cancel_unfinished(&mut tx, lane.row, codec::micros(new.started_at)).await?;
    }
    let progress = RunProgress::default();
    sqlx::query(
        "INSERT INTO runs (id, connection, mode, started_at, progress) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(*new.id.as_uuid())
    .bind(lane.row)
    .bind(codec::to_name(&new.mode)?)
    .bind(codec::micros(new.started_at))
    .bind(codec::to_json(&progress)?)
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    let run = RunState {
        id: new.id,
        mode: new.mode,
        started_at: new.started_at,
        progress,
        finished: None,
    };
    let initial = is_initial(run.mode);
    Ok(RunStart { run, initial })
}

/// Closes what is left of a connection's runs as cancelled. Their checkpoints stay, their marks do not.
pub(in crate::postgres) async fn cancel_unfinished(
    tx: &mut PgConnection,
    lane: i64,
    at: i64,
) -> Result<(), Fault> {
    sqlx::query(
        "UPDATE runs SET finished_at = $1, outcome = $2 WHERE connection = $3 AND finished_at IS NULL",
    )
    .bind(at)
    .bind(codec::to_name(&Outcome::Cancelled)?)
    .bind(lane)
    .execute(&mut *tx)
    .await?;
    drop_marks(tx, lane).await?;
    drop_issues(tx, lane).await
}

pub(super) async fn finish(
    store: &PostgresStore,
    fence: &Fence,
    finish: RunFinish,
) -> Result<RunReport, Fault> {
    let mut tx = store.write().await?;
    let mut lane = Lane::fenced(&mut tx, fence).await?;
    let ending = ending(&mut tx, lane.row, finish.run).await?;
    let report = RunReport::new(&ending.run, &finish);
    sqlx::query("UPDATE runs SET finished_at = $1, outcome = $2, progress = $3 WHERE row = $4")
        .bind(codec::micros(finish.finished_at))
        .bind(codec::to_name(&finish.outcome)?)
        .bind(codec::to_json(&finish.progress)?)
        .bind(ending.row)
        .execute(&mut *tx)
        .await?;
    if matches!(finish.outcome, Outcome::Complete | Outcome::Partial) {
        lane.succeeded_at = Some(codec::micros(finish.finished_at));
    }
    if let Some(event) = event_at_end(&finish, &report)? {
        lane.log(&mut tx, &event, store.inner.clock.now()).await?;
    }
    lane.store(&mut tx).await?;
    clean_up(&mut tx, lane.row, &ending).await?;
    failpoint::pass(Point::FinishInside);
    tx.commit().await?;
    store.inner.mark.saw(&lane);
    store.note_mark().await;
    Ok(report)
}

/// Marks are looked for by the last of an index: while another run has a million, the server would expect to meet one of any run
/// with the first row that it looks at.
async fn ending(tx: &mut PgConnection, lane: i64, run: RunId) -> Result<Ending, Fault> {
    let found: Option<EndingColumns> = sqlx::query_as(
        "SELECT r.id, r.mode, r.started_at, r.finished_at, r.outcome, r.progress, r.row, \
         coalesce((SELECT max(m.run) FROM run_marks m WHERE m.run <= r.row) = r.row, false), EXISTS (SELECT 1 FROM row_issues i WHERE i.run = r.row), \
         EXISTS (SELECT 1 FROM runs o WHERE o.connection = r.connection LIMIT 1 OFFSET $1) \
         FROM runs r WHERE r.id = $2 AND r.connection = $3 AND r.finished_at IS NULL",
    )
    .bind(RUNS_KEPT + RUNS_BEYOND)
    .bind(*run.as_uuid())
    .bind(lane)
    .fetch_optional(tx)
    .await?;
    columns::ending(found.ok_or_else(|| not_under_way(run))?)
}

/// Nothing is left of marks; runs are remembered for a while, and those by which rows are known that cannot be read.
async fn clean_up(tx: &mut PgConnection, lane: i64, ending: &Ending) -> Result<(), Fault> {
    if ending.has_marks {
        drop_marks(tx, lane).await?;
    }
    if ending.has_issues {
        drop_issues(tx, lane).await?;
    }
    if !ending.has_old_runs {
        return Ok(());
    }
    sqlx::query(
        "DELETE FROM runs WHERE row IN (SELECT row FROM runs WHERE connection = $1 AND finished_at IS NOT NULL \
         ORDER BY id DESC OFFSET $2) AND NOT EXISTS (SELECT 1 FROM row_issues i WHERE i.run = runs.row)",
    )
    .bind(lane)
    .bind(RUNS_KEPT)
    .execute(tx)
    .await?;
    Ok(())
}

/// Leaves what was told of each row last, however many runs ago: nobody else may have looked at it since.
async fn drop_issues(tx: &mut PgConnection, lane: i64) -> Result<(), Fault> {
    sqlx::query(
        "DELETE FROM row_issues WHERE row IN (SELECT told.row FROM (SELECT i.row, i.run, \
         max(i.run) OVER (PARTITION BY i.entity, i.key, i.number, CASE WHEN i.key IS NULL THEN i.place END) AS last_run \
         FROM runs r JOIN row_issues i ON i.run = r.row WHERE r.connection = $1) told WHERE told.run < told.last_run)",
    )
    .bind(lane)
    .execute(&mut *tx)
    .await?;
    sqlx::query(
        "DELETE FROM row_issues WHERE row IN (SELECT i.row FROM runs r JOIN row_issues i ON i.run = r.row \
         WHERE r.connection = $1 ORDER BY i.row DESC OFFSET $2)",
    )
    .bind(lane)
    .bind(ISSUES_KEPT)
    .execute(tx)
    .await?;
    Ok(())
}

async fn drop_marks(tx: &mut PgConnection, lane: i64) -> Result<(), Fault> {
    sqlx::query("DELETE FROM run_marks WHERE run IN (SELECT row FROM runs WHERE connection = $1)")
        .bind(lane)
        .execute(tx)
        .await?;
    Ok(())
}
