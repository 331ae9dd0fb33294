//! Malformed requests as bytes, and what each may be answered.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::Request;

/// The id of the server that [`registration`] makes.
pub(super) const ID: &str = "a00000aa-0000-4000-8000-0000000000aa";
/// Its key.
pub(super) const KEY: &str = "bBaDbBaDbBaDbBaDbBaDbBaDbBaDbBaDbBaDbBaDbBaDbBaDbBaDbBaDbBaDbBaD";

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

/// A request that is wrong in one way.
pub(super) struct Malformed {
    pub(super) name: &'static str,
    pub(super) bytes: Vec<u8>,
    /// The statuses of the right class.
    pub(super) statuses: &'static [u16],
    pub(super) manner: Manner,
}

/// How a request may be refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// By an error object: a client could send this.
    Json,
    /// By an error object or a closed connection: it is too large to be read to its end.
    JsonOrClosed,
    /// By a bare status or a closed connection: it is no request at all, or its head never ends.
    Bare,
}

/// All of them.
pub(super) fn all() -> Vec<Malformed> {
    let mut all: Vec<Malformed> = BODIES
        .iter()
        .map(|&(name, path, kind, body, status)| Malformed {
            name,
            bytes: post(path, kind, body),
            statuses: status,
            manner: Manner::Json,
        })
        .collect();
    let large = |name, bytes, statuses| {
        let manner = Manner::JsonOrClosed;
        Malformed { name, bytes, statuses, manner }
    };
    let bare = |name, bytes, statuses| Malformed { name, bytes, statuses, manner: Manner::Bare };
    let user = |name, id: &str, key: &str, statuses| Malformed {
        name,
        bytes: status_of(&authorization(id, key)),
        statuses,
        manner: Manner::Json,
    };
    all.extend([
        user("an id that is no UUID", "not-a-uuid", KEY, &[401]),
        user("an id of NUL", "\0", KEY, &[401]),
        user("an id of 4 KiB", &"a".repeat(4096), KEY, &[401]),
        user("a key of 4 KiB", ID, &"a".repeat(4096), &[401]),
        large("26 MiB", post("push/notify", JSON, &vec![b' '; 26 << 20]), &[413]),
        large("26 MiB for a stranger", stranger_with_much(), &[401, 413]),
        bare("10,000 headers", status_of(&"X-Padding: x\r\n".repeat(10_000)), &[400, 431]),
        bare(
            "a header of 1 MiB",
            status_of(&format!("X: {}\r\n", "x".repeat(1 << 20))),
            &[400, 431],
        ),
        bare("a header without a colon", status_of("nonsense\r\n"), &[400]),
        bare("a header with a NUL", status_of("X: \0\r\n"), &[400]),
        bare("two lengths", two_lengths(), &[400]),
        bare("no HTTP", b"\x01\x02\x03\x04 nonsense\r\n\r\n".to_vec(), &[400]),
        bare("a path of 100 KiB", long_path(), &[400, 414, 431]),
    ]);
    all
}

/// Name, path below `/api/v1/remotes/`, content type, body, statuses.
type Body = (&'static str, &'static str, &'static str, &'static [u8], &'static [u16]);

const BODIES: &[Body] = &[
    ("no body", "push/notify", JSON, b"", &[400]),
    ("half an object", "push/notify", JSON, b"{\"user_id\":1", &[400]),
    ("an array", "push/notify", JSON, b"[1,2,3]", &[400]),
    ("a number", "push/notify", JSON, b"1e999", &[400]),
    ("invalid UTF-8", "push/notify", JSON, b"{\"user_id\":1,\"x\":\"\xff\xfe\"}", &[400]),
    ("a user that is a list", "push/notify", JSON, b"{\"user_id\":[1]}", &[400]),
    ("a user beyond 64 bits", "push/notify", JSON, b"{\"user_id\":99999999999999999999}", &[400]),
    ("a user UUID that is none", "push/notify", JSON, b"{\"user_uuid\":\"x\"}", &[400]),
    (
        "a realm UUID that is none",
        "push/notify",
        JSON,
        b"{\"user_id\":1,\"realm_uuid\":\"x\"}",
        &[400],
    ),
    (
        "a payload that is text",
        "push/notify",
        JSON,
        b"{\"user_id\":1,\"gcm_payload\":\"x\"}",
        &[400],
    ),
    ("a lone surrogate", "push/notify", JSON, b"{\"user_uuid\":\"\\ud800\"}", &[400]),
    ("no test body", "push/test_notification", JSON, b"", &[400]),
    ("a test that is null", "push/test_notification", JSON, b"null", &[400]),
    ("no form", "push/register", FORM, b"", &[400]),
    ("a form of nonsense", "push/register", FORM, b"%%%&&&===\xff", &[400]),
    ("a kind that is text", "push/register", FORM, b"user_id=1&token=t&token_kind=x", &[400]),
    ("a user that is text", "push/register", FORM, b"user_id=x&token=t&token_kind=2", &[400]),
    (
        "an APNs token that is none",
        "push/register",
        FORM,
        b"user_id=1&token=xyz&token_kind=1",
        &[400],
    ),
    ("a token with a NUL", "push/unregister", FORM, b"user_id=1&token=%00&token_kind=2", &[400]),
    ("a user with a NUL", "push/unregister/all", FORM, b"user_uuid=%00", &[400]),
    ("nobody to unregister", "push/unregister/all", FORM, b"", &[400]),
    (
        "counts that are no JSON",
        "server/analytics",
        FORM,
        b"realm_counts=x&installation_counts=x",
        &[400],
    ),
    (
        "a count that is a number",
        "server/analytics",
        FORM,
        b"realm_counts=[1]&installation_counts=[]",
        &[400],
    ),
    (
        "counts that break off",
        "server/analytics",
        FORM,
        b"realm_counts=[{&installation_counts=[]",
        &[400],
    ),
    (
        "a count beyond 64 bits",
        "server/analytics",
        FORM,
        b"realm_counts=[{\"property\":\"x\",\"realm\":1,\"id\":99999999999999999999,\"end_time\":1,\"subgroup\":null,\"value\":1}]&installation_counts=[]",
        &[400],
    ),
    (
        "a time beyond all numbers",
        "server/analytics",
        FORM,
        b"realm_counts=[]&installation_counts=[{\"property\":\"x\",\"id\":1,\"end_time\":1e999,\"subgroup\":null,\"value\":1}]",
        &[400],
    ),
    (
        "an event without members",
        "server/analytics",
        FORM,
        b"realm_counts=[]&installation_counts=[]&realmauditlog_rows=[{}]",
        &[400],
    ),
    (
        "a realm without members",
        "server/analytics",
        FORM,
        b"realm_counts=[]&installation_counts=[]&realms=[{}]",
        &[400],
    ),
    (
        "realms of invalid UTF-8",
        "server/analytics",
        FORM,
        b"realm_counts=[]&installation_counts=[]&realms=[%ff",
        &[400],
    ),
    ("an unknown path", "push/nothing", JSON, b"{}", &[404]),
    (
        "a multipart body without an end",
        "push/register",
        "multipart/form-data; boundary=BB",
        b"--BB\r\nContent-Disposition: form-data; name=\"token\"\r\n\r\n",
        &[400],
    ),
    ("multipart without a boundary", "push/register", "multipart/form-data", b"--", &[400]),
];

/// The header line of Basic authentication.
pub(super) fn authorization(id: &str, key: &str) -> String {
    format!("Authorization: Basic {}\r\n", BASE64_STANDARD.encode(format!("{id}:{key}")))
}

/// A request that is answered 401 as long as the server serves anything.
pub(super) fn status_without_credentials() -> Request<Bytes> {
    let request = Request::get("/api/v1/remotes/server/analytics/status");
    request.body(Bytes::new()).expect("the request is well-formed")
}

/// The registration of the server that the other requests come from.
pub(super) fn registration() -> Request<Bytes> {
    let body = format!(
        "zulip_org_id={ID}&zulip_org_key={KEY}&hostname=bad-input.selfhosted.test\
         &contact_email=admin%40selfhosted.test"
    );
    Request::post("/api/v1/remotes/server/register")
        .header("Content-Type", FORM)
        .body(body.into())
        .expect("the request is well-formed")
}

fn post(path: &str, kind: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST /api/v1/remotes/{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{}\
         Content-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
        authorization(ID, KEY),
        body.len()
    );
    [head.as_bytes(), body].concat()
}

fn status_of(headers: &str) -> Vec<u8> {
    let path = "/api/v1/remotes/server/analytics/status";
    format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n").into_bytes()
}

fn stranger_with_much() -> Vec<u8> {
    let body = vec![b' '; 26 << 20];
    let head = format!(
        "POST /api/v1/remotes/push/register HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
         Content-Type: {FORM}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), &body].concat()
}

fn two_lengths() -> Vec<u8> {
    b"POST /api/v1/remotes/push/notify HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
      Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}"
        .to_vec()
}

fn long_path() -> Vec<u8> {
    let path = "a".repeat(100 << 10);
    format!("GET /{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").into_bytes()
}
