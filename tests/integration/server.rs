//! `server/…`: registrations.

mod analytics;
mod register;
mod transfer;
mod verify_challenge;
