//! Other credentials for a connection.

use wrenchtime_service::storage::{NewCredentials, StoredConnection};

use super::connections::{find, seconds, set_state, standing};
use super::keys;
use crate::codec;
use crate::error::Fault;
use crate::sqlite::SqliteStore;

pub(super) async fn replace(
    store: &SqliteStore,
    new: &NewCredentials,
) -> Result<Option<StoredConnection>, Fault> {
    let mut tx = store.write().await?;
    let Some((mut lane, before)) = standing(&mut tx, new.id).await? else {
        return Ok(None);
    };
    if before.state != new.expected {
        return Ok(None);
    }
    sqlx::query(
        "UPDATE connection_details SET account = ?, data_key = ?, settings = ? WHERE connection = ?",
    )
    .bind(codec::to_json(&new.account)?)
    .bind(new.sealed.data_key.as_slice())
    .bind(new.sealed.settings.as_slice())
    .bind(lane.row)
    .execute(&mut *tx)
    .await?;
    if let Some(to) = new.to {
        set_state(&mut tx, lane.row, (to, None), codec::micros(new.at)).await?;
    }
    if let Some(event) = &new.event {
        lane.log(&mut tx, event, new.at).await?;
        lane.store(&mut tx).await?;
    }
    if let Some(schedule) = &new.schedule {
        sqlx::query("UPDATE connection_details SET schedule = ? WHERE connection = ?")
            .bind(seconds(schedule.every))
            .bind(lane.row)
            .execute(&mut *tx)
            .await?;
        keys::write_audit(&mut tx, &schedule.audit).await?;
    }
    keys::write_audit(&mut tx, &new.audit).await?;
    let after = find(&mut tx, new.id).await?;
    tx.commit().await?;
    Ok(after)
}
