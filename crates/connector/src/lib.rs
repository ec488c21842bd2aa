#![doc = include_str!("../README.md")]

mod connector;
mod context;
mod document;
mod error;
mod factory;
mod info;
mod mapper;
mod page;
mod settings;
mod value;

pub use connector::{Account, Connector};
pub use context::{Context, Priority};
pub use document::{ChangeTime, Document, KeyOrder, RemoteKey, SortKey, Stub, content_hash};
pub use error::{Error, ErrorKind, FieldError, Result, Retry};
pub use factory::{Factory, Systems};
pub use info::{
    ConnectorInfo, CursorKind, Deletes, EntityInfo, EntityName, Hosting, Operation, Precision,
    ResourceInfo, Role, StreamInfo, StreamName, SystemName, Yields,
};
pub use mapper::{MapError, Mapped, Mapper, NamedFunction};
pub use page::{Bound, Cursor, Items, Next, Page, PageRequest, RowIssue};
pub use settings::{SettingField, SettingKind, Settings, SettingsError};
pub use value::Value;
pub use wrenchtime_clock::{Clock, ManualClock, SystemClock};
