//! Rows that nobody needs any more: how many there are, and deleting them a batch at a time.
//!
//! Of the rows that a server uploads, the one with the highest number stays in each table however old it is: the
//! server asks for that number, and would send all its rows again.

#[cfg(test)]
mod tests;

use std::{borrow::Cow, time::Duration};

use entities::{
    audit_log, devices, e2ee_devices, installation_counts, push_counts, realm_audit_log,
    realm_counts, registration_key_uses,
};
use sea_orm::{
    ConnectionTrait as _, DatabaseConnection, DbBackend, DbErr, ExprTrait as _,
    TransactionTrait as _,
    sea_query::{
        Alias, Condition, DeleteStatement, DynIden, Expr, IntoIden, Order, Query, SelectStatement,
    },
};

use super::{ROWS_PER_STATEMENT, Registry, RegistryError};
use crate::{clock::Timestamp, config::RetentionConfig, domain::statistics::CountProperty};

/// To count the old rows of a large table takes longer than a statement of a request may.
const COUNTED_WITHIN: Duration = Duration::from_secs(10 * 60);

/// A table that PostgreSQL has no statistics of yet, as after an import, seems small to it: it would read and sort all
/// old rows for each batch.
const BY_INDEX: &str = "SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off;
    SET LOCAL enable_sort = off";

/// Rows that are kept for the same reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowGroup {
    /// Devices that are gone.
    Devices,
    /// What servers and the bouncer count.
    Stats,
    /// What happened to registrations, and on realms.
    Audit,
}

/// Rows of one table that are old.
#[derive(Clone, Debug)]
pub struct OldRows {
    table: DynIden,
    /// The column that tells how old a row is.
    moment: DynIden,
    before: Timestamp,
    /// Only counts of this; an index begins with it.
    property: Option<CountProperty>,
    /// Whether servers number the rows.
    is_uploaded: bool,
}

impl RowGroup {
    /// All groups.
    pub const ALL: [Self; 3] = [Self::Devices, Self::Stats, Self::Audit];

    /// The rows of the group that are old at this moment, in several parts.
    #[must_use]
    pub fn old_rows(self, config: &RetentionConfig, now: Timestamp) -> Vec<OldRows> {
        match self {
            Self::Devices => {
                let before = now - config.expired_devices;
                vec![
                    OldRows::of(devices::Entity, devices::Column::GoneAt, before),
                    OldRows::of(e2ee_devices::Entity, e2ee_devices::Column::ExpiredAt, before),
                ]
            }
            Self::Audit => {
                use realm_audit_log::Column::EventTime;
                let before = now - config.audit;
                vec![
                    OldRows::of(audit_log::Entity, audit_log::Column::EventTime, before),
                    OldRows::of(realm_audit_log::Entity, EventTime, before).uploaded(),
                ]
            }
            Self::Stats => {
                use registration_key_uses::Column::EndTime;
                let mut rows: Vec<_> = CountProperty::all()
                    .flat_map(|property| counts(property, config, now))
                    .collect();
                let before = now - config.stats_daily;
                rows.push(OldRows::of(push_counts::Entity, push_counts::Column::EndTime, before));
                // Keys are few, so it has no index by time.
                rows.push(OldRows::of(registration_key_uses::Entity, EndTime, before));
                rows
            }
        }
    }
}

/// The counts of one thing, on realms and on whole servers.
fn counts(property: CountProperty, config: &RetentionConfig, now: Timestamp) -> [OldRows; 2] {
    let kept_for = if property.is_hourly() { config.stats_hourly } else { config.stats_daily };
    let before = now - kept_for;
    [
        OldRows::of(realm_counts::Entity, realm_counts::Column::EndTime, before),
        OldRows::of(installation_counts::Entity, installation_counts::Column::EndTime, before),
    ]
    .map(|rows| OldRows { property: Some(property), ..rows.uploaded() })
}

impl OldRows {
    fn of(table: impl IntoIden, moment: impl IntoIden, before: Timestamp) -> Self {
        Self {
            table: table.into_iden(),
            moment: moment.into_iden(),
            before,
            property: None,
            is_uploaded: false,
        }
    }

    fn uploaded(self) -> Self {
        Self { is_uploaded: true, ..self }
    }

    /// The table's name.
    #[must_use]
    pub fn table(&self) -> Cow<'static, str> {
        self.table.inner()
    }

    fn are_old(&self) -> Expr {
        Expr::col(self.moment.clone()).lt(self.before.unix_millis())
    }

    /// All that may be deleted.
    fn condition(&self) -> Condition {
        let mut condition = Condition::all().add(self.are_old());
        if let Some(property) = self.property {
            // The same column in both tables.
            let column = Expr::col(realm_counts::Column::Property);
            condition = condition.add(column.eq(property.name()));
        }
        if self.is_uploaded {
            // The same columns in all three tables, which the primary keys consist of.
            use realm_counts::Column::{RemoteId, ServerId};
            let newest = Alias::new("newest");
            let highest = Query::select()
                .expr(Expr::col((newest.clone(), RemoteId)).max())
                .from_as(self.table.clone(), newest.clone())
                .and_where(
                    Expr::col((newest, ServerId)).eq(Expr::col((self.table.clone(), ServerId))),
                )
                .to_owned();
            let number = Expr::col((self.table.clone(), RemoteId));
            condition = condition.add(number.lt(Expr::from(highest)));
        }
        condition
    }

    fn count_statement(&self) -> SelectStatement {
        Query::select()
            .expr_as(Expr::cust("count(*)"), "rows")
            .from(self.table.clone())
            .cond_where(self.condition())
            .to_owned()
    }

    /// Deletes some of the rows. They are named by their place in the table: no statistics can lead a database to
    /// read the whole table for it.
    fn delete_statement(&self, backend: DbBackend) -> DeleteStatement {
        let place = match backend {
            DbBackend::Sqlite => "rowid",
            _ => "ctid",
        };
        let batch = Query::select()
            .column(place)
            .from(self.table.clone())
            .cond_where(self.condition())
            .order_by(self.moment.clone(), Order::Asc)
            .limit(ROWS_PER_STATEMENT as u64)
            .to_owned();
        let are_in_batch = match backend {
            DbBackend::Sqlite => Expr::col(place).in_subquery(batch),
            _ => Expr::cust_with_expr("ctid = ANY(ARRAY $1)", Expr::from(batch)),
        };
        Query::delete()
            .from_table(self.table.clone())
            .and_where(are_in_batch)
            // Asked again of a row that somebody changed meanwhile: a device may be back.
            .and_where(self.are_old())
            .to_owned()
    }
}

impl Registry {
    /// How many old rows there are; deletes none.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn count_old(&self, rows: &OldRows) -> Result<u64, RegistryError> {
        let count = async {
            let transaction = self.inner.database.begin().await?;
            if transaction.get_database_backend() == DbBackend::Postgres {
                let limit = COUNTED_WITHIN.as_millis();
                let setting = format!("SET LOCAL statement_timeout = {limit}");
                transaction.execute_unprepared(&setting).await?;
            }
            let row = transaction.query_one(&rows.count_statement()).await?;
            let count: i64 = row.map_or(Ok(0), |row| row.try_get("", "rows"))?;
            transaction.rollback().await?;
            Ok(u64::try_from(count).unwrap_or(0))
        };
        self.noted(self.within(COUNTED_WITHIN, count).await)
    }

    /// Deletes a batch of old rows; how many that were. Several programs may do it at once, and then one of them
    /// finds less.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn delete_old(&self, rows: &OldRows) -> Result<u64, RegistryError> {
        let database = &self.inner.database;
        let statement = rows.delete_statement(database.get_database_backend());
        let _turn = self.inner.upload_turns.take().await;
        self.ask(|| delete(database, &statement)).await
    }
}

async fn delete(database: &DatabaseConnection, statement: &DeleteStatement) -> Result<u64, DbErr> {
    if database.get_database_backend() == DbBackend::Sqlite {
        return database.execute(statement).await.map(|result| result.rows_affected());
    }
    let transaction = database.begin().await?;
    transaction.execute_unprepared(BY_INDEX).await?;
    let deleted = transaction.execute(statement).await?.rows_affected();
    transaction.commit().await?;
    Ok(deleted)
}
