//! Signatures as Standard Webhooks 1.0 describes them: HMAC-SHA256 over id, time and the exact bytes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, KeyInit, Mac};
use rand::Rng;
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use subtle::ConstantTimeEq;

const PREFIX: &str = "whsec_";
const SECRET_BYTES: usize = 32;

/// How far a signature's time may be from the receiver's clock.
pub const TOLERANCE: TimeDelta = TimeDelta::minutes(5);

/// The key that an endpoint's messages are signed with.
#[derive(Debug)]
pub struct SigningKey {
    text: SecretString,
    key: SecretKey,
}

struct SecretKey(Vec<u8>);

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[hidden]")
    }
}

/// A secret that is none.
#[derive(Debug, thiserror::Error)]
#[error("a signing secret is `whsec_` followed by 24 to 64 bytes in base64")]
pub struct BadSecret;

/// Why a signature was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// The time is no number of seconds.
    #[error("the timestamp is not a whole number of seconds")]
    BadTimestamp,
    /// The time is too far from now: perhaps an old message sent again.
    #[error("the timestamp is more than five minutes from now")]
    TooOld,
    /// No signature of the header fits.
    #[error("no signature matches")]
    NoMatch,
}

impl SigningKey {
    /// Makes a new random secret of 32 bytes.
    pub fn generate() -> Self {
        let mut key = vec![0; SECRET_BYTES];
        rand::rng().fill_bytes(&mut key);
        let text = SecretString::from(format!("{PREFIX}{}", STANDARD.encode(&key)));
        Self {
            text,
            key: SecretKey(key),
        }
    }

    /// Reads a secret as [`SigningKey::text`] writes it.
    ///
    /// # Errors
    /// When it has another form.
    pub fn from_text(text: &SecretString) -> Result<Self, BadSecret> {
        let encoded = text.expose_secret().strip_prefix(PREFIX).ok_or(BadSecret)?;
        let key = STANDARD.decode(encoded).map_err(|_| BadSecret)?;
        if !(24..=64).contains(&key.len()) {
            return Err(BadSecret);
        }
        Ok(Self {
            text: text.clone(),
            key: SecretKey(key),
        })
    }

    /// Returns the secret as receivers configure it: `whsec_` and base64.
    pub fn text(&self) -> &SecretString {
        &self.text
    }

    /// Returns the value of `webhook-signature` for a message sent at this second.
    pub fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let code = self.code(id, timestamp, body).finalize().into_bytes();
        format!("v1,{}", STANDARD.encode(code))
    }

    /// Checks the three headers of a message against its exact bytes. Any of several signatures may fit.
    ///
    /// # Errors
    /// Says what does not fit, and no more.
    pub fn verify(
        &self,
        id: &str,
        timestamp: &str,
        signatures: &str,
        received: Received<'_>,
    ) -> Result<(), Refused> {
        let seconds: i64 = timestamp.parse().map_err(|_| Refused::BadTimestamp)?;
        let sent = DateTime::from_timestamp(seconds, 0).ok_or(Refused::BadTimestamp)?;
        if (received.at - sent).abs() > TOLERANCE {
            return Err(Refused::TooOld);
        }
        let expected = self
            .code(id, seconds, received.body)
            .finalize()
            .into_bytes();
        let fits = signatures
            .split(' ')
            .filter_map(|signature| signature.strip_prefix("v1,"))
            .filter_map(|encoded| STANDARD.decode(encoded).ok())
            .any(|code| code.ct_eq(&expected).into());
        if fits { Ok(()) } else { Err(Refused::NoMatch) }
    }

    fn code(&self, id: &str, timestamp: i64, body: &[u8]) -> Hmac<Sha256> {
        #[expect(clippy::expect_used, reason = "HMAC takes keys of every length")]
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key.0).expect("HMAC takes any key");
        mac.update(id.as_bytes());
        mac.update(b".");
        mac.update(timestamp.to_string().as_bytes());
        mac.update(b".");
        mac.update(body);
        mac
    }
}

/// What arrived, and when.
#[derive(Clone, Copy, Debug)]
pub struct Received<'a> {
    /// The exact bytes of the body.
    pub body: &'a [u8],
    /// The receiver's clock.
    pub at: DateTime<Utc>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECRET: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    #[track_caller]
    fn check(timestamp: &str, signatures: &str, body: &[u8], expected: Result<(), Refused>) {
        let key = SigningKey::from_text(&SecretString::from(SECRET)).unwrap();
        let received = Received {
            body,
            at: at(1_900_000_000),
        };
        assert_eq!(
            key.verify("msg_1", timestamp, signatures, received),
            expected
        );
    }

    #[test]
    fn what_fits_and_what_does_not() {
        let key = SigningKey::from_text(&SecretString::from(SECRET)).unwrap();
        let good = key.sign("msg_1", 1_900_000_000, b"{}");
        check("1900000000", &good, b"{}", Ok(()));
        check(
            "1900000000",
            &format!("v1,bm9wZQ== v2,x {good}"),
            b"{}",
            Ok(()),
        );
        check("1900000000", &good, b"{ }", Err(Refused::NoMatch));
        check("1900000001", &good, b"{}", Err(Refused::NoMatch));
        check("1900000000", "", b"{}", Err(Refused::NoMatch));
        check("soon", &good, b"{}", Err(Refused::BadTimestamp));
        check("1900000301", &good, b"{}", Err(Refused::TooOld));
        check("1899999699", &good, b"{}", Err(Refused::TooOld));
    }

    #[test]
    fn secrets_of_another_form_are_refused() {
        for text in [
            "",
            "whsec_",
            "whsec_AAEC",
            "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
            "whsec_ä",
        ] {
            assert!(
                SigningKey::from_text(&SecretString::from(text)).is_err(),
                "{text}"
            );
        }
    }

    #[test]
    fn nothing_is_shown_by_debug() {
        let key = SigningKey::from_text(&SecretString::from(SECRET)).unwrap();
        let shown = format!("{key:?}");
        assert!(
            !shown.contains("AAEC") && !shown.contains("0, 1, 2"),
            "{shown}"
        );
    }

    proptest! {
        #[test]
        fn a_changed_byte_is_refused(body in prop::collection::vec(any::<u8>(), 1..200), place in any::<prop::sample::Index>()) {
            let key = SigningKey::generate();
            let signature = key.sign("msg_1", 1_900_000_000, &body);
            let mut other = body.clone();
            other[place.index(body.len())] ^= 1;
            let at = at(1_900_000_000);
            prop_assert_eq!(key.verify("msg_1", "1900000000", &signature, Received { body: &body, at }), Ok(()));
            prop_assert_eq!(key.verify("msg_1", "1900000000", &signature, Received { body: &other, at }), Err(Refused::NoMatch));
        }
    }
}
