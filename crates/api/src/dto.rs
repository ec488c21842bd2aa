//! What requests and replies hold, beside records.

mod connections;
mod quarantine;
mod syncs;
mod webhooks;

use serde::Serialize;

pub(crate) use self::connections::{
    ConnectionBody, ConnectionChangeBody, CreatedConnectionBody, NewConnectionBody, StatusBody,
};
pub(crate) use self::quarantine::QuarantinedRowBody;
pub(crate) use self::syncs::{
    AcceptedSyncBody, NewSyncBody, RunBody, SyncRequestState, SyncStatusBody,
};
pub(crate) use self::webhooks::{CreatedEndpointBody, DeliveryBody, EndpointBody, NewEndpointBody};

/// A page of a list.
#[derive(Serialize)]
pub(crate) struct PageBody<T> {
    pub(crate) data: Vec<T>,
    pub(crate) next: Option<String>,
}
