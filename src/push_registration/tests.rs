//! Sealed texts: the fixed one of the protocol, and what is wrong with others.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use crypto_box::SecretKey as PrivateKey;

use super::*;
use crate::domain::device::Provider;

/// The private key of the protocol's example (5.3): the bytes 0 to 31.
const PRIVATE_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const PUBLIC_KEY: &str = "j0DFrbaPJWJK5bIU6nZ6bslNgp09e14a0bpvPiE4KF8=";
const SEALED: &str = "dndhJL+UITG1pSKWTQor4D945BCw7b+/9ON9eLYdc2LxZ3zbJOAmk3dXzxggyLnaxbf3wdUcAPEOmAfU\
    +DV0QwYosecvLcvRvsavlSJmxCYVpSySBNzD89dSUf8INAaaE7E98D/ngkIXaKNSIftKUtu+O0qQ/PHHf8sN4b78gmxMKjjCRIOSo8D5K2g=";
const TOKEN_ID: &str = "+wKIhyAx/Eg=";
const MADE_AT: i64 = 1_700_000_000;

fn private_key() -> PrivateKey {
    PrivateKey::from_slice(&STANDARD.decode(PRIVATE_KEY).unwrap()).unwrap()
}

fn open(sealed: &str, name: RegisteredName<'_>, now: i64) -> Result<NewE2eeDevice, String> {
    let plaintext = decode(sealed).and_then(|sealed| private_key().unseal(&sealed).ok());
    let plaintext = plaintext.ok_or("not opened")?;
    judge(&plaintext, name, Timestamp::from_unix_seconds(now)).map_err(|error| error.to_string())
}

#[test]
fn v087_the_fixed_text_opens_to_its_device() {
    assert_eq!(STANDARD.encode(private_key().public_key().as_bytes()), PUBLIC_KEY);
    let device = open(SEALED, RegisteredName::TokenId(TOKEN_ID), MADE_AT + 5).unwrap();
    assert_eq!((device.provider, device.token.expose()), (Provider::Apns, "c0ffee"));
    assert_eq!(device.app_id.unwrap().as_str(), "org.example.App");
    assert_eq!(device.identity, E2eeIdentity::TokenId(TokenId::of("c0ffee")));
    assert_eq!(device.registered_at, Timestamp::from_unix_seconds(MADE_AT));
}

#[test]
fn v089_v090_it_is_good_for_a_day_to_the_second() {
    let name = RegisteredName::TokenId(TOKEN_ID);
    assert!(open(SEALED, name, MADE_AT + 86_400).is_ok());
    assert_eq!(open(SEALED, name, MADE_AT + 86_401).unwrap_err(), "made too long ago");
    let early = open(SEALED, name, MADE_AT - 1_000_000).unwrap();
    let came_at = Timestamp::from_unix_seconds(MADE_AT - 1_000_000);
    assert_eq!(early.registered_at, came_at, "a phone's clock may be ahead");
}

#[test]
fn v092_the_id_must_be_that_of_the_token() {
    for name in ["PPqj8dYtEUg=", "+wKIhyAx/Eg", "", "c0ffee"] {
        let error = open(SEALED, RegisteredName::TokenId(name), MADE_AT).unwrap_err();
        assert_eq!(error, "no registration", "{name}");
        let error = open(SEALED, RegisteredName::TokenId(name), MADE_AT + 90_000).unwrap_err();
        assert_eq!(error, "no registration", "{name}: this comes before the time");
    }
    assert!(open(SEALED, RegisteredName::PushAccount(5), MADE_AT).is_ok());
}

#[test]
fn v093_a_text_that_is_cut_or_changed_anywhere_is_none() {
    let name = RegisteredName::TokenId(TOKEN_ID);
    let sealed = STANDARD.decode(SEALED).unwrap();
    for end in 0..sealed.len() {
        let cut = STANDARD.encode(&sealed[..end]);
        assert_eq!(open(&cut, name, MADE_AT).unwrap_err(), "not opened", "{end} bytes");
        let mut changed = sealed.clone();
        changed[end] ^= 1;
        assert_eq!(open(&STANDARD.encode(changed), name, MADE_AT).unwrap_err(), "not opened");
    }
}

#[test]
fn other_kinds_of_base64_are_refused() {
    let urlsafe = SEALED.replace('+', "-").replace('/', "_");
    let unpadded = SEALED.trim_end_matches('=').to_owned();
    let spread = format!("{}\n{}", &SEALED[..76], &SEALED[76..]);
    let longer = format!("{SEALED}=");
    for text in [urlsafe, unpadded, spread, format!(" {SEALED}"), longer, String::new()] {
        assert!(decode(&text).is_none_or(|bytes| bytes.is_empty()), "{text}");
        let opened = open(&text, RegisteredName::TokenId(TOKEN_ID), MADE_AT);
        assert_eq!(opened.unwrap_err(), "not opened", "{text}");
    }
}

#[test]
fn the_longest_token_fits_and_what_is_far_longer_is_not_even_decoded() {
    let token = "\\ud83d\\ude00".repeat(4096);
    let text = format!("{{\"token\":\"{token}\",\"token_kind\":\"fcm\",\"timestamp\":{MADE_AT}}}");
    assert!(text.len() < MAX_PLAINTEXT_BYTES);
    let name = RegisteredName::PushAccount(1);
    let device = judge(text.as_bytes(), name, Timestamp::from_unix_seconds(MADE_AT)).unwrap();
    assert_eq!(device.token.expose().chars().count(), 4096);
    let most = STANDARD.encode(vec![0; MAX_PLAINTEXT_BYTES + SEAL_BYTES]);
    assert!(decode(&most).is_some());
    let more = STANDARD.encode(vec![0; MAX_PLAINTEXT_BYTES + SEAL_BYTES + 3]);
    assert!(decode(&more).is_none());
}

mod sealing {
    use super::super::sealing::Sealing;
    use crate::{random::Random, secret_key::SecretKey};

    fn secret(byte: u8) -> SecretKey {
        use base64::{Engine as _, engine::general_purpose::STANDARD};
        let directory = tempfile::TempDir::new().unwrap();
        let file = directory.path().join("secret.key");
        std::fs::write(&file, STANDARD.encode([byte; 32])).unwrap();
        SecretKey::read(&file).unwrap()
    }

    #[test]
    fn a_private_key_opens_under_its_secret_and_for_its_public_key_only() {
        let sealing = Sealing::new(&secret(1), Random::default());
        let sealed = sealing.seal(&[2; 32], &[3; 32]);
        assert_eq!(sealed.len(), 12 + 32 + 16);
        assert!(!sealed.windows(8).any(|window| window == [3; 8]));
        assert_eq!(*sealing.open(&[2; 32], &sealed).unwrap(), [3; 32]);
        assert_ne!(sealing.seal(&[2; 32], &[3; 32]), sealed, "never the same twice");

        assert!(sealing.open(&[4; 32], &sealed).is_none());
        assert!(Sealing::new(&secret(5), Random::default()).open(&[2; 32], &sealed).is_none());
        for end in 0..sealed.len() {
            assert!(sealing.open(&[2; 32], &sealed[..end]).is_none());
        }
    }
}
