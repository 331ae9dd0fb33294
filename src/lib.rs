//! A push bouncer.
pub mod clock;
pub mod config;
pub mod domain;
pub mod metrics;
pub mod outbound;
pub mod random;
pub mod registry;
