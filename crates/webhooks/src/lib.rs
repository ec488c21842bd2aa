#![doc = include_str!("../README.md")]

mod attempt;
mod dispatcher;
mod endpoint;
mod fan_out;
mod plan;
mod signature;
mod storage;

pub use dispatcher::{BuildError, Dispatcher, DispatcherParts, Turn};
pub use endpoint::{Endpoint, EndpointScope, EndpointSecrets, NewEndpoint};
pub use signature::{BadSecret, Received, Refused, SigningKey, TOLERANCE};
pub use storage::{
    Attempt, AttemptOutcome, Backlog, Delivery, DeliveryFilter, DeliveryId, DeliveryState,
    DeliveryStore, DueDelivery, EventSource, FanOut, Message, PendingEvent, PendingLog, StoreError,
};
