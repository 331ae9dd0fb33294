//! What came of an import, as a table for people and as JSON.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use crate::{
    import::{Numbers, Outcome, Verified, name_of},
    registry::Fate,
};

const IN_MEMORY: &str = "writing a text into memory does not fail";

/// Numbers of all tables, each reason on a line of its own.
pub(super) fn text(outcome: &Outcome) -> String {
    let mut text = String::new();
    for (table, numbers) in &outcome.tables {
        let told: Vec<String> = words(numbers)
            .into_iter()
            .filter(|(_, count)| *count > 0)
            .map(|(word, count)| format!("{word} {count}"))
            .collect();
        writeln!(text, "  {:<18}{:>10}   {}", name_of(*table), numbers.total, told.join(", "))
            .expect(IN_MEMORY);
        for (reason, count) in &numbers.reasons {
            writeln!(text, "      {:<40}{count:>10}", reason.as_str()).expect(IN_MEMORY);
        }
    }
    for (table, read) in &outcome.grown {
        writeln!(text, "  {table:<18}{read:>10}   read").expect(IN_MEMORY);
    }
    text
}

fn words(numbers: &Numbers) -> [(&'static str, u64); 9] {
    [
        ("new", numbers.of(Fate::New)),
        ("changed", numbers.of(Fate::Changed)),
        ("same", numbers.of(Fate::Same)),
        ("newer_here", numbers.of(Fate::NewerHere)),
        ("removed_here", numbers.of(Fate::RemovedHere)),
        ("other_server", numbers.of(Fate::OtherServer)),
        ("number_taken", numbers.of(Fate::NumberTaken)),
        ("not_taken", numbers.of(Fate::Left)),
        ("gone", numbers.gone),
    ]
}

/// The same for a program.
pub(super) fn value(outcome: &Outcome) -> Value {
    let mut tables = Map::new();
    for (table, numbers) in &outcome.tables {
        let mut value = json!({ "total": numbers.total });
        for (word, count) in words(numbers) {
            value[word] = count.into();
        }
        for (reason, count) in &numbers.reasons {
            value["reasons"][reason.as_str()] = (*count).into();
        }
        tables.insert(name_of(*table).to_owned(), value);
    }
    json!({ "tables": tables, "read": outcome.grown })
}

/// What a comparison found, one difference a line.
pub(super) fn differences(verified: &Verified) -> String {
    let mut text = String::new();
    for (table, numbers) in &verified.tables {
        writeln!(
            text,
            "  {:<18}{:>10} at the source, {} of them here, {} compared",
            name_of(*table),
            numbers.at_source,
            numbers.taken,
            numbers.compared
        )
        .expect(IN_MEMORY);
    }
    for difference in &verified.differences {
        let table = name_of(difference.table);
        writeln!(text, "{table} {}: {}", difference.source_id, difference.what).expect(IN_MEMORY);
    }
    let told = verified.differences.len() as u64;
    if verified.different > told {
        writeln!(text, "and {} more", verified.different - told).expect(IN_MEMORY);
    }
    text
}

/// The same for a program.
pub(super) fn differences_value(verified: &Verified) -> Value {
    let tables: Map<String, Value> = verified
        .tables
        .iter()
        .map(|(table, numbers)| {
            let value = json!({
                "at_source": numbers.at_source,
                "taken": numbers.taken,
                "compared": numbers.compared,
            });
            (name_of(*table).to_owned(), value)
        })
        .collect();
    let differences: Vec<Value> = verified
        .differences
        .iter()
        .map(|difference| {
            json!({
                "table": name_of(difference.table),
                "id": difference.source_id,
                "what": difference.what,
            })
        })
        .collect();
    json!({ "tables": tables, "different": verified.different, "differences": differences })
}
