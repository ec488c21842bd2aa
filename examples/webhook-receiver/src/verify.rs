//! Standard Webhooks 1.0: is this message from whom it says, and is it fresh?

use std::fmt;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// Checks messages against one secret.
pub struct Verifier {
    key: Vec<u8>,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier")
    }
}

/// The three headers of a message.
#[derive(Clone, Copy, Debug)]
pub struct Headers<'a> {
    /// `webhook-id`: the same whenever the message is sent again.
    pub id: &'a str,
    /// `webhook-timestamp`: Unix seconds of this attempt.
    pub timestamp: &'a str,
    /// `webhook-signature`: one or more signatures, separated by blanks.
    pub signature: &'a str,
}

/// The message is not to be trusted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Refused;

impl Verifier {
    /// Reads a secret as the endpoint's creation returned it: `whsec_` and base64.
    ///
    /// # Errors
    /// When it has another form.
    pub fn from_secret(secret: &str) -> Result<Self> {
        let encoded = secret
            .strip_prefix("whsec_")
            .context("the secret does not begin with whsec_")?;
        let key = STANDARD
            .decode(encoded)
            .context("the secret is no base64 behind whsec_")?;
        Ok(Self { key })
    }

    /// Checks a message's headers against the exact bytes of its body.
    ///
    /// # Errors
    /// Says no more than that it is refused: whoever forges learns nothing.
    pub fn verify(
        &self,
        headers: Headers<'_>,
        body: &[u8],
        now: DateTime<Utc>,
    ) -> Result<(), Refused> {
        let seconds: i64 = headers.timestamp.parse().map_err(|_| Refused)?;
        let sent = DateTime::from_timestamp(seconds, 0).ok_or(Refused)?;
        if (now - sent).abs() > TimeDelta::minutes(5) {
            return Err(Refused);
        }
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).map_err(|_| Refused)?;
        for part in [
            headers.id.as_bytes(),
            b".",
            headers.timestamp.as_bytes(),
            b".",
            body,
        ] {
            mac.update(part);
        }
        let expected = mac.finalize().into_bytes();
        let is_signed = headers
            .signature
            .split(' ')
            .filter_map(|signature| STANDARD.decode(signature.strip_prefix("v1,")?).ok())
            .any(|signature| signature.ct_eq(&expected).into());
        if is_signed { Ok(()) } else { Err(Refused) }
    }
}
