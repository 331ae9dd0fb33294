//! How long chat servers are told only of devices that are known to be gone, because our memory may have holes.

use std::time::Duration;

use entities::tombstone_periods::{self, Column};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, EntityTrait as _, ExprTrait as _, QueryFilter as _,
    sea_query::{Expr, OnConflict},
};

use super::{Registry, RegistryError};
use crate::clock::Timestamp;

/// How long a hole may show: apps register their device anew when they are opened (`providers.md`, rule 4).
pub const HOLES_LAST: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Why there may be devices that we ought to know and do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HolesCause {
    /// They were registered with another bouncer.
    Import,
    /// They were registered after the backup was made.
    Restored,
}

/// A time in which only devices that are known to be gone are named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TombstonePeriod {
    /// Why, in one word.
    pub cause: String,
    /// Since when.
    pub began_at: Timestamp,
    /// When it ends.
    pub ends_at: Timestamp,
}

impl HolesCause {
    /// The word for it in the database and on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Import => "import",
            Self::Restored => "restored",
        }
    }
}

impl Registry {
    /// Begins such a time, or makes it longer; it never becomes shorter.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn begin_tombstone_period(
        &self,
        cause: HolesCause,
        ends_at: Timestamp,
    ) -> Result<(), RegistryError> {
        let row = tombstone_periods::ActiveModel {
            cause: Set(cause.as_str().to_owned()),
            began_at: Set(self.inner.clock.now().unix_millis()),
            ends_at: Set(ends_at.unix_millis()),
        };
        let is_longer =
            Expr::col((tombstone_periods::Entity, Column::EndsAt)).lt(ends_at.unix_millis());
        let conflict = OnConflict::column(Column::Cause)
            .update_column(Column::EndsAt)
            .action_and_where(is_longer)
            .to_owned();
        self.ask(|| {
            tombstone_periods::Entity::insert(row.clone())
                .on_conflict(conflict.clone())
                .exec_without_returning(&self.inner.database)
        })
        .await?;
        Ok(())
    }

    /// Those that are not over.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn tombstone_periods(&self) -> Result<Vec<TombstonePeriod>, RegistryError> {
        let now = self.inner.clock.now().unix_millis();
        let query = tombstone_periods::Entity::find().filter(Column::EndsAt.gt(now));
        let rows = self.ask(|| query.clone().all(&self.inner.database)).await?;
        let period = |row: tombstone_periods::Model| TombstonePeriod {
            cause: row.cause,
            began_at: Timestamp::from_unix_millis(row.began_at),
            ends_at: Timestamp::from_unix_millis(row.ends_at),
        };
        Ok(rows.into_iter().map(period).collect())
    }
}
