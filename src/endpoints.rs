//! One file per URL: decode, one call into the work, encode.

pub mod operator;
pub mod push;
pub mod server;
