//! `push/…`: devices, and notifications to them.

mod e2ee;
mod notify;
mod register;
mod test_notification;
mod unregister;
mod unregister_all;
