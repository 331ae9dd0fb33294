//! The files of a fake that runs alone: made when they are missing, used again when they are there.

use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use tempfile::TempDir;

use crate::sandbox::{apns::AppleKey, authority::Authority, fcm::ServiceAccount};

/// Apple's names have ten characters each.
pub(super) const TEAM_ID: &str = "SANDBOXTEA";
pub(super) const KEY_ID: &str = "SANDBOXKEY";

/// A directory of one's own choice, or one that goes when the program ends.
pub(super) struct Directory {
    path: PathBuf,
    _temporary: Option<TempDir>,
}

impl Directory {
    /// The directory at `chosen`, made when it is missing; a temporary one when none was chosen.
    pub(super) fn open(chosen: Option<&Path>) -> io::Result<Self> {
        if let Some(path) = chosen {
            fs::create_dir_all(path)?;
            return Ok(Self { path: fs::canonicalize(path)?, _temporary: None });
        }
        let temporary = tempfile::Builder::new().prefix("push-bouncer-sandbox-").tempdir()?;
        Ok(Self { path: temporary.path().to_owned(), _temporary: Some(temporary) })
    }

    /// The authority, and the file with its certificate.
    pub(super) fn authority(&self) -> anyhow::Result<(Authority, PathBuf)> {
        let certificate = self.path.join("authority.pem");
        let key = self.path.join("authority-key.pem");
        let authority = match read(&key)? {
            Some(text) => Authority::with_key(&text).with_context(|| unusable(&key))?,
            None => {
                let authority = Authority::new()?;
                write(&key, &authority.private_key_pem())?;
                // It vouches for another key than the one that is new.
                write(&certificate, &authority.certificate_pem())?;
                authority
            }
        };
        if !certificate.exists() {
            write(&certificate, &authority.certificate_pem())?;
        }
        Ok((authority, certificate))
    }

    /// Apple's signing key, and its file.
    pub(super) fn apple_key(&self) -> anyhow::Result<(AppleKey, PathBuf)> {
        let path = self.path.join(format!("AuthKey_{KEY_ID}.p8"));
        let key = match read(&path)? {
            Some(text) => {
                AppleKey::with_key(TEAM_ID, KEY_ID, &text).with_context(|| unusable(&path))?
            }
            None => {
                let key = AppleKey::generate(TEAM_ID, KEY_ID)?;
                write(&path, &key.private_key_pem())?;
                key
            }
        };
        Ok((key, path))
    }

    /// The service account of a project; searching for a new one's key takes a while.
    pub(super) fn account(&self, project: &str) -> anyhow::Result<ServiceAccount> {
        let path = self.account_file(project);
        match read(&path)? {
            Some(text) => {
                let account = ServiceAccount::from_json(&text).with_context(|| unusable(&path))?;
                anyhow::ensure!(
                    account.project_id() == project,
                    "`{}` is of the project `{}`, not `{project}`",
                    path.display(),
                    account.project_id()
                );
                Ok(account)
            }
            None => Ok(ServiceAccount::generate(project)?),
        }
    }

    /// Writes the account's file, which names the token endpoint of now.
    pub(super) fn write_account(
        &self,
        account: &ServiceAccount,
        token_uri: &str,
    ) -> anyhow::Result<PathBuf> {
        let path = self.account_file(account.project_id());
        let text = account.json(token_uri);
        if read(&path)?.is_none_or(|known| known != text) {
            write(&path, &text)?;
        }
        Ok(path)
    }

    fn account_file(&self, project: &str) -> PathBuf {
        self.path.join(format!("service-account-{project}.json"))
    }
}

fn read(path: &Path) -> anyhow::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read `{}`", path.display())),
    }
}

/// Writes a file that only its owner reads: most of them hold a key.
fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .with_context(|| format!("cannot write `{}`", path.display()))
}

fn unusable(path: &Path) -> String {
    format!("cannot use `{}`; remove it to have a new one made", path.display())
}
