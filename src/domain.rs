//! The words of the service: pure values, parsed once and trusted afterwards.

pub mod address;
pub mod device;
pub mod disposable_domains;
pub mod e2ee_device;
pub mod email;
pub mod encrypted_push;
pub mod host_pattern;
pub mod hostname;
pub mod json_object;
pub mod notification;
pub mod plan;
pub mod python_text;
pub mod remote_realm;
pub mod remote_server;
pub mod removal;
pub mod statistics;
pub mod user;
pub mod uuid_text;
