//! Sealing what must not be readable in the store.

use std::fmt;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use wrenchtime_connector::Settings;
use wrenchtime_model::{ConnectionId, EndpointId};
use wrenchtime_webhooks::{EndpointSecrets, StoreError};
use zeroize::Zeroizing;

use crate::storage::{ConnectionStore, SealedSettings, StorageError};

const VERSION: u8 = 1;
const KEY_ID: usize = 4;
const NONCE: usize = 24;
const CHECK_NAME: &str = "vault.check";
const CHECK_TEXT: &[u8] = b"opened by the right key";

/// The key under which everything is sealed. Kept outside of the store.
#[derive(Clone)]
pub struct MasterKey(Zeroizing<[u8; 32]>);

impl MasterKey {
    /// Draws a new key.
    pub fn generate() -> Self {
        Self(Zeroizing::new(rand::random()))
    }

    /// Reads a key from 64 hexadecimal digits; white space around them is left out.
    ///
    /// # Errors
    /// When it is anything else. The error does not show it.
    pub fn from_hex(text: &SecretString) -> Result<Self, VaultError> {
        let mut key = Zeroizing::new([0; 32]);
        hex::decode_to_slice(text.expose_secret().trim(), key.as_mut_slice())
            .map_err(|_| VaultError::Malformed)?;
        Ok(Self(key))
    }

    /// Returns the key as 64 hexadecimal digits, to be kept in a file that nobody else can read.
    pub fn to_hex(&self) -> SecretString {
        SecretString::from(hex::encode(self.0.as_slice()))
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey")
    }
}

/// Seals and opens settings and signing secrets.
///
/// Every connection has a data key of its own, sealed under the master key. What is sealed is bound to what it belongs
/// to: put beside another connection it does not open. A sealed record is a version byte, four bytes that tell the key,
/// the nonce, and the ciphertext (XChaCha20-Poly1305).
pub struct Vault {
    master: SealingKey,
}

impl Vault {
    /// Opens the vault of a store: with the key that the store was first opened with, or with any if it is new.
    ///
    /// # Errors
    /// [`VaultError::WrongKey`] when it is another.
    pub async fn open(
        master: &MasterKey,
        store: &dyn ConnectionStore,
    ) -> Result<Self, VaultOpenError> {
        let master = SealingKey::new(&master.0);
        let fresh = master.seal(CHECK_NAME, CHECK_TEXT)?;
        let check = store.meta_init(CHECK_NAME, &fresh).await?;
        match master.open(CHECK_NAME, &check) {
            Ok(text) if text.as_slice() == CHECK_TEXT => Ok(Self { master }),
            _ => Err(VaultError::WrongKey.into()),
        }
    }

    /// Tells whether a store was ever opened with a key: whatever is sealed in it opens with that key only.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn is_initialised(store: &dyn ConnectionStore) -> Result<bool, StorageError> {
        Ok(store.meta(CHECK_NAME).await?.is_some())
    }

    /// Seals a new connection's settings under a new data key.
    ///
    /// # Errors
    /// Never in practice: sealing a short text does not fail.
    pub fn seal_settings(
        &self,
        connection: ConnectionId,
        settings: &Settings,
    ) -> Result<SealedSettings, VaultError> {
        let key = Zeroizing::new(rand::random::<[u8; 32]>());
        let text = settings.to_json().map_err(|_| VaultError::Unsealable)?;
        Ok(SealedSettings {
            data_key: self
                .master
                .seal(&data_key_name(connection), key.as_slice())?,
            settings: SealingKey::new(&key).seal(&settings_name(connection), text.as_bytes())?,
        })
    }

    /// Opens a connection's settings.
    ///
    /// # Errors
    /// When they were sealed for another connection or under another key, or were changed.
    pub fn open_settings(
        &self,
        connection: ConnectionId,
        sealed: &SealedSettings,
    ) -> Result<Settings, VaultError> {
        let key = self
            .master
            .open(&data_key_name(connection), &sealed.data_key)?;
        let key = Zeroizing::new(
            <[u8; 32]>::try_from(key.as_slice()).map_err(|_| VaultError::Unopenable)?,
        );
        let text = SealingKey::new(&key).open(&settings_name(connection), &sealed.settings)?;
        let text = std::str::from_utf8(&text).map_err(|_| VaultError::Unopenable)?;
        Settings::from_json(text).map_err(|_| VaultError::Unopenable)
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault")
    }
}

impl EndpointSecrets for Vault {
    fn seal(&self, endpoint: EndpointId, secret: &SecretString) -> Result<Vec<u8>, StoreError> {
        self.master
            .seal(&endpoint_name(endpoint), secret.expose_secret().as_bytes())
            .map_err(|error| {
                StoreError::new("seal the endpoint's signing secret").with_source(error)
            })
    }

    fn open(&self, endpoint: EndpointId, sealed: &[u8]) -> Result<SecretString, StoreError> {
        let opened = self
            .master
            .open(&endpoint_name(endpoint), sealed)
            .and_then(|text| match std::str::from_utf8(&text) {
                Ok(text) => Ok(SecretString::from(text)),
                Err(_) => Err(VaultError::Unopenable),
            });
        opened.map_err(|error| {
            StoreError::new("open the endpoint's signing secret").with_source(error)
        })
    }
}

fn data_key_name(connection: ConnectionId) -> String {
    format!("connection/{connection}/data_key")
}

fn settings_name(connection: ConnectionId) -> String {
    format!("connection/{connection}/settings")
}

fn endpoint_name(endpoint: EndpointId) -> String {
    format!("endpoint/{endpoint}/signing_secret")
}

struct SealingKey {
    id: [u8; KEY_ID],
    cipher: XChaCha20Poly1305,
}

impl SealingKey {
    fn new(key: &[u8; 32]) -> Self {
        let digest = Sha256::new()
            .chain_update(b"wrenchtime key id")
            .chain_update(key)
            .finalize();
        let mut id = [0; KEY_ID];
        id.copy_from_slice(&digest[..KEY_ID]);
        Self {
            id,
            cipher: XChaCha20Poly1305::new(key.into()),
        }
    }

    fn seal(&self, name: &str, secret: &[u8]) -> Result<Vec<u8>, VaultError> {
        let nonce: [u8; NONCE] = rand::random();
        let payload = Payload {
            msg: secret,
            aad: name.as_bytes(),
        };
        let ciphertext = self
            .cipher
            .encrypt(&XNonce::from(nonce), payload)
            .map_err(|_| VaultError::Unsealable)?;
        let mut record = Vec::with_capacity(1 + KEY_ID + NONCE + ciphertext.len());
        record.push(VERSION);
        record.extend_from_slice(&self.id);
        record.extend_from_slice(&nonce);
        record.extend_from_slice(&ciphertext);
        Ok(record)
    }

    fn open(&self, name: &str, record: &[u8]) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let rest = record
            .strip_prefix(&[VERSION])
            .ok_or(VaultError::Unopenable)?;
        let rest = rest.strip_prefix(&self.id).ok_or(VaultError::OtherKey)?;
        let (nonce, ciphertext) = rest
            .split_first_chunk::<NONCE>()
            .ok_or(VaultError::Unopenable)?;
        let payload = Payload {
            msg: ciphertext,
            aad: name.as_bytes(),
        };
        self.cipher
            .decrypt(&XNonce::from(*nonce), payload)
            .map(Zeroizing::new)
            .map_err(|_| VaultError::Unopenable)
    }
}

/// Why something could not be sealed or opened. Shows nothing of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VaultError {
    /// The master key is not written as it must be.
    #[error("the master key must be 64 hexadecimal digits")]
    Malformed,
    /// The store was made under another master key.
    #[error(
        "the master key is not the one that this data was sealed with; give the right one, nothing was changed"
    )]
    WrongKey,
    /// This record was sealed under another key.
    #[error("sealed under another key")]
    OtherKey,
    /// It was changed, belongs to something else, or is no sealed record.
    #[error("cannot be opened: changed, or sealed for something else")]
    Unopenable,
    /// It could not be sealed.
    #[error("cannot be sealed")]
    Unsealable,
}

/// Why a vault does not open.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VaultOpenError {
    /// The key is wrong.
    #[error(transparent)]
    Key(#[from] VaultError),
    /// The store could not be asked.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vault(key: &MasterKey) -> Vault {
        Vault {
            master: SealingKey::new(&key.0),
        }
    }

    fn settings() -> Settings {
        Settings::new([("secret", "hunter2")])
    }

    #[test]
    fn settings_open_for_their_connection_only() {
        let vault = vault(&MasterKey::generate());
        let (mine, other) = (ConnectionId::new(), ConnectionId::new());
        let sealed = vault.seal_settings(mine, &settings()).unwrap();
        let opened = vault.open_settings(mine, &sealed).unwrap();
        assert_eq!(opened.get("secret"), Some("hunter2"));
        assert_eq!(
            vault.open_settings(other, &sealed).unwrap_err(),
            VaultError::Unopenable
        );
    }

    #[test]
    fn the_settings_of_one_connection_do_not_open_with_the_data_key_of_another() {
        let vault = vault(&MasterKey::generate());
        let (mine, other) = (ConnectionId::new(), ConnectionId::new());
        let theirs = vault.seal_settings(other, &settings()).unwrap();
        let mut sealed = vault.seal_settings(mine, &settings()).unwrap();
        sealed.settings = theirs.settings;
        assert_eq!(
            vault.open_settings(mine, &sealed).unwrap_err(),
            VaultError::OtherKey
        );
    }

    #[test]
    fn a_changed_byte_is_noticed_wherever_it_is() {
        let key = SealingKey::new(&[7; 32]);
        let sealed = key.seal("name", b"secret").unwrap();
        for place in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[place] ^= 1;
            key.open("name", &changed).unwrap_err();
        }
        assert_eq!(key.open("name", &sealed).unwrap().as_slice(), b"secret");
        for length in 0..sealed.len() {
            key.open("name", &sealed[..length]).unwrap_err();
        }
    }

    #[test]
    fn no_secret_is_in_what_is_stored() {
        let vault = vault(&MasterKey::generate());
        let sealed = vault
            .seal_settings(ConnectionId::new(), &settings())
            .unwrap();
        let all = [sealed.data_key, sealed.settings].concat();
        assert!(!all.windows(7).any(|window| window == b"hunter2"));
    }

    #[test]
    fn another_master_key_opens_nothing() {
        let connection = ConnectionId::new();
        let sealed = vault(&MasterKey::generate())
            .seal_settings(connection, &settings())
            .unwrap();
        let error = vault(&MasterKey::generate())
            .open_settings(connection, &sealed)
            .unwrap_err();
        assert_eq!(error, VaultError::OtherKey);
    }

    #[test]
    fn endpoint_secrets_are_bound_to_their_endpoint() {
        let vault = vault(&MasterKey::generate());
        let (mine, other) = (EndpointId::new(), EndpointId::new());
        let sealed = vault.seal(mine, &SecretString::from("whsec_x")).unwrap();
        assert_eq!(
            vault.open(mine, &sealed).unwrap().expose_secret(),
            "whsec_x"
        );
        vault.open(other, &sealed).unwrap_err();
    }

    #[test]
    fn a_key_is_64_digits() {
        let key = MasterKey::generate();
        let back = MasterKey::from_hex(&key.to_hex()).unwrap();
        assert_eq!(back.0, key.0);
        for wrong in ["", "ab", &"g".repeat(64), &"a".repeat(66)] {
            let error = MasterKey::from_hex(&SecretString::from(wrong)).unwrap_err();
            assert_eq!(error, VaultError::Malformed);
        }
        assert_eq!(format!("{key:?}"), "MasterKey");
    }
}
