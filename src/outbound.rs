//! The connections over TLS for every call the bouncer makes.
//!
//! A [`Pool`] keeps few, long-lived connections to one origin, as both Apple and Google ask for:
//! "Keep your connection to APNs open ... APNs treats rapid connection and disconnection as a
//! denial-of-service attack"
//! (<https://developer.apple.com/documentation/usernotifications/sending-notification-requests-to-apns>).
//!
//! The [`Way`] there may lead through a proxy.
//!
//! [`Strangers`] are hosts that others name: called once each, over HTTP/1.1, only where it is allowed, and
//! never through a proxy, which would resolve their names itself and so defeat the check of their addresses.

mod addresses;
mod connection;
mod dial;
mod exchange;
mod goaway;
mod growth;
mod keeper;
mod origin;
mod pace;
mod permission;
mod places;
mod plain_writes;
mod pool;
mod queue;
mod race;
mod stranger;
mod tls_problem;
mod trust;
mod tunnel;
mod way;

pub use dial::DialError;
pub use exchange::{Body, Patience, Reply, SendError};
pub use origin::{Origin, OriginError};
pub use permission::Permission;
pub use pool::{Pool, PoolSettings};
pub use stranger::{Stranger, StrangerError, Strangers};
pub use tls_problem::TlsProblem;
pub use trust::{ClientIdentity, Trust, TrustError};
pub use tunnel::TunnelError;
pub use way::Way;
