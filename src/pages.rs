//! What a person sees in a browser: one file per page.

pub mod billing_login;
