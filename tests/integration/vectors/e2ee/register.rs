//! Vectors 87 to 98: registrations.

use entities::e2ee_devices;
use sea_orm::EntityTrait as _;
use serde_json::{Value, json};

use super::{Cast, R1, R2, example, invalid};
use crate::world::Phone;

const DAY_SECONDS: i64 = 24 * 60 * 60;

/// The protocol's sealed text (5.3).
const FIXED_TEXT: &str = "dndhJL+UITG1pSKWTQor4D945BCw7b+/9ON9eLYdc2LxZ3zbJOAmk3dXzxggyLnaxbf3wdUcAPEOmAfU+DV0QwYosecvLcvRvsavlSJmxCYVpSySBNzD89dSUf8INAaaE7E98D/ngkIXaKNSIftKUtu+O0qQ/PHHf8sN4b78gmxMKjjCRIOSo8D5K2g=";

impl Cast {
    /// What the first server is told when it brings the protocol's sealed text under this id.
    async fn bring_fixed(&self, token_id: &str) -> (u16, Value) {
        self.s1.bring(R1, token_id, FIXED_TEXT, &self.app.public_key).await
    }

    /// What the first server is told when it brings this phone, sealed so many seconds ago.
    async fn bring(&self, phone: &Phone, age: i64) -> (u16, Value) {
        let sealed = self.app.seal_phone(phone, self.world.seconds() - age);
        self.s1.bring(R1, &phone.token_id(), &sealed, &self.app.public_key).await
    }

    /// What it is told when it brings this text for the phone of the example.
    async fn bring_text(&self, plaintext: &Value) -> (u16, Value) {
        let sealed = self.app.seal(plaintext.to_string().as_bytes());
        self.s1.bring(R1, &example().token_id(), &sealed, &self.app.public_key).await
    }

    async fn devices(&self) -> Vec<e2ee_devices::Model> {
        e2ee_devices::Entity::find().all(&self.world.database().await).await.unwrap()
    }
}

fn ok() -> (u16, Value) {
    (200, json!({"result": "success", "msg": ""}))
}

fn refused(status: u16, code: &str, msg: &str) -> (u16, Value) {
    (status, json!({"result": "error", "msg": msg, "code": code}))
}

fn unknown_realm() -> (u16, Value) {
    refused(403, "MISSING_REMOTE_REALM", "Organization not registered")
}

#[tokio::test(flavor = "multi_thread")]
async fn v087_the_fixed_text_registers_its_phone() {
    let cast = Cast::assemble_after(60).await;
    assert_eq!(cast.bring_fixed("+wKIhyAx/Eg=").await, ok());
    let devices = cast.devices().await;
    assert_eq!(devices.len(), 1);
    assert_eq!((devices[0].kind, &*devices[0].token.0), (1, "c0ffee"));
    assert_eq!(devices[0].token_id, Some(-359_574_906_294_109_112));
    assert_eq!(devices[0].ios_app_id.as_deref(), Some("org.example.App"));
    assert_eq!(devices[0].expired_at, None);
    cast.world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v088_the_same_text_twice_makes_one_device() {
    let cast = Cast::assemble_after(60).await;
    for _ in 0..2 {
        assert_eq!(cast.bring_fixed("+wKIhyAx/Eg=").await, ok());
    }
    assert_eq!(cast.devices().await.len(), 1);
    cast.world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v089_a_registration_of_the_day_before_is_expired() {
    let cast = Cast::assemble_after(DAY_SECONDS + 1).await;
    let expected = refused(400, "REQUEST_EXPIRED", "Request expired");
    assert_eq!(cast.bring_fixed("+wKIhyAx/Eg=").await, expected);
    assert!(cast.devices().await.is_empty());
    cast.world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v090_a_registration_of_this_day_is_good() {
    // To the second it is tested where the time is given; a test takes less than this.
    let cast = Cast::assemble_after(DAY_SECONDS - 30).await;
    assert_eq!(cast.bring_fixed("+wKIhyAx/Eg=").await, ok());
    assert_eq!(cast.bring(&Phone::android("ahead"), -DAY_SECONDS * 365).await, ok());
    cast.world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v091_a_key_that_is_not_ours_is_refused() {
    let cast = Cast::assemble("").await;
    let expected = refused(400, "INVALID_BOUNCER_PUBLIC_KEY", "Invalid bouncer_public_key");
    let sealed = cast.app.seal_phone(&example(), cast.world.seconds());
    let key = &cast.app.public_key;
    for other in [
        "mm4F/3WLqECY637NulC5j/ZeHkmpwmtlfIxwt8MfREM=",
        "",
        "key",
        key.trim_end_matches('='),
        &format!("{key} "),
        &format!("{key}\n"),
    ] {
        let answer = cast.s1.bring(R1, &example().token_id(), &sealed, other).await;
        assert_eq!(answer, expected, "{other}");
    }
    cast.world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v092_the_token_id_of_another_token_is_refused() {
    let cast = Cast::assemble("").await;
    let sealed = cast.app.seal_phone(&example(), cast.world.seconds());
    for other in ["PPqj8dYtEUg=", "", "not base64", "+wKIhyAx/Eg"] {
        let answer = cast.s1.bring(R1, other, &sealed, &cast.app.public_key).await;
        assert_eq!(answer, invalid(), "{other}");
    }
    cast.world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v093_garbage_is_refused() {
    let cast = Cast::assemble("").await;
    let sealed = cast.app.seal_phone(&example(), cast.world.seconds());
    for other in ["AAAA", "", "%", "Z", &sealed[..sealed.len() - 4], &format!("{sealed}AAAA")] {
        let key = &cast.app.public_key;
        let answer = cast.s1.bring(R1, &example().token_id(), other, key).await;
        assert_eq!(answer, invalid(), "{other}");
    }
    cast.world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v094_an_android_phone_with_an_app_id_is_refused() {
    let cast = Cast::assemble("").await;
    let mut text = example().plaintext(cast.world.seconds());
    text["token_kind"] = "fcm".into();
    assert_eq!(cast.bring_text(&text).await, invalid());
    text["ios_app_id"] = Value::Null;
    assert_eq!(cast.bring_text(&text).await, ok());
    cast.world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v095_an_apple_phone_without_app_id_or_token_is_refused() {
    let cast = Cast::assemble("").await;
    let text = example().plaintext(cast.world.seconds());
    for (name, value) in [
        ("ios_app_id", Value::Null),
        ("token_kind", json!("ios")),
        ("timestamp", json!("soon")),
        ("token", Value::Null),
    ] {
        let mut other = text.clone();
        other[name] = value;
        assert_eq!(cast.bring_text(&other).await, invalid(), "{other}");
    }
    let phone = Phone { token: "no hex".to_owned(), ..example() };
    assert_eq!(cast.bring(&phone, 0).await, invalid());
    cast.world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v096_a_realm_that_nobody_registered_is_missing() {
    let cast = Cast::assemble("").await;
    let sealed = cast.app.seal_phone(&example(), cast.world.seconds());
    let unknown = "00000000-1111-4222-8333-444455556666";
    let key = &cast.app.public_key;
    let answer = cast.s1.bring(unknown, &example().token_id(), &sealed, key).await;
    assert_eq!(answer, unknown_realm());
    cast.world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v097_the_realm_of_another_server_is_refused() {
    let cast = Cast::assemble("").await;
    let sealed = cast.app.seal_phone(&example(), cast.world.seconds());
    let key = &cast.app.public_key;
    let (status, answer) = cast.s1.bring(R2, &example().token_id(), &sealed, key).await;
    assert_eq!((status, &answer["code"]), (403, &json!("REMOTE_REALM_SERVER_MISMATCH_ERROR")));
    cast.world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v098_the_realm_is_judged_before_the_key() {
    let cast = Cast::assemble("").await;
    let unknown = "00000000-1111-4222-8333-444455556666";
    assert_eq!(cast.s1.bring(unknown, "", "", "another key").await, unknown_realm());
    cast.world.shutdown().await;
}
