//! Apple's rules, each asked for over a real connection.

mod authentication;
mod connection;
mod faults;
mod request;

use bytes::Bytes;
use futures_util::future::join_all;
use http::Request;
use serde_json::{Value, json};

use super::*;
use crate::sandbox::test_client::{Answer, Client as Peer, sign_es256, tls};

const TEAM: &str = "TEAM000001";
const KEY: &str = "KEY0000001";
const TOPIC: &str = "org.example.chat";
const DEVICE: &str = "0123456789abcdef0123456789ABCDEF0123456789abcdef0123456789abcdef";
const ID: &str = "eabeae54-14a8-11e5-b60b-1697f925ec7b";

struct Actors {
    authority: Authority,
    clock: Clock,
    apns: FakeApns,
    /// The private key of [`KEY`], for signing.
    key: Vec<u8>,
    /// A provider token issued at the start.
    first: String,
}

impl Actors {
    async fn start() -> Self {
        Self::start_with(ApnsOptions { topics: vec![TOPIC.into()], ..ApnsOptions::default() }).await
    }

    async fn start_with(mut options: ApnsOptions) -> Self {
        let authority = Authority::new().unwrap();
        let clock = Clock::default();
        let key = AppleKey::generate(TEAM, KEY).unwrap();
        let private = key.private_key_der().to_vec();
        options.keys.push(key);
        let apns = FakeApns::start(&authority, clock.clone(), options).await.unwrap();
        let mut actors = Self { authority, clock, apns, key: private, first: String::new() };
        actors.first = actors.token();
        actors
    }

    async fn connect(&self) -> Peer {
        Peer::connect(&self.authority, self.apns.address()).await
    }

    /// A provider token issued now.
    fn token(&self) -> String {
        self.token_of(&json!({ "iss": TEAM, "iat": self.clock.now().unix_seconds() }))
    }

    fn token_of(&self, claims: &Value) -> String {
        sign_es256(&self.key, &json!({ "alg": "ES256", "kid": KEY }), claims)
    }

    /// A request nothing is wrong with.
    fn push(&self, device: &str) -> Push {
        let headers = [
            ("authorization", format!("bearer {}", self.first)),
            ("apns-id", ID.to_owned()),
            ("apns-topic", TOPIC.to_owned()),
        ];
        Push {
            method: "POST",
            path: format!("/3/device/{device}"),
            headers: headers.map(|(name, value)| (name.to_owned(), value)).to_vec(),
            body: br#"{"aps":{"alert":"hi"}}"#.to_vec(),
        }
    }
}

struct Push {
    method: &'static str,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Push {
    fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self
    }

    fn again(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    fn body(mut self, length: usize) -> Self {
        self.body = vec![b' '; length];
        self
    }

    fn method(mut self, method: &'static str) -> Self {
        self.method = method;
        self
    }

    fn path(mut self, path: &str) -> Self {
        path.clone_into(&mut self.path);
        self
    }

    fn request(self) -> Request<Bytes> {
        let uri = format!("https://localhost{}", self.path);
        let mut request = Request::builder().method(self.method).uri(uri);
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        request.body(self.body.into()).unwrap()
    }

    async fn send(self, peer: &Peer) -> Answer {
        peer.send(self.request()).await.unwrap()
    }
}

fn hexadecimal(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}
