//! The service account of all tests: one RSA key for all of them, made by whoever comes first.

use std::{fs, path::Path, process};

use push_bouncer::sandbox::fcm::ServiceAccount;

/// An account of this project.
///
/// The search for a key costs more than most tests do. It stays in the build directory, and opens
/// nothing but the fakes.
pub(super) fn of(project: &str) -> ServiceAccount {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("service-account-key.pem");
    if let Ok(key) = fs::read_to_string(&file) {
        return ServiceAccount::with_key(project, &key).expect("the file holds the key");
    }
    let account = ServiceAccount::generate(project).expect("a key can be made");
    // Other tests may be at it too: each file is whole when it gets its name, and the last one stays.
    let own = file.with_extension(format!("{}-{:?}", process::id(), std::thread::current().id()));
    fs::write(&own, account.private_key_pem()).expect("the build directory can be written to");
    fs::rename(&own, &file).expect("a file can be renamed");
    account
}
