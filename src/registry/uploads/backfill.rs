//! Rows that came before their server named its realms are told which realm is meant.

use entities::{realm_audit_log, realm_counts, remote_realms};
use sea_orm::{
    ColumnTrait as _, DatabaseTransaction, DbErr, EntityTrait, ExprTrait as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _, QueryTrait as _, sea_query::Expr,
};

/// Rows of one statement, which takes far less than a statement may.
const ROWS: u64 = 10_000;

/// The newest rows of a table are enough, lest an upload takes minutes: the realm is a label, its number is there.
const MOST_STATEMENTS: usize = 20;

/// The columns of a table of rows about realms.
struct Columns<E: EntityTrait> {
    server_id: E::Column,
    remote_id: E::Column,
    realm_id: E::Column,
    remote_realm_id: E::Column,
}

/// Fills in the realms of older rows, the newest first.
pub(super) async fn name_realms(
    transaction: &DatabaseTransaction,
    server_id: i64,
) -> Result<(), DbErr> {
    let any_realm = remote_realms::Entity::find()
        .filter(remote_realms::Column::ServerId.eq(server_id))
        .select_only()
        .column(remote_realms::Column::Id)
        .limit(1)
        .into_tuple::<i64>();
    if any_realm.one(transaction).await?.is_none() {
        return Ok(());
    }
    let counts = Columns::<realm_counts::Entity> {
        server_id: realm_counts::Column::ServerId,
        remote_id: realm_counts::Column::RemoteId,
        realm_id: realm_counts::Column::RealmId,
        remote_realm_id: realm_counts::Column::RemoteRealmId,
    };
    name_in(transaction, server_id, &counts).await?;
    let audit_rows = Columns::<realm_audit_log::Entity> {
        server_id: realm_audit_log::Column::ServerId,
        remote_id: realm_audit_log::Column::RemoteId,
        realm_id: realm_audit_log::Column::RealmId,
        remote_realm_id: realm_audit_log::Column::RemoteRealmId,
    };
    name_in(transaction, server_id, &audit_rows).await
}

async fn name_in<E: EntityTrait>(
    transaction: &DatabaseTransaction,
    server_id: i64,
    columns: &Columns<E>,
) -> Result<(), DbErr> {
    let mut up_to = i64::MAX;
    for _ in 0..MOST_STATEMENTS {
        let nameless: Vec<i64> = E::find()
            .filter(columns.server_id.eq(server_id))
            .filter(columns.remote_realm_id.is_null())
            .filter(columns.remote_id.lte(up_to))
            .order_by_desc(columns.remote_id)
            .limit(ROWS)
            .select_only()
            .column(columns.remote_id)
            .into_tuple()
            .all(transaction)
            .await?;
        let Some(&lowest) = nameless.last() else { return Ok(()) };
        let realms = remote_realms::Entity::find()
            .filter(remote_realms::Column::ServerId.eq(server_id))
            .select_only();
        let named = realms.clone().column(remote_realms::Column::RealmId).into_query();
        // Of several with one number the newest that the server still names. An expression, since no index has
        // its order: they are to be found by their number.
        let is_deleted: Expr =
            Expr::case(remote_realms::Column::LocallyDeleted.eq(true), 1).finally(0).into();
        let realm = realms
            .column(remote_realms::Column::Id)
            .filter(
                Expr::col((remote_realms::Entity, remote_realms::Column::RealmId))
                    .eq(Expr::col(columns.realm_id.as_column_ref())),
            )
            .order_by_asc(is_deleted)
            .order_by_desc(remote_realms::Column::Id)
            .limit(1)
            .into_query();
        E::update_many()
            .col_expr(columns.remote_realm_id, Expr::from(realm))
            .filter(columns.server_id.eq(server_id))
            .filter(columns.remote_realm_id.is_null())
            .filter(columns.remote_id.between(lowest, up_to))
            .filter(columns.realm_id.in_subquery(named))
            .exec(transaction)
            .await?;
        up_to = lowest - 1;
    }
    Ok(())
}
