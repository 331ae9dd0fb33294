//! How much anybody may ask for.
//!
//! Authenticated servers have Zulip's contract, an exact sliding log, over all nodes where they share a Redis; everything before authentication
//! has token buckets by address.

mod address;
mod failures;
mod server;
mod shared_log;
mod sliding_log;
mod total;

pub use address::AddressLimiter;
pub use failures::FailureLimiter;
pub use server::ServerLimiter;
pub use sliding_log::Decision;
pub use total::TotalLimiter;
