//! Transfers of registrations: the two requests, and the host that the bouncer calls.

use std::net::SocketAddr;

use bytes::Bytes;
use form_urlencoded::Serializer;
use http::{Request, header};
use push_bouncer::sandbox::{authority::Authority, chat_host::ChatHost};
use serde_json::Value;

use super::{Answer, World};

/// What a chat server makes up for one transfer.
pub(crate) const TOKEN: &str = "fZ1-VtM0Zl_2bSLeNq5Ht7oYxC3wKdR9uJ6aPgE8i4Q";

/// Settings that let the bouncer call hosts on loopback.
pub(crate) const PERMITTED: &str = "outbound.permitted_networks = [\"127.0.0.0/8\", \"::1/128\"]\n";

/// Settings that let one address ask for as many transfers as it likes, and all together too.
pub(crate) const ANY_NUMBER: &str = "limits.transfer.rate = \"1000000/min\"\n\
    registration.transfer_limit = \"1000000/min\"\nlimits.ip.rate = \"1000000/min\"\n";

impl World {
    /// A chat server's host on loopback that the bouncer trusts, by `localhost` and `names`.
    pub(crate) async fn chat_host(&self, names: &[&str]) -> ChatHost {
        let authority = self.surroundings.authority();
        let host = ChatHost::start(authority, self.clock.clone(), names).await;
        host.expect("loopback has a free port")
    }

    /// The same at this address, with a certificate of `authority`.
    pub(crate) async fn chat_host_at(
        &self,
        address: SocketAddr,
        authority: &Authority,
        names: &[&str],
    ) -> ChatHost {
        let host = ChatHost::start_at(address, authority, self.clock.clone(), names).await;
        host.expect("the address is free")
    }

    /// Sends a form that needs no credentials to `server/register/…`.
    pub(crate) async fn post_form(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.post_form_from(None, path, fields).await
    }

    /// The same, through a proxy that says whom it speaks for.
    pub(crate) async fn post_form_from(
        &self,
        forwarded_for: Option<&str>,
        path: &str,
        fields: &[(&str, &str)],
    ) -> Answer {
        let mut request = Request::post(format!("/api/v1/remotes/server/register/{path}"))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        if let Some(address) = forwarded_for {
            request = request.header("X-Forwarded-For", address);
        }
        let form = Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = request.body(Bytes::from(form)).expect("a form is a request");
        self.client().send(request).await.expect("the bouncer answers")
    }

    /// The secret for the registration of this host name, which is there.
    pub(crate) async fn secret_for(&self, hostname: &str) -> String {
        let (status, json) = said(&self.post_form("transfer", &[("hostname", hostname)]).await);
        assert_eq!(status, 200, "{json}");
        json["verification_secret"].as_str().expect("a secret is text").to_owned()
    }

    /// What the second request is answered.
    pub(crate) async fn verify(&self, hostname: &str, token: &str) -> (u16, Value) {
        let fields = [("hostname", hostname), ("access_token", token)];
        said(&self.post_form("verify_challenge", &fields).await)
    }

    /// What the second request is refused with, as a bad request.
    pub(crate) async fn refusal(&self, hostname: &str) -> String {
        let (status, json) = self.verify(hostname, TOKEN).await;
        assert_eq!((status, &json["code"]), (400, &"BAD_REQUEST".into()), "{json}");
        json["msg"].as_str().expect("a refusal says why").to_owned()
    }
}

/// Status and JSON of an answer.
pub(crate) fn said(answer: &Answer) -> (u16, Value) {
    (answer.status, serde_json::from_slice(&answer.body).expect("an answer is JSON"))
}
