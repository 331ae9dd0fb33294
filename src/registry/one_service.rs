//! One service at a time on a SQLite file.
//!
//! What a service remembers of a SQLite database counts until it changes it itself: a second one beside it would serve
//! what is no longer true. PostgreSQL tells its nodes of changes, and needs none of this.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use super::OpenError;

/// Held for as long as a service uses the file; the system lets go of it however the process ends.
pub(super) struct OneService {
    lock: File,
}

impl OneService {
    /// Takes the lock that lies beside `database`.
    pub(super) fn on(database: &Path) -> Result<Self, OpenError> {
        let beside = beside(database).map_err(OpenError::Create)?;
        let mut options = OpenOptions::new();
        // The lock is of the file as it is: nothing is written to it, and who deletes it would let two in.
        options.write(true).create(true).truncate(false).mode(0o600);
        let lock = options.open(&beside).map_err(OpenError::Create)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { lock }),
            Err(TryLockError::WouldBlock) => {
                Err(OpenError::InUse { file: database.display().to_string() })
            }
            Err(TryLockError::Error(error)) => Err(OpenError::Create(error)),
        }
    }

    /// Lets another service have the file.
    pub(super) fn end(&self) -> io::Result<()> {
        self.lock.unlock()
    }
}

/// The file of the lock, the same by whichever way the database is named.
fn beside(database: &Path) -> io::Result<PathBuf> {
    let database = match database.canonicalize() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let directory = match database.parent() {
                Some(directory) if directory != Path::new("") => directory,
                _ => Path::new("."),
            };
            directory.canonicalize()?.join(database.file_name().unwrap_or_default())
        }
        found => found?,
    };
    let mut name = database.into_os_string();
    name.push(".lock");
    Ok(name.into())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_second_one_waits_for_the_end_of_the_first_by_whichever_name() {
        let directory = tempfile::tempdir().unwrap();
        let (file, link) = (directory.path().join("a.sqlite"), directory.path().join("b.sqlite"));
        let first = OneService::on(&file).unwrap();
        assert!(matches!(OneService::on(&file), Err(OpenError::InUse { .. })));
        File::create(&file).unwrap();
        symlink(&file, &link).unwrap();
        assert!(matches!(OneService::on(&link), Err(OpenError::InUse { .. })));
        assert!(OneService::on(&directory.path().join("c.sqlite")).is_ok());
        first.end().unwrap();
        assert!(OneService::on(&link).is_ok());
    }

    #[test]
    fn a_directory_that_is_not_there_is_told() {
        let lost = OneService::on(Path::new("/nowhere/at/all.sqlite"));
        assert!(matches!(lost, Err(OpenError::Create(_))));
    }
}
