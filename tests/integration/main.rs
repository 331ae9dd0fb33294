//! Tests of the whole: one binary, so that it is linked once.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod python_text;
