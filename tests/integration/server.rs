//! `server/…`: registrations.

mod analytics;
mod billing;
mod register;
mod transfer;
mod verify_challenge;
