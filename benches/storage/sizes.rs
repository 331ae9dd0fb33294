//! How large tables and indexes are.

use super::{database::Database, report::Report};

/// Notes the sizes of all tables that have rows, and of the indexes of `devices`.
pub(crate) async fn measure(database: &Database, report: &mut Report) -> anyhow::Result<()> {
    let whole = database.number("SELECT pg_database_size(current_database())").await?;
    report.note("the whole database", megabytes(whole), "MB");
    let query = "SELECT relname::text, reltuples::bigint, pg_table_size(oid), pg_indexes_size(oid) FROM pg_class \
                 WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND reltuples > 1000 ORDER BY 3 DESC";
    for row in database.rows(query).await? {
        let name: String = row.try_get_by_index(0)?;
        let (rows, table, indexes): (i64, i64, i64) =
            (row.try_get_by_index(1)?, row.try_get_by_index(2)?, row.try_get_by_index(3)?);
        report.note(&format!("{name}: rows"), megabytes(rows), "million");
        report.note(&format!("{name}: table"), each(table, rows), "bytes a row");
        report.note(&format!("{name}: all its indexes"), each(indexes, rows), "bytes a row");
    }
    let query = "SELECT indexrelid::regclass::text, pg_relation_size(indexrelid), \
                 (SELECT reltuples::bigint FROM pg_class WHERE oid = indrelid) \
                 FROM pg_index WHERE indrelid = 'devices'::regclass ORDER BY 2 DESC";
    for row in database.rows(query).await? {
        let name: String = row.try_get_by_index(0)?;
        report.note(
            &format!("index {name}"),
            each(row.try_get_by_index(1)?, row.try_get_by_index(2)?),
            "bytes a device",
        );
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "there are fewer than 2^52")]
fn megabytes(bytes: i64) -> f64 {
    bytes as f64 / 1e6
}

#[expect(clippy::cast_precision_loss, reason = "there are fewer than 2^52")]
fn each(bytes: i64, rows: i64) -> f64 {
    bytes as f64 / rows as f64
}
