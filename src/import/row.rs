//! One row of the source: texts, which may be anything.

use std::sync::Arc;

use uuid::Uuid;
use zeroize::Zeroizing;

use crate::{clock::Timestamp, domain::uuid_text};

/// A row of the source. It has no `Debug`: keys and tokens are in it.
pub(super) struct SourceRow {
    pub(super) id: i64,
    /// A number that changes when the row does.
    pub(super) version: i64,
    names: Arc<[&'static str]>,
    values: Vec<Option<String>>,
}

impl SourceRow {
    pub(super) fn new(
        id: i64,
        version: i64,
        names: Arc<[&'static str]>,
        values: Vec<Option<String>>,
    ) -> Self {
        Self { id, version, names, values }
    }

    fn place(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|known| *known == name)
    }

    /// A field, if there is one and it is not NULL.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.values.get(self.place(name)?)?.as_deref()
    }

    /// A secret, which is in memory nowhere else from now on.
    pub(super) fn take_secret(&mut self, name: &str) -> Option<Zeroizing<String>> {
        let place = self.place(name)?;
        self.values.get_mut(place)?.take().map(Zeroizing::new)
    }

    pub(super) fn number(&self, name: &str) -> Option<i64> {
        self.text(name)?.parse().ok()
    }

    pub(super) fn small_number(&self, name: &str) -> Option<i32> {
        self.text(name)?.parse().ok()
    }

    pub(super) fn uuid(&self, name: &str) -> Option<Uuid> {
        uuid_text::parse(self.text(name)?)
    }

    pub(super) fn moment(&self, name: &str) -> Option<Timestamp> {
        self.number(name).map(Timestamp::from_unix_millis)
    }

    /// Whether a flag is set; what is no flag is not.
    pub(super) fn flag(&self, name: &str) -> bool {
        matches!(self.text(name), Some("true" | "t" | "1"))
    }
}
