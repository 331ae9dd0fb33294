//! Times of last requests, written without waiting for anybody.
//!
//! An upload holds its server's row to its end. Who waited for that with other rows already written would
//! make all of their servers wait too, so rows that are held are left for the next time.
//!
//! Times are written as the seconds that end next: rows of one second are one statement, however many servers there are.

use std::collections::{BTreeMap, HashMap};

use entities::{remote_realms, remote_servers};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait as _, DatabaseTransaction, DbBackend, DbErr,
    EntityTrait, QueryFilter as _, QueryOrder as _, QuerySelect as _,
    sea_query::{Expr, LockBehavior, LockType},
};

/// Ids of one statement.
const IDS_PER_STATEMENT: usize = 1000;

/// Writes when servers made their last requests; what is left is to be written later.
pub(super) async fn write_servers(
    transaction: &DatabaseTransaction,
    requests: &HashMap<i64, i64>,
) -> Result<HashMap<i64, i64>, DbErr> {
    let (id, last_request) = (remote_servers::Column::Id, remote_servers::Column::LastRequestAt);
    write::<remote_servers::Entity>(transaction, requests, id, last_request).await
}

/// The same of realms, when they were last named.
pub(super) async fn write_realms(
    transaction: &DatabaseTransaction,
    requests: &HashMap<i64, i64>,
) -> Result<HashMap<i64, i64>, DbErr> {
    let (id, last_request) = (remote_realms::Column::Id, remote_realms::Column::LastRequestAt);
    write::<remote_realms::Entity>(transaction, requests, id, last_request).await
}

async fn write<E: EntityTrait>(
    transaction: &DatabaseTransaction,
    requests: &HashMap<i64, i64>,
    id: E::Column,
    last_request: E::Column,
) -> Result<HashMap<i64, i64>, DbErr> {
    let mut left = requests.clone();
    let mut ids: Vec<i64> = requests.keys().copied().collect();
    ids.sort_unstable();
    for ids in ids.chunks(IDS_PER_STATEMENT) {
        let mut by_second: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
        for row in free::<E>(transaction, id, ids).await? {
            if let Some(at) = left.remove(&row) {
                by_second.entry(end_of_second(at)).or_default().push(row);
            }
        }
        for (second, rows) in by_second {
            E::update_many()
                .col_expr(last_request, Expr::value(second))
                .filter(id.is_in(rows))
                // Another node may have heard of it later, and written that already.
                .filter(Condition::any().add(last_request.is_null()).add(last_request.lt(second)))
                .exec(transaction)
                .await?;
        }
    }
    Ok(left)
}

/// In Unix milliseconds.
fn end_of_second(at: i64) -> i64 {
    at.saturating_add(999).div_euclid(1000) * 1000
}

/// Those of the rows that nobody holds, held by us from now on.
async fn free<E: EntityTrait>(
    transaction: &DatabaseTransaction,
    id: E::Column,
    ids: &[i64],
) -> Result<Vec<i64>, DbErr> {
    if transaction.get_database_backend() == DbBackend::Sqlite {
        // It has one writer at a time, and refuses a transaction that reads before it writes when another
        // one wrote meanwhile.
        return Ok(ids.to_vec());
    }
    E::find()
        .select_only()
        .column(id)
        .filter(id.is_in(ids.iter().copied()))
        .order_by_asc(id)
        .lock_with_behavior(LockType::NoKeyUpdate, LockBehavior::SkipLocked)
        .into_tuple()
        .all(transaction)
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_ends_at_the_next_whole_one() {
        assert_eq!([0, 1, 999, 1000, 1001].map(end_of_second), [0, 1000, 1000, 1000, 2000]);
    }
}
