//! `/api/v1/remotes/server/…`: servers and what they say about themselves.

pub mod analytics;
pub mod analytics_status;
pub mod billing;
pub mod deactivate;
pub mod register;
pub mod transfer;
pub mod verify_challenge;
