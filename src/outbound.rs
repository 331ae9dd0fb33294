//! The connections over TLS for every call the bouncer makes.
//!
//! A [`Pool`] keeps few, long-lived connections to one origin, as both Apple and Google ask for:
//! "Keep your connection to APNs open ... APNs treats rapid connection and disconnection as a
//! denial-of-service attack"
//! (<https://developer.apple.com/documentation/usernotifications/sending-notification-requests-to-apns>).
//!
//! [`Strangers`] are hosts that others name: called once each, over HTTP/1.1, and only where it is allowed.

mod connection;
mod dial;
mod exchange;
mod origin;
mod permission;
mod plain_writes;
mod pool;
mod stranger;
mod trust;

pub use dial::DialError;
pub use exchange::{Body, Reply, SendError};
pub use origin::{Origin, OriginError};
pub use permission::Permission;
pub use pool::{Pool, PoolSettings};
pub use stranger::{Stranger, StrangerError, Strangers};
pub use trust::{ClientIdentity, Trust, TrustError};
