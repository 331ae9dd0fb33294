//! The secret by which a host proves that it is the one that asked: signed, so that nothing has to be
//! remembered of those that were given out.
//!
//! It is `hostname:milliseconds:signature` in upper-case hexadecimal digits, the form of the reference; the
//! chat server gives it back as it got it. The signature has two halves. The second one is also over how
//! often the registration was transferred before: so a secret is good once, on every node.

use std::{fmt::Write as _, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::hmac;

use crate::{
    clock::{Clock, Timestamp},
    domain::hostname::Hostname,
};

/// How long a secret is valid; chat servers forget it as soon.
const LIFE: Duration = Duration::from_secs(10);

/// The bytes of HMAC-SHA256: of each half of a signature.
const HALF_BYTES: usize = 32;

/// Why a secret proves nothing, checked in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// It is not written in upper-case hexadecimal digits.
    #[error("the secret is malformed")]
    Malformed,
    /// We did not sign it, or the registration was transferred since.
    #[error("the secret is invalid")]
    Invalid,
    /// It is older than ten seconds.
    #[error("the secret has expired")]
    Expired,
    /// It was given out for another host name.
    #[error("the secret is for another host name")]
    OtherHostname,
}

/// Gives out secrets and takes them back. It does not print itself: it holds a key.
pub(super) struct Secrets {
    key: hmac::Key,
    clock: Clock,
}

/// A secret that a host showed and that is good, if no transfer came in between.
pub(super) struct Proof {
    signed: String,
    bond: [u8; HALF_BYTES],
}

impl Secrets {
    pub(super) fn new(key: hmac::Key, clock: Clock) -> Self {
        Self { key, clock }
    }

    /// A secret for this host name, after so many transfers.
    pub(super) fn issue(&self, hostname: &Hostname, transfers: i32) -> String {
        let signed = format!("{hostname}:{}", self.clock.now().unix_millis());
        let mut signature = hmac::sign(&self.key, signed.as_bytes()).as_ref().to_vec();
        signature.extend_from_slice(hmac::sign(&self.key, &bound(&signed, transfers)).as_ref());
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
    /// When it is not one for this host name, given out within ten seconds.
    pub(super) fn redeem(&self, secret: &str, hostname: &Hostname) -> Result<Proof, SecretError> {
        let text = decoded(secret).ok_or(SecretError::Malformed)?;
        let (signed, signature) = text.rsplit_once(':').ok_or(SecretError::Invalid)?;
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| SecretError::Invalid)?;
        let (own, bond) = signature.split_at_checked(HALF_BYTES).ok_or(SecretError::Invalid)?;
        let bond = bond.try_into().map_err(|_| SecretError::Invalid)?;
        // In constant time.
        hmac::verify(&self.key, signed.as_bytes(), own).map_err(|_| SecretError::Invalid)?;
        let (issued_for, millis) = signed.rsplit_once(':').ok_or(SecretError::Invalid)?;
        let issued = millis.parse().map(Timestamp::from_unix_millis);
        let issued = issued.map_err(|_| SecretError::Invalid)?;
        if !self.is_alive(issued) {
            return Err(SecretError::Expired);
        }
        if issued_for != hostname.as_str() {
            return Err(SecretError::OtherHostname);
        }
        Ok(Proof { signed: signed.to_owned(), bond })
    }

    /// Whether there are still so many transfers as when the secret was given out.
    pub(super) fn holds(&self, proof: &Proof, transfers: i32) -> bool {
        hmac::verify(&self.key, &bound(&proof.signed, transfers), &proof.bond).is_ok()
    }

    /// In both directions: a clock that was set back must not make old secrets valid for long.
    fn is_alive(&self, issued: Timestamp) -> bool {
        let now = self.clock.now();
        now.since(issued).max(issued.since(now)) <= LIFE
    }
}

/// What the second half of a signature is over.
fn bound(signed: &str, transfers: i32) -> Vec<u8> {
    format!("{signed}:{transfers}").into_bytes()
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

    fn redeemed(secrets: &Secrets, secret: &str, hostname: &str) -> Result<(), SecretError> {
        secrets.redeem(secret, &host(hostname)).map(|_| ())
    }

    #[test]
    fn a_secret_has_the_form_of_the_reference() {
        let (secrets, clock) = secrets(b"a");
        let before = clock.now().unix_millis();
        let secret = secrets.issue(&host("chat.test:8443"), 1);
        assert!(secret.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'A'..=b'F')));
        let text = decoded(&secret).unwrap();
        let (name, rest) = text.rsplit_once(':').unwrap().0.rsplit_once(':').unwrap();
        assert_eq!(name, "chat.test:8443");
        assert!((before..=clock.now().unix_millis()).contains(&rest.parse().unwrap()));
    }

    #[test]
    fn a_secret_is_good_until_the_registration_is_transferred() {
        let (secrets, _) = secrets(b"a");
        let secret = secrets.issue(&host("chat.test"), 1);
        let proof = secrets.redeem(&secret, &host("chat.test")).ok().unwrap();
        assert!(secrets.holds(&proof, 1));
        assert!(!secrets.holds(&proof, 2), "it was used");
    }

    #[test]
    fn a_secret_is_good_for_ten_seconds() {
        let (secrets, clock) = secrets(b"a");
        let secret = secrets.issue(&host("chat.test"), 1);
        clock.advance(Duration::from_secs(9));
        assert_eq!(redeemed(&secrets, &secret, "chat.test"), Ok(()));
        clock.advance(Duration::from_secs(2));
        assert_eq!(redeemed(&secrets, &secret, "chat.test"), Err(SecretError::Expired));
    }

    #[test]
    fn a_secret_of_the_future_has_expired() {
        let (today, _) = secrets(b"a");
        let (tomorrow, clock) = secrets(b"a");
        clock.advance(Duration::from_secs(24 * 60 * 60));
        let secret = tomorrow.issue(&host("chat.test"), 1);
        assert_eq!(redeemed(&today, &secret, "chat.test"), Err(SecretError::Expired));
    }

    #[test]
    fn a_secret_is_good_for_its_host_name_only_and_stays_unused_at_another() {
        let (secrets, _) = secrets(b"a");
        let secret = secrets.issue(&host("chat.test:8443"), 1);
        for other in ["chat.test", "chat.test:443", "other.test:8443"] {
            let told = redeemed(&secrets, &secret, other);
            assert_eq!(told, Err(SecretError::OtherHostname), "{other}");
        }
        assert_eq!(redeemed(&secrets, &secret, "chat.test:8443"), Ok(()));
    }

    #[test]
    fn what_is_no_hexadecimal_is_malformed() {
        let (secrets, _) = secrets(b"a");
        let good = secrets.issue(&host("chat.test"), 1);
        let odd = &good[1..];
        for text in ["foo", "F", odd, &good.to_lowercase(), "C3", "\u{ff11}\u{ff11}"] {
            let told = redeemed(&secrets, text, "chat.test");
            assert_eq!(told, Err(SecretError::Malformed), "{text}");
        }
    }

    #[test]
    fn what_we_did_not_sign_is_invalid() {
        let (own, clock) = secrets(b"a");
        let (other, _) = secrets(b"b");
        let hex = |text: &str| text.bytes().map(|byte| format!("{byte:02X}")).collect::<String>();
        let now = clock.now().unix_millis();
        let good = decoded(&own.issue(&host("chat.test"), 1)).unwrap();
        let signature = good.rsplit_once(':').unwrap().1;
        for secret in [
            other.issue(&host("chat.test"), 1),
            String::new(),
            hex("chat.test"),
            hex("chat.test:1:"),
            hex(&format!("chat.test:{now}:AAAA")),
            hex(&format!("chat.test:{}:{signature}", now + 1_000)),
            hex(&format!("{good}=")),
            hex(&format!("other.test:{now}:{signature}")),
        ] {
            let told = redeemed(&own, &secret, "chat.test");
            assert_eq!(told, Err(SecretError::Invalid), "{secret}");
        }
    }
}
