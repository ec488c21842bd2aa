//! Settings, declarations, and connectors made from them.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono_tz::Tz;
use wrenchtime_connector::{
    Connector, ConnectorInfo, CursorKind, EntityInfo, EntityName, Error, ErrorKind, Factory,
    Hosting, NamedFunction, ResourceInfo, Result, SettingField, SettingKind, Settings, StreamInfo,
    StreamName, SystemName,
};
use wrenchtime_model::IdentityClass;
use wrenchtime_transport::Runtime;

use crate::connector::ExpressMaintenance;
use crate::page::PAGE_LIMIT;
use crate::profile::{EntityKind, Profile, unknown_zone};

/// Makes connectors to folders of Express Maintenance exports.
#[derive(Clone, Debug)]
pub struct ExpressMaintenanceFactory {
    info: ConnectorInfo,
    runtime: Runtime,
}

impl ExpressMaintenanceFactory {
    /// Makes a factory whose connectors read files and tell the time by this runtime.
    pub fn new(runtime: Runtime) -> Self {
        let profile = Profile::parse(Profile::DEFAULT)
            .expect("the default profile is part of the program, and its tests read it");
        Self {
            info: info(&profile),
            runtime,
        }
    }
}

impl Factory for ExpressMaintenanceFactory {
    fn info(&self) -> &ConnectorInfo {
        &self.info
    }

    fn default_mapping(&self) -> &str {
        include_str!("../mapping.toml")
    }

    fn functions(&self) -> &'static [NamedFunction] {
        &[]
    }

    fn connect(&self, settings: &Settings) -> Result<Arc<dyn Connector>> {
        let Some(folder) = settings.get("folder") else {
            return Err(invalid("folder", "is required"));
        };
        let text = settings.get("profile").unwrap_or(Profile::DEFAULT);
        let profile = Profile::parse(text).map_err(|error| {
            invalid(
                "profile",
                format!("does not fit: {}", error.faults.join("; ")),
            )
        })?;
        let profile = match settings.get("time_zone").map(str::trim) {
            Some(name) => {
                let zone = name
                    .parse::<Tz>()
                    .map_err(|_| invalid("time_zone", unknown_zone(name)))?;
                profile.with_zone(zone)
            }
            None => profile,
        };
        let (runtime, folder) = (self.runtime.clone(), folder.trim().to_owned());
        Ok(Arc::new(ExpressMaintenance::new(
            info(&profile),
            runtime,
            folder,
            profile,
        )))
    }
}

fn invalid(field: &str, message: impl Into<String>) -> Error {
    Error::new(
        ErrorKind::Invalid,
        "open the exports: a setting does not fit",
    )
    .with_field(field, message)
    .at("express-maintenance", "connect")
}

fn info(profile: &Profile) -> ConnectorInfo {
    let system = SystemName::from_static("express-maintenance");
    let mut info = ConnectorInfo::new(system, "Express Maintenance");
    info.hosting = Hosting::OnPremises;
    info.settings = settings();
    for (&kind, read) in &profile.entities {
        info.entities.push(entity(kind, &read.others(kind)));
        info.resources
            .push(ResourceInfo::read_only(kind.resource()));
    }
    info
}

fn settings() -> Vec<SettingField> {
    vec![
        SettingField::required(
            "folder",
            SettingKind::Folder,
            "Folder of exports",
            "The folder on this machine into which the CSV files are exported. It must lie in a folder that the \
             operator of the service allowed.",
        ),
        SettingField::optional(
            "profile",
            SettingKind::Document,
            "Source profile",
            "A TOML file that tells which file holds what, under which headers and in which formats. Without one the \
             documented default is used.",
        ),
        SettingField::optional(
            "time_zone",
            SettingKind::Text,
            "Time zone",
            "The IANA name of the zone in which the server writes times, for example America/Chicago. Overrides the \
             profile's. Without either, times cannot be told and are reported as data issues.",
        ),
    ]
}

fn entity(kind: EntityKind, joined: &BTreeSet<EntityKind>) -> EntityInfo {
    let class = IdentityClass::new(kind.resource().name());
    let name = EntityName::from_static(kind.name());
    let mut entity = EntityInfo::new(name, vec![kind.resource()], class);
    let mut stream = StreamInfo::listing(StreamName::from_static(kind.stream()), PAGE_LIMIT);
    stream.cursor = CursorKind::Token;
    stream.sorted = false;
    entity.streams = vec![stream];
    let joined = joined
        .iter()
        .map(|kind| EntityName::from_static(kind.name()));
    entity.with_joins(joined)
}
