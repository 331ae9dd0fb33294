//! Tests of the whole: the real server on real sockets, beside fake push services; one binary, so that it
//! is linked once.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod bad_input;
mod chaos;
mod chat_server;
mod conformance;
mod credentials;
mod db;
mod delivery;
mod entitlement;
mod http2;
mod import;
mod life_of_a_server;
mod log;
mod nodes;
mod old_servers;
mod operator;
mod other_processes;
mod postgresql;
mod push;
mod python_text;
mod rate_limit;
mod retention;
mod server;
mod shutdown;
mod sqlite;
mod third_party;
mod vectors;
mod world;
