//! One file per URL: decode, one call into the work, encode.

pub mod operator;
pub mod push;
mod realm_status;
pub mod server;
