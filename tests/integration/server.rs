//! `server/…`: registrations.

mod register;
mod transfer;
mod verify_challenge;
