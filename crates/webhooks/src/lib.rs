#![doc = include_str!("../README.md")]

mod endpoint;
mod storage;

pub use endpoint::{Endpoint, EndpointScope, EndpointSecrets, NewEndpoint};
pub use storage::{
    Attempt, AttemptOutcome, Delivery, DeliveryFilter, DeliveryId, DeliveryState, DeliveryStore,
    DueDelivery, EventSource, FanOut, Message, PendingEvent, StoreError,
};
