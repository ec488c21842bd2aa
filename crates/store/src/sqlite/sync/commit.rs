//! One page, in one transaction.

use sqlx::sqlite::SqliteConnection;
use sqlx::{QueryBuilder, Sqlite};
use wrenchtime_connector::SortKey;
use wrenchtime_failpoint::{self as failpoint, Point};
use wrenchtime_model::RunId;
use wrenchtime_sync::{Fence, Marks, PageCommit, PageOutcome, RunProgress, Written};

use super::{bulk, retry, suspicions};
use crate::codec;
use crate::columns::{ISSUES_OF_RUN, Numbers};
use crate::error::Fault;
use crate::page::{Page, Stored, key_of};
use crate::sqlite::SqliteStore;
use crate::sqlite::connection::Lane;

/// With three parameters for each mark, a statement stays below SQLite's 32,766.
const MARKS_AT_ONCE: usize = 8_000;

pub(super) async fn commit(
    store: &SqliteStore,
    fence: &Fence,
    commit: PageCommit,
) -> Result<PageOutcome, Fault> {
    let mut tx = store.write().await?;
    let mut lane = Lane::fenced(&mut tx, fence).await?;
    let run = run_under_way(&mut tx, lane.row, commit.run).await?;
    let stored = stored(&mut tx, lane.row, &commit).await?;
    let next_row = if commit.documents.is_empty() {
        0
    } else {
        bulk::next_document(&mut tx).await?
    };
    let mut page = Page::new(
        fence.connection,
        stored,
        next_row,
        lane.clock,
        store.inner.clock.now(),
    );
    for document in &commit.documents {
        page.write(document);
    }
    bulk::write(&mut tx, lane.row, &page, commit.initial).await?;
    write_marks(&mut tx, run, &commit).await?;
    write_state(&mut tx, lane.row, &commit).await?;
    retry::settle(&mut tx, lane.row, &commit).await?;
    write_issues(&mut tx, run, &commit).await?;
    let outcome = page.outcome;
    write_progress(&mut tx, run, commit.progress, &outcome).await?;
    lane.clock = page.clock;
    suspicions::judge(&mut tx, lane.row, (&commit.stream, &commit.judgement)).await?;
    for event in &commit.events {
        lane.log(&mut tx, event, store.inner.clock.now()).await?;
    }
    lane.store(&mut tx).await?;
    failpoint::pass(Point::CommitInside);
    tx.commit().await?;
    Ok(outcome)
}

/// Returns the row of a run that is not at its end.
pub(super) async fn run_under_way(
    tx: &mut SqliteConnection,
    lane: i64,
    run: RunId,
) -> Result<i64, Fault> {
    let row: Option<i64> = sqlx::query_scalar(
        "SELECT row FROM runs WHERE id = ? AND connection = ? AND finished_at IS NULL",
    )
    .bind(*run.as_uuid())
    .bind(lane)
    .fetch_optional(tx)
    .await?;
    row.ok_or_else(|| not_under_way(run))
}

pub(super) fn not_under_way(run: RunId) -> Fault {
    Fault::Corrupt(format!("run {run} is not under way"))
}

async fn stored(
    tx: &mut SqliteConnection,
    lane: i64,
    commit: &PageCommit,
) -> Result<Stored, Fault> {
    let keys = commit.documents.iter().map(|write| &write.sort_key);
    let mut stored = bulk::documents(tx, lane, &commit.entity, keys).await?;
    let made = commit
        .documents
        .iter()
        .flat_map(|write| match &write.written {
            Written::Mapped { records, .. } => records.as_slice(),
            Written::Quarantined { .. } => &[],
        });
    bulk::records(tx, lane, made.map(key_of), &mut stored).await?;
    Ok(stored)
}

async fn write_state(
    tx: &mut SqliteConnection,
    lane: i64,
    commit: &PageCommit,
) -> Result<(), Fault> {
    sqlx::query(
        "INSERT INTO stream_states (connection, stream, completed_at, state) VALUES (?, ?, ?, ?) \
         ON CONFLICT DO UPDATE SET completed_at = excluded.completed_at, state = excluded.state",
    )
    .bind(lane)
    .bind(commit.stream.as_str())
    .bind(commit.state.completed_at.map(codec::micros))
    .bind(codec::to_json(&commit.state)?)
    .execute(tx)
    .await?;
    Ok(())
}

async fn write_marks(
    tx: &mut SqliteConnection,
    run: i64,
    commit: &PageCommit,
) -> Result<(), Fault> {
    let keys: &[SortKey] = match &commit.marks {
        Marks::None => &[],
        Marks::Absent(keys) | Marks::Seen(keys) => keys,
    };
    for keys in keys.chunks(MARKS_AT_ONCE) {
        let mut query =
            QueryBuilder::<Sqlite>::new("INSERT INTO run_marks (run, entity, sort_key) ");
        query.push_values(keys, |mut row, key| {
            row.push_bind(run)
                .push_bind(commit.entity.as_str())
                .push_bind(key.as_str());
        });
        query.push(" ON CONFLICT DO NOTHING");
        query.build().persistent(false).execute(&mut *tx).await?;
    }
    Ok(())
}

async fn write_issues(
    tx: &mut SqliteConnection,
    run: i64,
    commit: &PageCommit,
) -> Result<(), Fault> {
    if commit.issues.is_empty() {
        return Ok(());
    }
    let kept: i64 = sqlx::query_scalar("SELECT count(*) FROM row_issues WHERE run = ?")
        .bind(run)
        .fetch_one(&mut *tx)
        .await?;
    let room = usize::try_from(ISSUES_OF_RUN - kept).unwrap_or(0);
    if room == 0 {
        return Ok(());
    }
    let mut query = QueryBuilder::<Sqlite>::new(
        "INSERT INTO row_issues (run, entity, key, place, number, reason) ",
    );
    let mut numbers = Numbers::default();
    query.push_values(commit.issues.iter().take(room), |mut row, issue| {
        row.push_bind(run)
            .push_bind(commit.entity.as_str())
            .push_bind(
                issue
                    .key
                    .as_ref()
                    .map(wrenchtime_connector::RemoteKey::as_str),
            )
            .push_bind(issue.place.as_str())
            .push_bind(numbers.of(issue))
            .push_bind(issue.reason.as_str());
    });
    query.build().persistent(false).execute(tx).await?;
    Ok(())
}

async fn write_progress(
    tx: &mut SqliteConnection,
    run: i64,
    mut progress: RunProgress,
    outcome: &PageOutcome,
) -> Result<(), Fault> {
    progress.add(outcome);
    sqlx::query("UPDATE runs SET progress = ? WHERE row = ?")
        .bind(codec::to_json(&progress)?)
        .bind(run)
        .execute(tx)
        .await?;
    Ok(())
}
