//! The words of the service: pure values, parsed once and trusted afterwards.

pub mod device;
pub mod json_object;
pub mod notification;
pub mod remote_realm;
pub mod remote_server;
pub mod removal;
pub mod user;
pub mod uuid_text;
