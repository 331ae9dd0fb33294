//! How much anybody may ask for.
//!
//! Authenticated servers have Zulip's contract, an exact sliding log; everything before authentication
//! has token buckets by address.

mod address;
mod failures;
mod sliding_log;
mod total;

pub use address::AddressLimiter;
pub use failures::FailureLimiter;
pub use sliding_log::{Decision, ServerLimiter};
pub use total::TotalLimiter;
