//! `/api/v1/remotes/push/e2ee/…`: devices and notifications that only phones can read.

pub mod notify;
pub mod register;
