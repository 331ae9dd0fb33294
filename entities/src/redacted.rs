//! Column types whose `Debug` shows nothing, for what must not reach a log.

use std::fmt;

use sea_orm::DeriveValueType;

/// A text column that prints as `[redacted]`.
#[derive(Clone, PartialEq, Eq, DeriveValueType)]
pub struct RedactedText(pub String);

/// A binary column that prints as `[redacted]`.
#[derive(Clone, PartialEq, Eq, DeriveValueType)]
pub struct RedactedBytes(pub Vec<u8>);

impl fmt::Debug for RedactedText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[redacted]")
    }
}

impl fmt::Debug for RedactedBytes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[redacted]")
    }
}
