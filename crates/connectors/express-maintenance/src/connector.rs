//! The trait over a folder.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use wrenchtime_connector::{
    Account, Connector, ConnectorInfo, Context, Document, EntityName, Error, ErrorKind, Page,
    PageRequest, RemoteKey, Result, content_hash,
};
use wrenchtime_transport::{Folder, Runtime};

use crate::fault::{Fault, check_error};
use crate::page::{self, Read};
use crate::profile::{Entity, EntityKind, Profile};
use crate::snapshot::{Gate, Snapshot, Survey};
use crate::table::Reading;

const SYSTEM: &str = "express-maintenance";

/// One folder of exports.
pub(crate) struct ExpressMaintenance {
    info: ConnectorInfo,
    exports: Arc<Exports>,
}

struct Exports {
    runtime: Runtime,
    folder: String,
    profile: Profile,
    /// Of each entity the snapshot of the pass under way. Made again when missing.
    kept: Mutex<HashMap<EntityKind, Arc<Snapshot>>>,
}

impl ExpressMaintenance {
    pub(crate) fn new(
        info: ConnectorInfo,
        runtime: Runtime,
        folder: String,
        profile: Profile,
    ) -> Self {
        let kept = Mutex::default();
        Self {
            info,
            exports: Arc::new(Exports {
                runtime,
                folder,
                profile,
                kept,
            }),
        }
    }

    /// Reading files blocks: it goes where that disturbs nobody.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Exports) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let exports = Arc::clone(&self.exports);
        let done = tokio::task::spawn_blocking(move || work(&exports)).await;
        done.unwrap_or_else(|error| {
            let stopped = "read the exports: the reading ended before its time";
            Err(Error::new(ErrorKind::Unavailable, stopped).with_source(error))
        })
    }
}

impl fmt::Debug for ExpressMaintenance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExpressMaintenance").finish_non_exhaustive()
    }
}

#[async_trait]
impl Connector for ExpressMaintenance {
    fn info(&self) -> &ConnectorInfo {
        &self.info
    }

    async fn check(&self, cx: &Context) -> Result<Account> {
        let cx = cx.clone();
        let account = self
            .run(move |exports| exports.check(&cx).map_err(|faults| check_error(&faults)))
            .await;
        account.map_err(|error| error.at(SYSTEM, "check"))
    }

    async fn read_page(&self, cx: &Context, request: PageRequest) -> Result<Page> {
        let cx = cx.clone();
        let page = self
            .run(move |exports| exports.read_page(&cx, &request))
            .await;
        page.map_err(|error| error.at(SYSTEM, "read_page"))
    }

    async fn fetch(&self, _: &Context, _: &EntityName, _: &[RemoteKey]) -> Result<Vec<Document>> {
        let message = "fetch rows: a file is read from its beginning, not by key";
        Err(Error::new(ErrorKind::Unsupported, message).at(SYSTEM, "fetch"))
    }
}

impl Exports {
    fn check(&self, cx: &Context) -> std::result::Result<Account, Vec<Fault>> {
        let folder = self.folder().map_err(|fault| vec![fault])?;
        let mut faults = Vec::new();
        for entity in self.profile.entities.values() {
            self.gate(cx).pass().map_err(|fault| vec![fault])?;
            let lines = entity.lines.iter().map(|lines| &lines.table);
            for table in std::iter::once(&entity.table).chain(lines) {
                faults.extend(Reading::open(&folder, table, self.profile.dialect).err());
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let identity = match &self.profile.identity {
            Some(identity) => identity.clone(),
            None => identity(folder.path()),
        };
        Ok(Account::new(
            identity,
            format!("Express Maintenance exports in {}", folder.path()),
        ))
    }

    fn read_page(&self, cx: &Context, request: &PageRequest) -> Result<Page> {
        let (kind, entity) = self.entity(request)?;
        let kept = self.kept().remove(&kind);
        let read = self.folder().and_then(|folder| {
            let (profile, gate) = (&self.profile, self.gate(cx));
            let survey = Survey {
                folder: &folder,
                profile,
                entity,
                gate,
            };
            page::read(kind, &survey, request, kept)
        });
        let Read { page, snapshot } =
            read.map_err(|fault| fault.into_read_error(request.cursor.is_some()))?;
        if let Some(snapshot) = snapshot {
            self.kept().insert(kind, snapshot);
        }
        Ok(page)
    }

    fn entity(&self, request: &PageRequest) -> Result<(EntityKind, &Entity)> {
        let stream = request.stream.as_str();
        let kind = EntityKind::ALL
            .into_iter()
            .find(|kind| kind.stream() == stream);
        kind.and_then(|kind| Some((kind, self.profile.entities.get(&kind)?)))
            .ok_or_else(|| {
                Error::new(
                    ErrorKind::Unsupported,
                    "read the exports: the profile has no such entity",
                )
                .with_context("stream", stream)
            })
    }

    fn folder(&self) -> std::result::Result<Folder, Fault> {
        self.runtime
            .files()
            .folder(&self.folder)
            .map_err(Fault::Folder)
    }

    fn gate<'a>(&'a self, cx: &'a Context) -> Gate<'a> {
        Gate {
            cx,
            clock: &**self.runtime.clock(),
        }
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, HashMap<EntityKind, Arc<Snapshot>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the same for one folder, however its path is written.
fn identity(folder: &str) -> String {
    let path =
        std::fs::canonicalize(folder).unwrap_or_else(|_| Path::new(folder).components().collect());
    let hash = content_hash(&["express-maintenance folder", &path.to_string_lossy()]);
    format!("folder-{}", hex::encode(hash.get(..16).unwrap_or(&hash)))
}
