//! Google's rules, each asked for over a real connection.

mod connection;
mod faults;
mod message;
mod oauth;

use std::sync::LazyLock;

use bytes::Bytes;
use futures_util::future::join_all;
use http::{Request, StatusCode};
use rsa::{RsaPrivateKey, pkcs8::DecodePrivateKey as _, pkcs8::EncodePrivateKey as _};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;
use crate::sandbox::test_client::{Answer, Client as Peer, sign_rs256, tls};

const PROJECT: &str = "example-chat";
const MESSAGING: &str = "https://www.googleapis.com/auth/firebase.messaging";

/// The search for a key takes time: all tests share two.
static ACCOUNT: LazyLock<ServiceAccount> =
    LazyLock::new(|| ServiceAccount::generate(PROJECT).unwrap());
static OTHER: LazyLock<ServiceAccount> =
    LazyLock::new(|| ServiceAccount::generate("other-chat").unwrap());

struct Actors {
    authority: Authority,
    clock: Clock,
    fcm: FakeFcm,
}

impl Actors {
    async fn start() -> Self {
        let authority = Authority::new().unwrap();
        let clock = Clock::default();
        let options =
            FcmOptions { accounts: vec![ACCOUNT.clone(), OTHER.clone()], ..FcmOptions::default() };
        let fcm = FakeFcm::start(&authority, clock.clone(), options).await.unwrap();
        Self { authority, clock, fcm }
    }

    async fn connect(&self) -> Peer {
        Peer::connect(&self.authority, self.fcm.address()).await
    }

    /// The claims of a good assertion.
    fn claims(&self, account: &ServiceAccount) -> Value {
        let now = self.clock.now().unix_seconds();
        json!({
            "iss": account.client_email(),
            "scope": MESSAGING,
            "aud": self.fcm.token_uri(),
            "iat": now,
            "exp": now + 3600,
        })
    }

    async fn log_in(&self, peer: &Peer, account: &ServiceAccount) -> String {
        let assertion = assert(account, &json!({ "alg": "RS256" }), &self.claims(account));
        let answer = ask_for_token(peer, GRANT, &assertion).await;
        assert_eq!(answer.status, 200);
        answer.json()["access_token"].as_str().unwrap().to_owned()
    }
}

const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

fn assert(account: &ServiceAccount, header: &Value, claims: &Value) -> String {
    let file: Value = serde_json::from_str(&account.json("")).unwrap();
    let key = RsaPrivateKey::from_pkcs8_pem(file["private_key"].as_str().unwrap()).unwrap();
    sign_rs256(key.to_pkcs8_der().unwrap().as_bytes(), header, claims)
}

async fn ask_for_token(peer: &Peer, grant_type: &str, assertion: &str) -> Answer {
    let form = form_urlencoded::Serializer::new(String::new())
        .append_pair("grant_type", grant_type)
        .append_pair("assertion", assertion)
        .finish();
    let request = Request::post("https://localhost/token")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Bytes::from(form));
    peer.send(request.unwrap()).await.unwrap()
}

async fn send(peer: &Peer, token: &str, body: &Value) -> Answer {
    send_for(peer, PROJECT, token, body).await
}

async fn send_for(peer: &Peer, project: &str, token: &str, body: &Value) -> Answer {
    let uri = format!("https://localhost/v1/projects/{project}/messages:send");
    let request = Request::post(uri).header("authorization", format!("Bearer {token}"));
    peer.send(request.body(body.to_string().into()).unwrap()).await.unwrap()
}

fn to(device: &str) -> Value {
    json!({ "message": {
        "token": device,
        "data": { "event": "message", "content": "hi" },
        "android": { "priority": "high" },
    }})
}
