//! Settings, and connectors made from them.

use std::collections::BTreeMap;
use std::sync::Arc;

use wrenchtime_connector::{
    Connector, ConnectorInfo, Error, ErrorKind, Factory, NamedFunction, ResourceInfo, Result,
    SettingField, SettingKind, Settings, SystemName,
};

use crate::{MemoryConnector, MemorySource};

/// Makes connectors to sources in memory. Its system is named `memory`.
#[derive(Clone, Debug)]
pub struct MemoryFactory {
    info: ConnectorInfo,
    source: MemorySource,
    named: BTreeMap<String, MemorySource>,
}

impl MemoryFactory {
    /// Makes a factory whose connectors read this source, whatever their setting `name`.
    pub fn new(source: MemorySource) -> Self {
        let mut info = ConnectorInfo::new(SystemName::from_static("memory"), "Memory");
        info.settings = vec![
            SettingField::required(
                "name",
                SettingKind::Text,
                "Name",
                "What the account is called.",
            ),
            SettingField::required(
                "secret",
                SettingKind::Secret,
                "Secret",
                "What the source accepts.",
            ),
        ];
        info.entities = source.entities().to_vec();
        let mut resources: Vec<_> = info
            .entities
            .iter()
            .flat_map(|entity| entity.resources.iter().copied())
            .collect();
        resources.sort();
        resources.dedup();
        info.resources = resources.into_iter().map(ResourceInfo::read_only).collect();
        Self {
            info,
            source,
            named: BTreeMap::new(),
        }
    }

    /// Adds a source for connectors whose setting `name` is this. It should declare what the first one declares.
    #[must_use]
    pub fn with_named(mut self, name: &str, source: MemorySource) -> Self {
        self.named.insert(name.to_owned(), source);
        self
    }
}

impl Factory for MemoryFactory {
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
        let (Some(name), Some(secret)) = (settings.get("name"), settings.secret("secret")) else {
            return Err(
                Error::new(ErrorKind::Invalid, "connect: name and secret are required")
                    .at("memory", "connect"),
            );
        };
        let source = self.named.get(name).unwrap_or(&self.source).clone();
        Ok(Arc::new(MemoryConnector::new(
            self.info.clone(),
            source,
            name.to_owned(),
            secret.clone(),
        )))
    }
}
