//! `/api/v1/remotes/push/…`: devices and notifications.

pub mod e2ee;
mod identity;
pub mod notify;
pub mod register;
pub mod test_notification;
pub mod unregister;
pub mod unregister_all;
