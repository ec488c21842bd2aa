//! One page, in one transaction.

use sqlx::postgres::PgConnection;
use wrenchtime_connector::SortKey;
use wrenchtime_failpoint::{self as failpoint, Point};
use wrenchtime_model::RunId;
use wrenchtime_sync::{Fence, Marks, PageCommit, PageOutcome, RunProgress, Written};

use super::{bulk, retry, suspicions};
use crate::codec;
use crate::columns::{ISSUES_OF_RUN, Numbers};
use crate::error::Fault;
use crate::page::{Page, Stored, key_of};
use crate::postgres::PostgresStore;
use crate::postgres::connection::Lane;
use crate::postgres::text::Text;

pub(super) async fn commit(
    store: &PostgresStore,
    fence: &Fence,
    commit: PageCommit,
) -> Result<PageOutcome, Fault> {
    let mut tx = store.write().await?;
    let mut lane = Lane::fenced(&mut tx, fence).await?;
    let run = run_under_way(&mut tx, lane.row, commit.run).await?;
    let stored = stored(&mut tx, lane.row, &commit).await?;
    let next_row = lane.last_document + 1;
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
    retry::settle(&mut tx, lane.row, &commit).await?;
    write_issues(&mut tx, run, &commit).await?;
    let written = page.documents.len();
    let rows = page.documents.iter().map(|document| document.row);
    lane.last_document = rows.fold(lane.last_document, i64::max);
    lane.clock = page.clock;
    let outcome = page.outcome;
    suspicions::judge(&mut tx, lane.row, (&commit.stream, &commit.judgement)).await?;
    for event in &commit.events {
        lane.log(&mut tx, event, store.inner.clock.now()).await?;
    }
    let mut progress = commit.progress.clone();
    progress.add(&outcome);
    write_ledger(&mut tx, &lane, &commit, (run, &progress)).await?;
    failpoint::pass(Point::CommitInside);
    tx.commit().await?;
    store.inner.mark.saw(&lane);
    store.wrote(written).await;
    Ok(outcome)
}

/// Returns the row of a run that is not at its end.
pub(super) async fn run_under_way(
    tx: &mut PgConnection,
    lane: i64,
    run: RunId,
) -> Result<i64, Fault> {
    let row: Option<i64> = sqlx::query_scalar(
        "SELECT row FROM runs WHERE id = $1 AND connection = $2 AND finished_at IS NULL",
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

async fn stored(tx: &mut PgConnection, lane: i64, commit: &PageCommit) -> Result<Stored, Fault> {
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

async fn write_marks(tx: &mut PgConnection, run: i64, commit: &PageCommit) -> Result<(), Fault> {
    let keys: &[SortKey] = match &commit.marks {
        Marks::None => return Ok(()),
        Marks::Absent(keys) | Marks::Seen(keys) => keys,
    };
    let keys: Vec<Text<'_>> = keys.iter().map(|key| Text::new(key.as_str())).collect();
    sqlx::query(
        "INSERT INTO run_marks (run, entity, sort_key) SELECT $1, $2, k FROM UNNEST($3::text[]) AS k \
         ON CONFLICT DO NOTHING",
    )
    .bind(run)
    .bind(Text::new(commit.entity.as_str()))
    .bind(keys)
    .execute(tx)
    .await?;
    Ok(())
}

async fn write_issues(tx: &mut PgConnection, run: i64, commit: &PageCommit) -> Result<(), Fault> {
    if commit.issues.is_empty() {
        return Ok(());
    }
    let kept: i64 = sqlx::query_scalar("SELECT count(*) FROM row_issues WHERE run = $1")
        .bind(run)
        .fetch_one(&mut *tx)
        .await?;
    let room = usize::try_from(ISSUES_OF_RUN - kept).unwrap_or(0);
    let issues = || commit.issues.iter().take(room);
    let keys = issues().map(|issue| issue.key.as_ref().map(|key| Text::new(key.as_str())));
    let places = issues().map(|issue| Text::new(&issue.place));
    let mut numbers = Numbers::default();
    let numbers = issues().map(|issue| numbers.of(issue));
    let reasons = issues().map(|issue| Text::new(&issue.reason));
    sqlx::query(
        "INSERT INTO row_issues (run, entity, key, place, number, reason) SELECT $1, $2, i.* \
         FROM UNNEST($3::text[], $4::text[], $5::bigint[], $6::text[]) AS i (key, place, number, reason)",
    )
    .bind(run)
    .bind(Text::new(commit.entity.as_str()))
    .bind(keys.collect::<Vec<_>>())
    .bind(places.collect::<Vec<_>>())
    .bind(numbers.collect::<Vec<_>>())
    .bind(reasons.collect::<Vec<_>>())
    .execute(tx)
    .await?;
    Ok(())
}

/// Writes what stands beside the rows of a page: checkpoint, progress and the connection's own counters.
async fn write_ledger(
    tx: &mut PgConnection,
    lane: &Lane,
    commit: &PageCommit,
    (run, progress): (i64, &RunProgress),
) -> Result<(), Fault> {
    sqlx::query(
        "WITH checkpoint AS (INSERT INTO stream_states (connection, stream, completed_at, state) \
         VALUES ($1, $2, $3, $4) ON CONFLICT (connection, stream) \
         DO UPDATE SET completed_at = excluded.completed_at, state = excluded.state), \
         progress AS (UPDATE runs SET progress = $5 WHERE row = $6) \
         UPDATE connections SET last_sequence = $7, last_time = $8, last_document = $9 WHERE row = $1",
    )
    .bind(lane.row)
    .bind(Text::new(commit.stream.as_str()))
    .bind(commit.state.completed_at.map(codec::micros))
    .bind(codec::to_json(&commit.state)?)
    .bind(codec::to_json(progress)?)
    .bind(run)
    .bind(codec::signed(lane.clock.sequence))
    .bind(lane.clock.time.map(|time| time.as_micros()))
    .bind(lane.last_document)
    .execute(tx)
    .await?;
    Ok(())
}
