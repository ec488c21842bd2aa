//! Who may ask: management keys and connection tokens.

use std::sync::{MutexGuard, PoisonError};

use secrecy::SecretString;
use serde_json::json;
use uuid::Uuid;

use crate::secret::SecretKind;
use crate::storage::{ManagementKey, SecretHash, StoredConnection};
use crate::{Actor, Error, Result, Service};

const LOCAL_KEY: &str = "command line";
const FIRST_KEY: &str = "first";

/// A secret that was just made, shown this once.
#[derive(Debug)]
pub struct IssuedKey {
    /// The key as stored.
    pub key: ManagementKey,
    /// The secret itself.
    pub secret: SecretString,
}

/// Who a secret belongs to.
#[derive(Clone, PartialEq, Debug)]
pub enum Principal {
    /// The operator of the application.
    Management(ManagementKey),
    /// The holder of one connection's token.
    Connection(Box<StoredConnection>),
}

impl Service {
    /// Makes a management key.
    ///
    /// # Errors
    /// When the name is empty or longer than 200 characters, or the store fails.
    pub async fn create_key(&self, name: &str, actor: &Actor) -> Result<IssuedKey> {
        let issued = self.draw_key(checked_name(name)?);
        self.keep_key(&issued.key, actor).await?;
        Ok(issued)
    }

    fn draw_key(&self, name: String) -> IssuedKey {
        let (secret, hash) = SecretKind::ManagementKey.draw();
        let key = ManagementKey {
            id: Uuid::now_v7(),
            name,
            hash,
            created_at: self.core.clock.now(),
            revoked_at: None,
        };
        IssuedKey { key, secret }
    }

    async fn keep_key(&self, key: &ManagementKey, actor: &Actor) -> Result<()> {
        let detail = json!({ "key": key.id, "name": key.name });
        let audit = self.core.audit(actor, "key.created", None, detail);
        let (service, key) = (self.clone(), key.clone());
        let written = async move {
            let id = key.id;
            service.core.connections.add_key(key, audit).await?;
            service.forget_shown(id);
            Ok(())
        };
        self.runner.finish(written).await
    }

    /// Makes a management key for the command line on the service's own machine, which nobody was shown.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn create_local_key(&self) -> Result<IssuedKey> {
        self.create_key(LOCAL_KEY, &Actor::System).await
    }

    /// Draws the first management key if there never was one but those of [`Service::create_local_key`].
    ///
    /// It is shown first and kept afterwards, by [`Service::keep_first_key`], so that one that nobody could read is not the
    /// last that is shown. Who has it in between has seen it, and may use it.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn draw_first_key(&self) -> Result<Option<IssuedKey>> {
        let keys = self.core.connections.keys().await?;
        let is_first = keys.iter().all(|key| key.name == LOCAL_KEY);
        if !is_first {
            return Ok(None);
        }
        let issued = self.draw_key(FIRST_KEY.to_owned());
        *self.shown_key() = Some(issued.key.clone());
        Ok(Some(issued))
    }

    /// The first key while it is shown and not kept.
    fn shown_key(&self) -> MutexGuard<'_, Option<ManagementKey>> {
        let key = self.core.shown_key.lock();
        key.unwrap_or_else(PoisonError::into_inner)
    }

    /// Leaves it to the store whether a key is valid. Tells whether it was the one that is shown.
    fn forget_shown(&self, id: Uuid) -> bool {
        let mut shown = self.shown_key();
        shown.take_if(|key| key.id == id).is_some()
    }

    /// Keeps the key of [`Service::draw_first_key`], which a later start knows from now on.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn keep_first_key(&self, key: &ManagementKey) -> Result<()> {
        self.keep_key(key, &Actor::System).await
    }

    /// Returns all management keys, oldest first.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn keys(&self) -> Result<Vec<ManagementKey>> {
        Ok(self.core.connections.keys().await?)
    }

    /// Revokes a management key at once. Tells whether there was one.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn revoke_key(&self, id: Uuid, actor: &Actor) -> Result<bool> {
        let audit = self
            .core
            .audit(actor, "key.revoked", None, json!({ "key": id }));
        let at = self.core.clock.now();
        let was_shown = self.forget_shown(id);
        let was_kept = self.core.connections.revoke_key(id, at, audit).await?;
        Ok(was_shown || was_kept)
    }

    async fn management_key(&self, hash: &SecretHash) -> Result<Option<ManagementKey>> {
        // Before the store is asked: it is there before it leaves memory.
        let shown = self.shown_key().clone().filter(|key| key.hash == *hash);
        // What the store says goes first, for it knows what was revoked.
        Ok(self.core.connections.key_by_hash(hash).await?.or(shown))
    }

    /// Tells whose secret it is; nothing when it is void, or nobody's.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn authenticate(&self, secret: &str) -> Result<Option<Principal>> {
        let hash = SecretHash::of(secret);
        let now = self.core.clock.now();
        let principal = match SecretKind::of(secret) {
            Some(SecretKind::ManagementKey) => self
                .management_key(&hash)
                .await?
                .filter(|key| key.revoked_at.is_none())
                .map(Principal::Management),
            Some(SecretKind::ConnectionToken) => self
                .core
                .connections
                .token_by_hash(&hash)
                .await?
                .filter(|(token, _)| token.void_from.is_none_or(|from| now < from))
                .map(|(_, connection)| Principal::Connection(Box::new(connection))),
            None => None,
        };
        Ok(principal)
    }
}

pub(crate) fn checked_name(name: &str) -> Result<String> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > 200 || name.chars().any(char::is_control) {
        return Err(Error::Invalid {
            field: "name",
            message: "must have 1 to 200 characters, none of them a control character".to_owned(),
        });
    }
    Ok(name.to_owned())
}
