//! The credentials as others may see them, and the files they come from.

use std::{
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
};

use ring::digest::{SHA256, digest};
use zeroize::Zeroizing;

use super::{AppName, ProvidersError};
use crate::{
    clock::Timestamp,
    metrics::{CredentialKind, CredentialLabels, Metrics},
};

/// A key file has one or two kilobytes, a chain of certificates a few more.
const LONGEST_FILE: u64 = 64 * 1024;

/// What one app is known by to its push service; nothing in it is secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// The app.
    pub app: AppName,
    /// What it is.
    pub kind: CredentialKind,
    /// When it ends; nothing while there is none, as before the first push.
    pub ends_at: Option<Timestamp>,
    /// When the push service last took a push under it; nothing since the start of the program.
    pub last_success: Option<Timestamp>,
    /// A new one is there already, and waits until the push service takes it.
    pub is_changing: bool,
}

/// What a file holds, as a digest.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Fingerprint([u8; 32]);

/// A file as it was read; it does not print itself.
pub(super) struct Contents {
    pub(super) path: PathBuf,
    pub(super) bytes: Zeroizing<Vec<u8>>,
    pub(super) fingerprint: Fingerprint,
}

impl Fingerprint {
    fn of(bytes: &[u8]) -> Self {
        let mut fingerprint = [0; 32];
        fingerprint.copy_from_slice(digest(&SHA256, bytes).as_ref());
        Self(fingerprint)
    }
}

impl Contents {
    /// Reads the file; it must be a plain one of at most 64 KiB.
    pub(super) fn read(path: &Path) -> Result<Self, ProvidersError> {
        let unreadable = |source| ProvidersError::Read { path: path.display().to_string(), source };
        // To open a pipe would wait for its writer.
        if !path.metadata().map_err(unreadable)?.is_file() {
            return Err(ProvidersError::credential(path, "is not a file"));
        }
        let mut bytes = Zeroizing::new(Vec::new());
        let file = File::open(path).map_err(unreadable)?;
        file.take(LONGEST_FILE + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes.len() as u64 > LONGEST_FILE {
            return Err(ProvidersError::credential(path, "is longer than 64 KiB"));
        }
        Ok(Self { path: path.to_owned(), fingerprint: Fingerprint::of(&bytes), bytes })
    }
}

/// A credential's file under watch: what is in use of it, and what was found wrong with it.
pub(super) struct Watched<S> {
    /// Where the operator wants it to come from.
    pub(super) wanted: S,
    used: (S, Fingerprint),
    /// What failed its check at the last look, and whether that was told.
    failing: Option<(Fingerprint, bool)>,
}

/// What a look at a file came to.
pub(super) enum Seen {
    /// Nothing new.
    Same,
    /// It is in use from now on.
    Renewed,
    /// It is not good, for the first time; it may be half written.
    Suspect,
    /// It is still not good. Whether that was not told before.
    Failing(ProvidersError, bool),
}

impl<S: Clone + PartialEq> Watched<S> {
    pub(super) fn new(settings: &S, contents: &Contents) -> Self {
        Self {
            wanted: settings.clone(),
            used: (settings.clone(), contents.fingerprint),
            failing: None,
        }
    }

    /// Takes what was read over where it differs from what is in use, by `renew`, which checks it.
    pub(super) fn look(
        &mut self,
        read: Result<Contents, ProvidersError>,
        renew: impl FnOnce(&S, &Contents) -> Result<(), ProvidersError>,
    ) -> Seen {
        let (mark, renewed) = match read {
            Ok(contents) if self.used == (self.wanted.clone(), contents.fingerprint) => {
                self.failing = None;
                return Seen::Same;
            }
            Ok(contents) => (contents.fingerprint, renew(&self.wanted, &contents)),
            Err(error) => (Fingerprint::of(error.to_string().as_bytes()), Err(error)),
        };
        match renewed {
            Ok(()) => {
                self.used = (self.wanted.clone(), mark);
                self.failing = None;
                Seen::Renewed
            }
            Err(error) => match &mut self.failing {
                Some((known, told)) if *known == mark => {
                    Seen::Failing(error, !std::mem::replace(told, true))
                }
                _ => {
                    self.failing = Some((mark, false));
                    Seen::Suspect
                }
            },
        }
    }
}

/// Tells the metrics when a credential ends.
pub(super) fn expiry_is_known(metrics: &Metrics, kind: CredentialKind, app: &str, end: Timestamp) {
    let labels = CredentialLabels { kind, name: app.to_owned() };
    #[expect(clippy::cast_precision_loss, reason = "2^53 seconds are 285 million years")]
    metrics.credential_expiry.get_or_create(&labels).set(end.unix_seconds() as f64);
}

/// Tells the metrics that an app has no such credential any more.
pub(super) fn expiry_is_over(metrics: &Metrics, kind: CredentialKind, app: &str) {
    metrics.credential_expiry.remove(&CredentialLabels { kind, name: app.to_owned() });
}
