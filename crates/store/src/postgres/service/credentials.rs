//! Other credentials for a connection.

use wrenchtime_service::storage::{NewCredentials, StoredConnection};

use super::connections::{find, set_state, standing, write_schedule};
use super::keys;
use crate::codec;
use crate::error::Fault;
use crate::postgres::PostgresStore;

pub(super) async fn replace(
    store: &PostgresStore,
    new: &NewCredentials,
) -> Result<Option<StoredConnection>, Fault> {
    let mut tx = store.write().await?;
    let Some((mut lane, before)) = standing(&mut tx, new.id).await? else {
        return Ok(None);
    };
    if before.state != new.expected || before.sealed != new.replaces {
        return Ok(None);
    }
    sqlx::query(
        "UPDATE connection_details SET account = $1, data_key = $2, settings = $3, authorized_at = $4 WHERE connection = $5",
    )
    .bind(codec::to_json(&new.account)?)
    .bind(new.sealed.data_key.as_slice())
    .bind(new.sealed.settings.as_slice())
    .bind(codec::micros(new.at))
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
        write_schedule(&mut tx, (lane.row, &before), schedule).await?;
    }
    keys::write_audit(&mut tx, &new.audit).await?;
    let after = find(&mut tx, new.id).await?;
    tx.commit().await?;
    store.inner.mark.saw(&lane);
    Ok(after)
}
