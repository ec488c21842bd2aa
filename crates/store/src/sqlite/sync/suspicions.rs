//! What stands against listings that lack too many rows.

use sqlx::sqlite::SqliteConnection;
use uuid::Uuid;
use wrenchtime_connector::{RemoteKey, StreamName};
use wrenchtime_model::ConnectionId;
use wrenchtime_service::storage::{SuspicionDecision, SuspicionShown};
use wrenchtime_sync::{Absence, Decision, Judgement, Suspicion};

use super::absence::{run_row, select_missing};
use crate::codec;
use crate::columns::{SuspicionColumns, suspicion};
use crate::error::Fault;
use crate::sqlite::SqliteStore;
use crate::sqlite::connection::{self, Lane};

/// The columns of a [`Suspicion`], in the order of [`SuspicionColumns`].
const SUSPICION: &str = "id, stream, entity, run, since, found_at, missing, stored, confirmed_at";

pub(super) async fn all(
    store: &SqliteStore,
    connection: ConnectionId,
) -> Result<Vec<Suspicion>, Fault> {
    let rows: Vec<SuspicionColumns<String>> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "SELECT {SUSPICION} FROM suspicions WHERE connection = (SELECT row FROM connections WHERE id = ?) \
         ORDER BY stream"
    )))
    .bind(*connection.as_uuid())
    .fetch_all(&store.inner.readers)
    .await?;
    rows.into_iter().map(suspicion).collect()
}

/// Returns what stands, each with some of its rows.
pub(in crate::sqlite) async fn shown(
    store: &SqliteStore,
    connection: ConnectionId,
    sample: u32,
) -> Result<Vec<SuspicionShown>, Fault> {
    let mut tx = store.read().await?;
    let lane = connection::row_of(&mut tx, connection)
        .await?
        .ok_or(Fault::NoConnection(connection))?;
    let rows: Vec<SuspicionColumns<String>> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "SELECT {SUSPICION} FROM suspicions WHERE connection = ? ORDER BY stream"
    )))
    .bind(lane)
    .fetch_all(&mut *tx)
    .await?;
    let mut all = Vec::with_capacity(rows.len());
    for columns in rows {
        let suspicion = suspicion(columns)?;
        let keys: Vec<String> = sqlx::query_scalar(
            "SELECT d.key FROM suspects x CROSS JOIN documents d ON d.sort_key = x.sort_key \
             JOIN suspicions s ON s.row = x.suspicion WHERE s.connection = ? AND s.id = ? \
             AND d.connection = s.connection AND d.entity = s.entity AND d.gone = 0 AND d.observation <= s.observation \
             ORDER BY x.sort_key LIMIT 0 + ?",
        )
        .bind(lane)
        .bind(*suspicion.id.as_uuid())
        .bind(i64::from(sample))
        .fetch_all(&mut *tx)
        .await?;
        let keys = keys.into_iter().map(RemoteKey::new);
        all.push(SuspicionShown {
            suspicion,
            sample: keys.collect(),
        });
    }
    Ok(all)
}

/// Writes what a commit says of the suspicion against its stream.
pub(super) async fn judge(
    tx: &mut SqliteConnection,
    lane: i64,
    (stream, judgement): (&StreamName, &Judgement),
) -> Result<(), Fault> {
    match judgement {
        Judgement::Keep => Ok(()),
        Judgement::Lift => {
            let row: Option<i64> = sqlx::query_scalar(
                "SELECT row FROM suspicions WHERE connection = ? AND stream = ?",
            )
            .bind(lane)
            .bind(stream.as_str())
            .fetch_optional(&mut *tx)
            .await?;
            match row {
                Some(row) => forget(tx, row).await,
                None => Ok(()),
            }
        }
        Judgement::Raise { suspicion, missing } => {
            raise(tx, lane, (suspicion, missing.as_ref())).await
        }
    }
}

async fn raise(
    tx: &mut SqliteConnection,
    lane: i64,
    (suspicion, missing): (&Suspicion, Option<&Absence>),
) -> Result<(), Fault> {
    // What was decided meanwhile of the same suspicion holds for it.
    let row: i64 = sqlx::query_scalar(
        "INSERT INTO suspicions (connection, stream, id, entity, run, since, found_at, missing, stored, observation, \
         confirmed_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (connection, stream) DO UPDATE SET \
         confirmed_at = CASE WHEN suspicions.id = excluded.id THEN suspicions.confirmed_at ELSE excluded.confirmed_at END, \
         id = excluded.id, entity = excluded.entity, run = excluded.run, since = excluded.since, \
         found_at = excluded.found_at, missing = excluded.missing, stored = excluded.stored, \
         observation = excluded.observation RETURNING row",
    )
    .bind(lane)
    .bind(suspicion.stream.as_str())
    .bind(*suspicion.id.as_uuid())
    .bind(suspicion.entity.as_str())
    .bind(*suspicion.run.as_uuid())
    .bind(codec::micros(suspicion.since))
    .bind(codec::micros(suspicion.found_at))
    .bind(codec::signed(suspicion.missing))
    .bind(codec::signed(suspicion.stored))
    .bind(missing.map_or(0, |absence| absence.observation))
    .bind(suspicion.confirmed_at.map(codec::micros))
    .fetch_one(&mut *tx)
    .await?;
    drop_suspects(tx, row).await?;
    if let Some(absence) = missing {
        let run = run_row(tx, absence.run).await?;
        let selection =
            format!("INSERT INTO suspects (suspicion, sort_key) SELECT {row}, d.sort_key");
        let mut query = select_missing(&selection, absence, (lane, run));
        query.build().persistent(false).execute(tx).await?;
    }
    Ok(())
}

async fn forget(tx: &mut SqliteConnection, row: i64) -> Result<(), Fault> {
    drop_suspects(tx, row).await?;
    sqlx::query("DELETE FROM suspicions WHERE row = ?")
        .bind(row)
        .execute(tx)
        .await?;
    Ok(())
}

async fn drop_suspects(tx: &mut SqliteConnection, suspicion: i64) -> Result<(), Fault> {
    sqlx::query("DELETE FROM suspects WHERE suspicion = ?")
        .bind(suspicion)
        .execute(tx)
        .await?;
    Ok(())
}

/// Decides a suspicion, if it stands against a connection that is not ended.
pub(in crate::sqlite) async fn decide(
    tx: &mut SqliteConnection,
    decision: &SuspicionDecision,
) -> Result<Option<Suspicion>, Fault> {
    // Under the connection's lock, so that no commit changes meanwhile what is decided of.
    let Some(lane) = Lane::find(tx, decision.connection).await? else {
        return Ok(None);
    };
    if lane.closed {
        return Ok(None);
    }
    let id: Uuid = *decision.suspicion.as_uuid();
    let row: Option<i64> =
        sqlx::query_scalar("SELECT row FROM suspicions WHERE connection = ? AND id = ?")
            .bind(lane.row)
            .bind(id)
            .fetch_optional(&mut *tx)
            .await?;
    let Some(row) = row else {
        return Ok(None);
    };
    if decision.decision == Decision::Confirm {
        sqlx::query(
            "UPDATE suspicions SET confirmed_at = ? WHERE row = ? AND confirmed_at IS NULL",
        )
        .bind(codec::micros(decision.at))
        .bind(row)
        .execute(&mut *tx)
        .await?;
    }
    let columns: SuspicionColumns<String> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "SELECT {SUSPICION} FROM suspicions WHERE row = ?"
    )))
    .bind(row)
    .fetch_one(&mut *tx)
    .await?;
    if decision.decision == Decision::Reject {
        forget(tx, row).await?;
    }
    Ok(Some(suspicion(columns)?))
}
