//! The secret by which a host proves that it is the one that asked: signed, so that nothing has to be
//! remembered of those that were given out.
//!
//! It is `hostname:milliseconds:signature` in upper-case hexadecimal digits, the form of the reference; the
//! chat server gives it back as it got it.

use std::{
    collections::VecDeque,
    fmt::Write as _,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::hmac;
use subtle::ConstantTimeEq as _;

use crate::{
    clock::{Clock, Timestamp},
    domain::hostname::Hostname,
};

/// How long a secret is valid; chat servers forget it as soon.
const LIFE: Duration = Duration::from_secs(10);

/// Secrets that were used within their life are remembered, so many at most; the limits let far fewer in.
const MAX_USED: usize = 10_000;

/// The bytes of HMAC-SHA256.
const SIGNATURE_BYTES: usize = 32;

/// Why a secret proves nothing, checked in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// It is not written in upper-case hexadecimal digits.
    #[error("the secret is malformed")]
    Malformed,
    /// We did not sign it, or it was used before.
    #[error("the secret is invalid")]
    Invalid,
    /// It is older than ten seconds.
    #[error("the secret has expired")]
    Expired,
    /// It was given out for another host name.
    #[error("the secret is for another host name")]
    OtherHostname,
}

/// Gives out secrets and takes them back, each once. It does not print itself: it holds a key.
pub(super) struct Secrets {
    key: hmac::Key,
    clock: Clock,
    used: Mutex<VecDeque<Used>>,
}

struct Used {
    issued: Timestamp,
    signature: [u8; SIGNATURE_BYTES],
}

impl Secrets {
    pub(super) fn new(key: hmac::Key, clock: Clock) -> Self {
        Self { key, clock, used: Mutex::default() }
    }

    /// A secret for this host name.
    pub(super) fn issue(&self, hostname: &Hostname) -> String {
        let signed = format!("{hostname}:{}", self.clock.now().unix_millis());
        let signature = hmac::sign(&self.key, signed.as_bytes());
        let text = format!("{signed}:{}", URL_SAFE_NO_PAD.encode(signature));
        let mut digits = String::with_capacity(2 * text.len());
        for byte in text.bytes() {
            write!(digits, "{byte:02X}").expect("writing into a text does not fail");
        }
        digits
    }

    /// Takes a secret that a host showed.
    ///
    /// # Errors
    ///
    /// When it is not one for this host name, given out within ten seconds and used for the first time.
    pub(super) fn redeem(&self, secret: &str, hostname: &Hostname) -> Result<(), SecretError> {
        let text = decoded(secret).ok_or(SecretError::Malformed)?;
        let (signed, signature) = text.rsplit_once(':').ok_or(SecretError::Invalid)?;
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| SecretError::Invalid)?;
        // In constant time.
        hmac::verify(&self.key, signed.as_bytes(), &signature).map_err(|_| SecretError::Invalid)?;
        let signature: [u8; SIGNATURE_BYTES] =
            signature.try_into().map_err(|_| SecretError::Invalid)?;
        let (issued_for, millis) = signed.rsplit_once(':').ok_or(SecretError::Invalid)?;
        let issued = millis.parse().map(Timestamp::from_unix_millis);
        let issued = issued.map_err(|_| SecretError::Invalid)?;
        if !self.is_alive(issued) {
            return Err(SecretError::Expired);
        }
        if issued_for != hostname.as_str() {
            return Err(SecretError::OtherHostname);
        }
        match self.note_used(Used { issued, signature }) {
            true => Ok(()),
            false => Err(SecretError::Invalid),
        }
    }

    /// In both directions: a clock that was set back must not make old secrets valid for long.
    fn is_alive(&self, issued: Timestamp) -> bool {
        let now = self.clock.now();
        now.since(issued).max(issued.since(now)) <= LIFE
    }

    /// Remembers a secret as long as it is valid; false when it was used before.
    fn note_used(&self, secret: Used) -> bool {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.retain(|earlier| self.is_alive(earlier.issued));
        let is_known = used.iter().any(|earlier| earlier.signature.ct_eq(&secret.signature).into());
        if is_known || used.len() >= MAX_USED {
            return false;
        }
        used.push_back(secret);
        true
    }
}

/// The text in upper-case hexadecimal digits.
fn decoded(digits: &str) -> Option<String> {
    let value = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    };
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    let bytes = pairs.iter().map(|&[high, low]| Some(value(high)? << 4 | value(low)?));
    String::from_utf8(bytes.collect::<Option<Vec<u8>>>()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(key: &[u8]) -> (Secrets, Clock) {
        let clock = Clock::default();
        (Secrets::new(hmac::Key::new(hmac::HMAC_SHA256, key), clock.clone()), clock)
    }

    fn host(text: &str) -> Hostname {
        Hostname::parse(text).unwrap()
    }

    #[test]
    fn a_secret_has_the_form_of_the_reference() {
        let (secrets, clock) = secrets(b"a");
        let before = clock.now().unix_millis();
        let secret = secrets.issue(&host("chat.test:8443"));
        assert!(secret.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'A'..=b'F')));
        let text = decoded(&secret).unwrap();
        let (name, rest) = text.rsplit_once(':').unwrap().0.rsplit_once(':').unwrap();
        assert_eq!(name, "chat.test:8443");
        assert!((before..=clock.now().unix_millis()).contains(&rest.parse().unwrap()));
    }

    #[test]
    fn a_secret_is_good_once() {
        let (secrets, clock) = secrets(b"a");
        let first = secrets.issue(&host("chat.test"));
        clock.advance(Duration::from_millis(1));
        let second = secrets.issue(&host("chat.test"));
        assert_eq!(secrets.redeem(&first, &host("chat.test")), Ok(()));
        assert_eq!(secrets.redeem(&first, &host("chat.test")), Err(SecretError::Invalid));
        assert_eq!(secrets.redeem(&second, &host("chat.test")), Ok(()));
    }

    #[test]
    fn a_secret_is_good_for_ten_seconds_and_then_forgotten() {
        let (secrets, clock) = secrets(b"a");
        let secret = secrets.issue(&host("chat.test"));
        let late = secrets.issue(&host("chat.test:1"));
        clock.advance(Duration::from_secs(9));
        assert_eq!(secrets.redeem(&secret, &host("chat.test")), Ok(()));
        clock.advance(Duration::from_secs(2));
        assert_eq!(secrets.redeem(&late, &host("chat.test:1")), Err(SecretError::Expired));
        assert_eq!(secrets.redeem(&secret, &host("chat.test")), Err(SecretError::Expired));
        let next = secrets.issue(&host("chat.test"));
        assert_eq!(secrets.redeem(&next, &host("chat.test")), Ok(()));
        assert_eq!(secrets.used.lock().unwrap().len(), 1, "the old one needs no memory");
    }

    #[test]
    fn a_secret_of_the_future_has_expired() {
        let (today, _) = secrets(b"a");
        let (tomorrow, clock) = secrets(b"a");
        clock.advance(Duration::from_secs(24 * 60 * 60));
        let secret = tomorrow.issue(&host("chat.test"));
        assert_eq!(today.redeem(&secret, &host("chat.test")), Err(SecretError::Expired));
    }

    #[test]
    fn a_secret_is_good_for_its_host_name_only_and_stays_unused_at_another() {
        let (secrets, _) = secrets(b"a");
        let secret = secrets.issue(&host("chat.test:8443"));
        for other in ["chat.test", "chat.test:443", "other.test:8443", "chat.test.:8443"] {
            let redeemed = secrets.redeem(&secret, &host(other));
            assert_eq!(redeemed, Err(SecretError::OtherHostname), "{other}");
        }
        assert_eq!(secrets.redeem(&secret, &host("chat.test:8443")), Ok(()));
    }

    #[test]
    fn what_is_no_hexadecimal_is_malformed() {
        let (secrets, _) = secrets(b"a");
        let good = secrets.issue(&host("chat.test"));
        let odd = &good[1..];
        for text in ["foo", "F", odd, &good.to_lowercase(), "C3", "\u{ff11}\u{ff11}"] {
            let redeemed = secrets.redeem(text, &host("chat.test"));
            assert_eq!(redeemed, Err(SecretError::Malformed), "{text}");
        }
    }

    #[test]
    fn what_we_did_not_sign_is_invalid() {
        let (own, clock) = secrets(b"a");
        let (other, _) = secrets(b"b");
        let hex = |text: &str| text.bytes().map(|byte| format!("{byte:02X}")).collect::<String>();
        let now = clock.now().unix_millis();
        let good = decoded(&own.issue(&host("chat.test"))).unwrap();
        let signature = good.rsplit_once(':').unwrap().1;
        for secret in [
            other.issue(&host("chat.test")),
            String::new(),
            hex("chat.test"),
            hex("chat.test:1:"),
            hex(&format!("chat.test:{now}:AAAA")),
            hex(&format!("chat.test:{}:{signature}", now + 1_000)),
            hex(&format!("{good}=")),
            hex(&format!("other.test:{now}:{signature}")),
        ] {
            let redeemed = own.redeem(&secret, &host("chat.test"));
            assert_eq!(redeemed, Err(SecretError::Invalid), "{secret}");
        }
    }
}
