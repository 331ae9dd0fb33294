//! A push bouncer: it forwards notifications of self-hosted Zulip servers to Apple and Google.
//!
//! Only the publisher of an app can push to it, so the publisher runs this service and registered
//! servers POST their notifications to it. One of them on its way, `POST /api/v1/remotes/push/notify`:
//!
//! 1. [`listener`] accepts the connection, completes TLS before its deadline and gives it to hyper.
//! 2. [`router`] finds the row of the path; the row says: for registered servers only.
//! 3. [`http`] reads `Authorization`, asks the [`registry`] who that is, compares the key, and asks
//!    [`rate_limit`] whether this server may go on; then it reads the body, up to its limit.
//! 4. [`endpoints::push::notify`] decodes the body, finds the realm, asks [`entitlement`], and calls the
//!    dispatcher.
//! 5. [`dispatch`] asks the registry for the user's devices, has [`providers`] make one message for each
//!    kind of phone, and gives a [`Push`](delivery::Push) for each device to [`delivery`].
//! 6. [`delivery`] leaves out what a repeated request brought before, and makes the first attempt of all
//!    others at once: [`providers`] adds headers and credentials, sends over the long-lived connections of
//!    [`outbound`], and turns each answer into an [`Outcome`](providers::Outcome). What may still be taken
//!    waits in memory for another attempt, behind the answer; [`brake`] removes the device where the push
//!    service calls it gone and is to be believed. Each push is counted when it is decided.
//! 7. [`dispatch`] waits for the first outcomes, at the latest until `push.answer_within`, and returns a
//!    [`Summary`](dispatch::Summary) with the devices that the server is to delete; the endpoint makes the
//!    answer of it.
//!
//! A failure on the way became an [`ApiError`](http::ApiError), the one type that knows statuses and
//! public texts. [`app`] puts the parts together, [`server`] runs them, [`cli`] is the command line, and
//! [`sandbox`] has fake push services that keep the real ones' rules.
//!
//! Modules stand in rows and name only modules of lower rows; `docs/ARCHITECTURE.md` has the picture and
//! `tests/layers.rs` proves it.

pub mod analytics;
pub mod app;
pub mod brake;
pub mod cli;
pub mod clock;
pub mod config;
pub mod delivery;
pub mod dispatch;
pub mod domain;
pub mod endpoints;
pub mod entitlement;
pub mod http;
pub mod import;
pub mod links;
pub mod listener;
pub mod metrics;
pub mod names;
pub mod outbound;
pub mod pages;
pub mod providers;
pub mod push_registration;
pub mod random;
pub mod rate_limit;
pub mod registration;
pub mod registry;
pub mod retention;
pub mod router;
pub mod sandbox;
pub mod secret_key;
pub mod server;
pub mod shared_state;
pub mod shares;
pub mod telemetry;
pub mod transfer;
