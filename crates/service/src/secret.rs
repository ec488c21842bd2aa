//! Management keys and connection tokens: drawn, hashed, told apart by their prefix.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::SecretString;
use sha2::{Digest, Sha256};

use crate::storage::SecretHash;

/// What a secret gives access to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SecretKind {
    /// Everything: the operator of the application holds it.
    ManagementKey,
    /// One connection's records.
    ConnectionToken,
}

impl SecretKind {
    /// Returns what such secrets begin with.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::ManagementKey => "wtm_",
            Self::ConnectionToken => "wtc_",
        }
    }

    /// Tells the kind of a secret by what it begins with.
    pub fn of(secret: &str) -> Option<Self> {
        [Self::ManagementKey, Self::ConnectionToken]
            .into_iter()
            .find(|kind| secret.starts_with(kind.prefix()))
    }

    /// Draws a secret: the prefix and 32 random bytes as base64url.
    pub fn draw(self) -> (SecretString, SecretHash) {
        let bytes = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
        let text = format!("{}{bytes}", self.prefix());
        let hash = SecretHash::of(&text);
        (SecretString::from(text), hash)
    }
}

impl SecretHash {
    /// Hashes a secret. It holds 256 random bits, so a plain hash is enough and a look-up leaks nothing.
    pub fn of(secret: &str) -> Self {
        Self(Sha256::digest(secret.as_bytes()).into())
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn a_secret_tells_its_kind_and_its_hash() {
        for kind in [SecretKind::ManagementKey, SecretKind::ConnectionToken] {
            let (text, hash) = kind.draw();
            let text = text.expose_secret();
            assert_eq!(text.len(), 4 + 43);
            assert_eq!(SecretKind::of(text), Some(kind));
            assert_eq!(SecretHash::of(text), hash);
            assert_ne!(kind.draw().1, hash);
        }
        assert_eq!(SecretKind::of("Bearer"), None);
    }
}
