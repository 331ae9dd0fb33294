//! A phone against texts made with libsodium, and against itself.

use crypto_box::SecretKey;

use super::*;

/// A key pair, and what a program that uses libsodium sealed with it.
const PRIVATE_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const PUBLIC_KEY: &str = "j0DFrbaPJWJK5bIU6nZ6bslNgp09e14a0bpvPiE4KF8=";
const SEALED: &str = "dndhJL+UITG1pSKWTQor4D945BCw7b+/9ON9eLYdc2LxZ3zbJOAmk3dXzxggyLnaxbf3wdUcAPEOmAfU+DV0QwYosecvLcvRvsavlSJmxCYVpSySBNzD89dSUf8INAaaE7E98D/ngkIXaKNSIftKUtu+O0qQ/PHHf8sN4b78gmxMKjjCRIOSo8D5K2g=";

/// A push key, and what such a program encrypted with it.
const PUSH_KEY: &str = "MSAhIiMkJSYnKCkqKywtLi8wMTIzNDU2Nzg5Ojs8PT4/";
const ENCRYPTED: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXdqVRXGlBpKHTg7R3CFJNOdc5fYN0SZxfoS0e8sBL6i+v2nM23jb+OHhjgyrqVYULMMNuY5hsKZcvD59z2OeLG1FTfkJfNKd1+egnU3buqO8da73RN4dPj6GEu5Nn2CtE6HEvLcOjoHwLfh5Erqim90c6";

const APP: &str = "org.example.App";

fn open(sealed: &str) -> Value {
    let private_key = SecretKey::from_slice(&STANDARD.decode(PRIVATE_KEY).unwrap()).unwrap();
    let plaintext = private_key.unseal(&STANDARD.decode(sealed).unwrap()).unwrap();
    serde_json::from_slice(&plaintext).unwrap()
}

fn data(request: &Value) -> Value {
    let payload = &request["payload"];
    let id = payload["push_key_id"].to_string();
    json!({"push_key_id": id, "encrypted_data": payload["encrypted_data"]})
}

#[test]
fn a_box_of_libsodium_holds_what_a_phone_seals() {
    let phone = Phone::apple("c0ffee", APP, &Random::default());
    let at = Timestamp::from_unix_seconds(1_700_000_000);
    let registration = phone.registration(PUBLIC_KEY, at, &Random::default()).unwrap();
    assert_eq!(open(&registration.encrypted_push_registration), open(SEALED));
    assert_ne!(registration.encrypted_push_registration, SEALED, "each box is another");
    let names = registration.fields().map(|(name, _)| name);
    assert_eq!(names, ["token_id", "encrypted_push_registration", "bouncer_public_key"]);
}

#[test]
fn an_android_phone_names_no_app() {
    let phone = Phone::android("fcm-token-1", &Random::default());
    let at = Timestamp::from_unix_seconds(1_700_000_000);
    let registration = phone.registration(PUBLIC_KEY, at, &Random::default()).unwrap();
    assert_eq!(
        open(&registration.encrypted_push_registration),
        json!({"token": "fcm-token-1", "token_kind": "fcm", "timestamp": 1_700_000_000})
    );
}

#[test]
fn a_token_id_is_the_beginning_of_the_hash_of_its_text() {
    for (token, id) in
        [("c0ffee", "+wKIhyAx/Eg="), ("fcm-token-1", "PPqj8dYtEUg="), ("ABCDEF", "6cD4tXXL/LQ=")]
    {
        assert_eq!(Phone::android(token, &Random::default()).token_id(), id);
    }
}

#[test]
fn a_text_of_libsodium_is_decrypted() {
    let key = PushKey::parse(u32::MAX, PUSH_KEY).unwrap();
    assert_eq!(
        key.decrypt(ENCRYPTED).unwrap(),
        json!({
            "type": "test", "realm_url": "https://chat.example", "realm_name": "Ex",
            "user_id": 7, "time": 1_700_000_000,
        })
    );
    assert_eq!(key.expose(), PUSH_KEY);
}

#[test]
fn a_phone_reads_what_its_chat_server_encrypts_for_it() {
    let random = Random::default();
    let iphone = Phone::apple("c0ffee", APP, &random);
    let android = Phone::android("fcm-token-1", &random);
    let message = json!({"type": "message", "content": "Grüße"});
    let request = iphone.push_device().push_request(&message, &random);
    assert_eq!(request["http_headers"], json!({"apns_priority": 10, "apns_push_type": "alert"}));
    assert_eq!(iphone.read(&request["payload"]).unwrap(), message);

    let removal = json!({"type": "remove", "message_ids": [42]});
    let request = android.push_device().push_request(&removal, &random);
    assert_eq!(request["fcm_priority"], "normal");
    assert_eq!(android.read(&data(&request)).unwrap(), removal);
}

#[test]
fn a_phone_reads_nothing_of_others() {
    let random = Random::default();
    let (one, other) = (Phone::android("one", &random), Phone::android("other", &random));
    let request = other.push_device().push_request(&json!({"type": "test"}), &random);
    let mut data = data(&request);
    assert_eq!(one.read(&data), Err(PhoneError::OtherPushKey));
    data["push_key_id"] = one.push_key.id().into();
    assert_eq!(one.read(&data), Err(PhoneError::Unreadable));
    assert_eq!(one.read(&json!({"event": "message"})), Err(PhoneError::NotEncrypted));
    for short in ["", "AAAA", "?"] {
        assert_eq!(one.push_key.decrypt(short), Err(PhoneError::Unreadable));
    }
}

#[test]
fn keys_that_are_none_are_refused() {
    let phone = Phone::android("one", &Random::default());
    let at = Timestamp::default();
    for text in ["", "AAAA", "not base64"] {
        let refused = phone.registration(text, at, &Random::default()).err();
        assert_eq!(refused, Some(PhoneError::PublicKey), "{text}");
    }
    let of_another_type = STANDARD.encode([0x32; 33]);
    for text in ["", "MSAh", &of_another_type, PRIVATE_KEY] {
        assert_eq!(PushKey::parse(1, text).err(), Some(PhoneError::PushKey), "{text}");
    }
}
