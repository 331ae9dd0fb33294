//! What PostgreSQL wrote to its log for one database, whatever the others on the server wrote meanwhile.

use super::{
    database::Database,
    report::{Report, progress},
};

/// Where the server's log ends now.
pub(crate) async fn position(database: &Database) -> anyhow::Result<String> {
    let rows = database.rows("SELECT pg_current_wal_insert_lsn()::text").await?;
    Ok(rows.first().map(|row| row.try_get_by_index(0)).transpose()?.unwrap_or_default())
}

/// Notes the bytes between two positions, for each of so many registrations. It needs the extension `pg_walinspect`
/// (PostgreSQL 15 and later), and that the server still has its log; otherwise it says why not.
pub(crate) async fn measure(
    database: &Database,
    [from, to]: [String; 2],
    registrations: u64,
    report: &mut Report,
) -> anyhow::Result<()> {
    // What it lacks, the query tells.
    let _ = database.execute("CREATE EXTENSION IF NOT EXISTS pg_walinspect").await;
    // A record names its tables as `rel TABLESPACE/DATABASE/TABLE`; the end of a transaction names none.
    let query = format!(
        "WITH all_records AS (SELECT xid::text AS xid, record_length AS length, fpi_length AS pages, \
             coalesce(block_ref, '') AS refers_to, \
             block_ref LIKE '%rel %/' || (SELECT oid FROM pg_database WHERE datname = current_database()) || '/%' AS ours \
             FROM pg_get_wal_records_info('{from}', '{to}')), \
         ours AS (SELECT DISTINCT xid FROM all_records WHERE ours AND xid <> '0') \
         SELECT sum(length)::bigint, sum(pages)::bigint FROM all_records \
         WHERE ours OR (refers_to = '' AND xid IN (SELECT xid FROM ours))"
    );
    let rows = match database.rows(&query).await {
        Ok(rows) => rows,
        Err(error) => {
            progress(&format!("the log of PostgreSQL cannot be read: {error:#}"));
            return Ok(());
        }
    };
    let Some(row) = rows.first() else { return Ok(()) };
    let (all, pages): (i64, i64) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
    #[expect(clippy::cast_precision_loss, reason = "there are fewer than 2^52 bytes")]
    let each = |bytes: i64| bytes as f64 / registrations as f64;
    report.note("registration: log of PostgreSQL, all of it", each(all), "bytes");
    report.note("registration: log of PostgreSQL, without whole pages", each(all - pages), "bytes");
    Ok(())
}
