//! The same people as rows: the statements that make them.

use super::people::{OLD_SERVER, Size, USERS_PER_SERVER};

/// Days for which pushes are counted.
const DAYS: u64 = 30;

/// Servers, their realms, and what was counted of both.
pub(crate) fn servers(size: Size) -> [String; 3] {
    let all = format!("generate_series(0, {} - 1) AS server", size.servers);
    let server = uuid("'server ' || server");
    let realm = realm();
    [
        format!(
            "INSERT INTO remote_servers (id, uuid, key_hash, hostname, contact_email, version, api_feature_level, \
             deactivated, created_at, updated_at, last_request_at, user_count) \
             SELECT server + 1, {server}, sha256({KEY}::bytea), 'chat' || server || '.example.org', \
             'admin@chat' || server || '.example.org', '10.4', 379, false, {MILLIS}, {MILLIS}, {MILLIS}, \
             {USERS_PER_SERVER} FROM {all}"
        ),
        format!(
            "INSERT INTO remote_realms (id, server_id, uuid, realm_id, host, name, org_type, authentication_methods, \
             is_system_bot_realm, deactivated, locally_deleted, date_created, created_at, user_count) \
             SELECT server + 1, server + 1, {realm}, 2, 'chat' || server || '.example.org', 'Example ' || server, \
             10, '{{\"Email\": true}}', false, false, false, {MILLIS}, {MILLIS}, {USERS_PER_SERVER} FROM {all}"
        ),
        format!(
            "INSERT INTO push_counts (server_id, remote_realm_id, end_time, received, forwarded) \
             SELECT server + 1, realm * (server + 1), ({MILLIS} / 86400000 - day) * 86400000, 1000, 990 \
             FROM generate_series(0, {DAYS} - 1) AS day, {all}, generate_series(0, 1) AS realm"
        ),
    ]
}

/// The devices from one number up to another.
pub(crate) fn devices(size: Size, from: u64, to: u64) -> String {
    format!(
        "INSERT INTO devices (id, server_id, user_id, user_uuid, kind, token, token_digest, ios_app_id, \
         remote_realm_id, registered_at) \
         SELECT turn + 1, {IDENTITY}, token, substr(sha256(token::bytea), 1, 16), {APP_AND_REALM}, {MILLIS} {}",
        drawn(size, from, to)
    )
}

/// Of each device its server, who uses it, and its kind.
pub(crate) const IDENTITY: &str = "server + 1, CASE WHEN is_old THEN number END, \
    CASE WHEN NOT is_old THEN user_uuid END, CASE WHEN is_apple THEN 1 ELSE 2 END";

/// The app and the realm.
pub(crate) const APP_AND_REALM: &str =
    "CASE WHEN is_apple THEN 'org.example.chat' END, CASE WHEN NOT is_old THEN server + 1 END";

/// What is known of these devices. A user's phones were registered long after each other, so that each is on a page of
/// its own.
pub(crate) fn drawn(size: Size, from: u64, to: u64) -> String {
    let users = size.users();
    let user = uuid("'user ' || person");
    // `OFFSET 0` keeps what is computed in a row below from being computed again for each column above.
    format!(
        "FROM (SELECT turn, turn % {users} AS person, turn / {users} AS phone \
             FROM generate_series({from}::bigint, {to}::bigint - 1) AS turn OFFSET 0) AS drawn, \
         LATERAL (SELECT person / {USERS_PER_SERVER} AS server, person % {USERS_PER_SERVER} + 1 AS number, \
             person / {USERS_PER_SERVER} % {OLD_SERVER} = 0 AS is_old, (person + phone) % 2 = 0 AS is_apple, \
             'phone ' || person || ' ' || phone AS name) AS known, \
         LATERAL (SELECT translate(encode(sha256(name::bytea), 'hex'), 'd', '0') AS short, {user} AS user_uuid, \
             translate(encode(sha512(name::bytea), 'hex'), 'd', '0') AS long OFFSET 0) AS digests, \
         LATERAL (SELECT CASE WHEN is_apple THEN short \
             ELSE left(short, 28) || ':APA91b' || long END AS token OFFSET 0) AS named"
    )
}

/// Who the servers are: number, name, key, host, address.
pub(crate) fn server() -> String {
    format!(
        "server + 1, {}, {}, 'chat' || server || '.example.org', 'admin@chat' || server || '.example.org'",
        uuid("'server ' || server"),
        KEY
    )
}

/// The realm of each.
pub(crate) fn realm() -> String {
    uuid("'realm ' || server")
}

/// What a server authenticates with.
const KEY: &str = "encode(sha256(('key ' || server)::bytea), 'hex')";

/// Now, as the program stores it.
const MILLIS: &str = "(extract(epoch FROM now()) * 1000)::bigint";

fn uuid(name: &str) -> String {
    format!("encode(substr(sha256(({name})::bytea), 1, 16), 'hex')::uuid")
}
