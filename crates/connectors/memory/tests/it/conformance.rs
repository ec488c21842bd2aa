use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use wrenchtime_conformance::{Fault, Harness, Powers};
use wrenchtime_connector::{Connector, EntityName, Factory, Mapper, RemoteKey, Settings};
use wrenchtime_mapping::{Functions, Mapping};
use wrenchtime_memory::{MemoryFactory, MemorySource};

pub(crate) struct Memory {
    pub(crate) source: MemorySource,
    pub(crate) counter: AtomicU32,
}

fn instant(minute: u32) -> DateTime<Utc> {
    // As fine as is declared.
    let start: DateTime<Utc> = "2031-05-05T08:00:01.007Z".parse().unwrap();
    start + TimeDelta::minutes(minute.into())
}

fn row(entity: &str, number: u32) -> Value {
    match entity {
        "work_orders" => json!({"number": format!("WO-{number}"), "status": "open", "asset": "1"}),
        _ => json!({"number": format!("A-{number}"), "status": "active"}),
    }
}

impl Memory {
    fn tick(&self) -> u32 {
        self.counter.fetch_add(1, Ordering::Relaxed)
    }

    /// Fills a source.
    pub(crate) async fn over(source: MemorySource) -> Self {
        let counter = AtomicU32::new(1);
        let harness = Self { source, counter };
        harness.source.set_secret("canary-s3cr3t");
        for entity in ["work_orders", "assets"] {
            for _ in 0..7 {
                harness.insert(&EntityName::new(entity)).await;
            }
        }
        harness
    }

    fn edit_all(&self, edit: impl Fn(&mut Value)) {
        for entity in ["work_orders", "assets"] {
            for mut row in self.source.rows(entity) {
                edit(&mut row.body);
                self.source.edit_quietly(entity, row.key.as_str(), row.body);
            }
        }
    }
}

#[async_trait]
impl Harness for Memory {
    async fn start() -> Self {
        Self::over(MemorySource::new()).await
    }

    fn powers(&self) -> Powers {
        let sent = [
            Fault::RateLimited,
            Fault::RateLimitedFor,
            Fault::ServerError,
            Fault::Dropped,
            Fault::Truncated,
            Fault::ExpiredToken,
            Fault::Malformed,
        ];
        Powers::new([Fault::UnknownField, Fault::UnknownMember])
            .lacking(sent.map(|fault| (fault, "nothing is sent, so nothing can fail under way")))
    }

    fn connector(&self) -> Arc<dyn Connector> {
        let factory = MemoryFactory::new(self.source.clone());
        let settings = Settings::new([("name", "Plant"), ("secret", "canary-s3cr3t")]);
        factory
            .connect(&settings.validated(&factory.info().settings).unwrap())
            .unwrap()
    }

    fn mapper(&self) -> Arc<dyn Mapper> {
        let factory = MemoryFactory::new(self.source.clone());
        let functions = Functions::builtin();
        Arc::new(Mapping::compile(factory.default_mapping(), factory.info(), &functions).unwrap())
    }

    fn canaries(&self) -> Vec<String> {
        vec!["canary-s3cr3t".to_owned()]
    }

    async fn insert(&self, entity: &EntityName) -> Option<RemoteKey> {
        let number = self.tick();
        // Of two lengths, so that numbers and texts are told apart by their order.
        let first = if number.is_multiple_of(2) { 500 } else { 2000 };
        let key = (first - number).to_string();
        self.source.put(
            entity.as_str(),
            &key,
            row(entity.as_str(), number),
            instant(number),
        );
        Some(RemoteKey::new(key))
    }

    async fn touch(&self, entity: &EntityName) -> Option<RemoteKey> {
        let (number, key) = (
            self.tick(),
            self.source.rows(entity.as_str())[3].key.clone(),
        );
        self.source.put(
            entity.as_str(),
            key.as_str(),
            row(entity.as_str(), number),
            instant(number),
        );
        Some(key)
    }

    async fn delete(&self, entity: &EntityName) -> Option<RemoteKey> {
        let key = self.source.rows(entity.as_str())[3].key.clone();
        self.source
            .flag_deleted(entity.as_str(), key.as_str(), instant(self.tick()));
        Some(key)
    }

    async fn tie(&self, entity: &EntityName, count: usize) -> Option<Vec<RemoteKey>> {
        let number = self.tick();
        let rows = self.source.rows(entity.as_str());
        let keys: Vec<RemoteKey> = rows.into_iter().take(count).map(|row| row.key).collect();
        for key in &keys {
            let body = row(entity.as_str(), number);
            self.source
                .put(entity.as_str(), key.as_str(), body, instant(number));
        }
        Some(keys)
    }

    async fn inject(&self, fault: Fault, _times: u32) -> bool {
        match fault {
            Fault::UnknownField => self.edit_all(|body| body["novel"] = json!("?")),
            Fault::UnknownMember => self.edit_all(|body| body["status"] = json!("petrified")),
            _ => return false,
        }
        true
    }

    fn requests(&self) -> u64 {
        self.source.requests().len() as u64
    }
}

wrenchtime_conformance::suite!(Memory);
