//! The HTTP/2 connections over TLS for every call the bouncer makes to a push service.
//!
//! A [`Pool`] keeps few, long-lived connections to one origin, as both Apple and Google ask for:
//! "Keep your connection to APNs open ... APNs treats rapid connection and disconnection as a
//! denial-of-service attack"
//! (<https://developer.apple.com/documentation/usernotifications/sending-notification-requests-to-apns>).

mod connection;
mod dial;
mod exchange;
mod origin;
mod plain_writes;
mod pool;
mod trust;

pub use dial::DialError;
pub use exchange::{Body, Reply, SendError};
pub use origin::{Origin, OriginError};
pub use pool::{Pool, PoolSettings};
pub use trust::{ClientIdentity, Trust, TrustError};
