//! The report: a line of CSV for every row that was not taken, or not as it is.

use std::{
    fs::{File, OpenOptions, Permissions},
    io::{self, BufWriter, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
};

use super::{name_of, reason::Refusal};
use crate::registry::SourceTable;

/// What is told of a text of the source.
const LONGEST_DETAIL: usize = 200;

/// Where rows that were not taken are told; device tokens and keys never are.
pub struct Report(Option<BufWriter<File>>);

impl Report {
    /// Nowhere.
    #[must_use]
    pub fn none() -> Self {
        Self(None)
    }

    /// In a file that nobody else may read; what it was before is gone.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn create(path: &Path) -> io::Result<Self> {
        let file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
        // Also one that was there.
        file.set_permissions(Permissions::from_mode(0o600))?;
        let mut writer = BufWriter::new(file);
        writeln!(writer, "table,id,reason,detail")?;
        Ok(Self(Some(writer)))
    }

    pub(super) fn tell(
        &mut self,
        table: SourceTable,
        source_id: i64,
        refusal: &Refusal,
    ) -> io::Result<()> {
        let Some(writer) = &mut self.0 else { return Ok(()) };
        let (reason, detail) = (refusal.reason.as_str(), in_quotes(&refusal.detail));
        writeln!(writer, "{},{source_id},{},{detail}", name_of(table), in_quotes(reason))
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.0.as_mut().map_or(Ok(()), BufWriter::flush)
    }
}

/// One field on one line; a program that reads tables takes it for a text, whatever it begins with.
fn in_quotes(text: &str) -> String {
    let is_formula = text.starts_with(['=', '+', '-', '@']);
    let text: String = text
        .chars()
        .take(LONGEST_DETAIL)
        .map(|character| if character.is_control() { ' ' } else { character })
        .collect();
    let quote = if is_formula { "'" } else { "" };
    format!("\"{quote}{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_the_source_says_stays_one_field() {
        assert_eq!(in_quotes("a,\"b\"\nc"), "\"a,\"\"b\"\" c\"");
        assert_eq!(in_quotes("=1+1"), "\"'=1+1\"");
        assert_eq!(in_quotes(&"x".repeat(1000)).len(), LONGEST_DETAIL + 2);
    }
}
