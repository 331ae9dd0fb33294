//! An app with the bouncer's public key in it, and chat servers that bring what it sealed.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use crypto_box::{
    PublicKey,
    aead::rand_core::{CryptoRng, Error, RngCore},
};
use push_bouncer::{
    domain::e2ee_device::TokenId, push_registration::RegistrationKeys, random::Random,
};
use serde_json::{Value, json};

use super::{ChatServer, Kind, Phone, World};

/// A build of the app.
pub(crate) struct AppBuild {
    /// The public key in it, base64.
    pub(crate) public_key: String,
}

/// The private key of the protocol's example (5.3): the bytes 0 to 31.
const EXAMPLE: [u8; 32] = {
    let mut bytes = [0; 32];
    let mut index = 0_u8;
    while index < 32 {
        bytes[index as usize] = index;
        index += 1;
    }
    bytes
};

impl World {
    /// A build of the app with a key of the running bouncer, the protocol's example.
    pub(crate) async fn app_build(&self) -> AppBuild {
        self.keys().add(&EXAMPLE).await.expect("the database takes a key");
        AppBuild { public_key: "j0DFrbaPJWJK5bIU6nZ6bslNgp09e14a0bpvPiE4KF8=".to_owned() }
    }

    /// The keys of the running bouncer.
    pub(crate) fn keys(&self) -> &RegistrationKeys {
        self.server.app().push_registrations.keys()
    }

    /// Now, as a phone says it: in Unix seconds.
    pub(crate) fn seconds(&self) -> i64 {
        self.clock.now().unix_seconds()
    }
}

impl AppBuild {
    /// The app's registration of a phone, sealed.
    pub(crate) fn seal_phone(&self, phone: &Phone, timestamp: i64) -> String {
        self.seal(phone.plaintext(timestamp).to_string().as_bytes())
    }

    /// Any text, sealed.
    pub(crate) fn seal(&self, plaintext: &[u8]) -> String {
        let key = BASE64_STANDARD.decode(&self.public_key).unwrap();
        let key = PublicKey::from_slice(&key).unwrap();
        BASE64_STANDARD.encode(key.seal(&mut Chance(Random::default()), plaintext).unwrap())
    }
}

impl Phone {
    /// What the app writes into a registration.
    pub(crate) fn plaintext(&self, timestamp: i64) -> Value {
        match self.kind {
            Kind::Apns => json!({
                "token": self.token, "token_kind": "apns", "ios_app_id": self.app_id,
                "timestamp": timestamp,
            }),
            Kind::Fcm => json!({
                "token": self.token, "token_kind": "fcm", "ios_app_id": null, "timestamp": timestamp,
            }),
        }
    }

    /// What Zulip 12 names it by.
    pub(crate) fn token_id(&self) -> String {
        BASE64_STANDARD.encode(TokenId::of(&self.token).stored().to_be_bytes())
    }

    /// An element of an encrypted notification to it, as Zulip 12 writes it.
    pub(crate) fn push(&self, encrypted_data: &str) -> Value {
        let mut push = self.push_without_name(encrypted_data);
        push["token_id"] = self.token_id().into();
        push["payload"]["push_key_id"] = json!(4_294_967_295_u32);
        push
    }

    /// The same as Zulip 11 wrote it.
    pub(crate) fn push_of_11(&self, device_id: i64, encrypted_data: &str) -> Value {
        let mut push = self.push_without_name(encrypted_data);
        push["device_id"] = device_id.into();
        push["payload"]["push_account_id"] = json!(10);
        push
    }

    fn push_without_name(&self, encrypted_data: &str) -> Value {
        match self.kind {
            Kind::Apns => json!({
                "http_headers": {"apns_priority": 10, "apns_push_type": "alert"},
                "payload": {
                    "encrypted_data": encrypted_data,
                    "aps": {"mutable-content": 1, "alert": {"title": "New notification"}},
                },
            }),
            Kind::Fcm => json!({
                "fcm_priority": "high", "payload": {"encrypted_data": encrypted_data},
            }),
        }
    }
}

impl ChatServer {
    /// Brings a sealed registration as Zulip 12 does; gives the status and the whole answer.
    pub(crate) async fn bring(
        &self,
        realm: &str,
        token_id: &str,
        sealed: &str,
        public_key: &str,
    ) -> (u16, Value) {
        let fields = [
            ("realm_uuid", realm.to_owned()),
            ("token_id", token_id.to_owned()),
            ("encrypted_push_registration", sealed.to_owned()),
            ("bouncer_public_key", public_key.to_owned()),
        ];
        self.bring_fields(&fields).await
    }

    /// The same with any fields; what the bouncer says of the parameter that chat servers add to every form
    /// is left out.
    pub(crate) async fn bring_fields(&self, fields: &[(&str, String)]) -> (u16, Value) {
        let mut reply = self.form("push/e2ee/register", fields).await;
        if let Some(members) = reply.json.as_object_mut() {
            members.remove("ignored_parameters_unsupported");
        }
        (reply.status.as_u16(), reply.json)
    }

    /// Brings a phone's registration, which is accepted.
    pub(crate) async fn register_sealed(
        &self,
        realm: &str,
        app: &AppBuild,
        phone: &Phone,
        timestamp: i64,
    ) {
        let sealed = app.seal_phone(phone, timestamp);
        let answer = self.bring(realm, &phone.token_id(), &sealed, &app.public_key).await;
        assert_eq!(answer, (200, json!({"result": "success", "msg": ""})));
    }

    /// Sends an encrypted notification, which is taken; gives the answer.
    pub(crate) async fn notify_encrypted(&self, realm: &str, pushes: &[Value]) -> Value {
        let body = json!({"realm_uuid": realm, "push_requests": pushes});
        let reply = self.json("push/e2ee/notify", &body).await;
        assert_eq!(reply.status, 200, "{}", reply.json);
        reply.json
    }
}

/// The system's randomness as the sealing crate wants it.
struct Chance(Random);

impl CryptoRng for Chance {}

impl RngCore for Chance {
    fn next_u32(&mut self) -> u32 {
        u32::from_le_bytes(self.0.bytes())
    }

    fn next_u64(&mut self) -> u64 {
        u64::from_le_bytes(self.0.bytes())
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        bytes.fill_with(|| self.0.bytes::<1>()[0]);
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        self.fill_bytes(bytes);
        Ok(())
    }
}
