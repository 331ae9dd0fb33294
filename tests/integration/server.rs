//! `server/…`: registrations.

mod register;
