//! Credentials change while the program runs: their files are watched, and read again when they are asked to be.

use std::{path::PathBuf, time::Duration};

use tokio::{
    task::spawn_blocking,
    time::{Instant, MissedTickBehavior, interval_at, sleep},
};

use super::{
    Providers, ProvidersError,
    credential::{Contents, Seen},
};
use crate::{
    config::Config,
    metrics::{CredentialKind, RefreshLabels, RefreshResult},
};

/// Files are read this often and compared by what they hold: links that are swapped, as Kubernetes does, change
/// no file that could be watched.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);

/// A file that fails its check is looked at again after this time, before that is called a failure: its writer
/// may not be done.
const SECOND_LOOK_AFTER: Duration = Duration::from_secs(1);

/// What a reload came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reloaded {
    /// Apps whose credential is another one from now on, such as `apns.ios`.
    pub renewed: Vec<String>,
    /// Apps whose credential failed its check, so that the one before stays.
    pub failed: Vec<String>,
    /// Apps that differ in more than their credentials, are new or gone: that counts from the next start on.
    pub restart: Vec<String>,
}

impl Providers {
    /// Reads all files of credentials again, those that `config` names if it is given, and takes over what is
    /// new and good. What is not good is logged, and what was in use stays.
    ///
    /// Other settings of apps do not count before the next start. It takes as long as the files take to be
    /// read, a second more where one fails its check, and up to ten more where Google is asked.
    pub async fn reload(&self, config: Option<&Config>) -> Reloaded {
        let _reloading = self.reloading.lock().await;
        let restart = config.map_or_else(Vec::new, |config| {
            let mut restart = self.apns.want(&config.apns);
            restart.append(&mut self.fcm.want(&config.fcm));
            restart
        });
        let mut reloaded = Reloaded { restart, ..Reloaded::default() };
        if self.look(&mut reloaded).await {
            sleep(SECOND_LOOK_AFTER).await;
            self.look(&mut reloaded).await;
        }
        self.fcm.promote().await;
        reloaded.failed.sort_unstable();
        reloaded.failed.dedup();
        reloaded
    }

    /// Looks at all files every five seconds, and renews the tokens that ended while nothing was sent, for ever;
    /// not at once, because the start has just read and made them.
    pub async fn keep_fresh(&self) {
        let mut ticks = interval_at(Instant::now() + LOOK_INTERVAL, LOOK_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let _reloading = self.reloading.lock().await;
            self.look(&mut Reloaded::default()).await;
            self.fcm.promote().await;
            // When they end is shown; and the first push of the morning does not wait for one.
            self.apns.renew_if_ended();
            self.fcm.renew_if_due();
        }
    }

    /// Whether a file failed its check for the first time.
    async fn look(&self, reloaded: &mut Reloaded) -> bool {
        let files: Vec<PathBuf> = self.apns.files().chain(self.fcm.files()).collect();
        // Without a deadline: a file system that does not answer holds this one thread, and a new attempt would
        // hold another one.
        let read = spawn_blocking(move || {
            files.iter().map(|path| Contents::read(path)).collect::<Vec<_>>()
        });
        let Ok(read) = read.await else { return false };
        let mut is_suspect = false;
        for (place, read) in read.into_iter().enumerate() {
            let (kind, seen) = match place.checked_sub(self.first_project) {
                None => self.apns.look(place, read),
                Some(project) => (CredentialKind::FcmToken, self.fcm.look(project, read)),
            };
            let name = format!("{}.{}", self.apps[place].provider.as_str(), self.apps[place].name);
            match seen {
                Seen::Same => {}
                Seen::Suspect => is_suspect = true,
                Seen::Renewed => {
                    tracing::info!(
                        event = "credential.reloaded",
                        app = name,
                        "there is another credential"
                    );
                    if kind == CredentialKind::ApnsCert {
                        self.count(kind, RefreshResult::Ok);
                    }
                    reloaded.renewed.push(name);
                }
                Seen::Failing(error, is_new) => {
                    if is_new {
                        self.tell(kind, &name, &error);
                    }
                    reloaded.failed.push(name);
                }
            }
        }
        is_suspect
    }

    fn tell(&self, kind: CredentialKind, app: &str, error: &ProvidersError) {
        self.count(kind, RefreshResult::Failed);
        tracing::error!(event = "credential.reload_failed", app, %error, "a credential failed its check; the one before stays");
    }

    /// Tokens are counted when they are made.
    fn count(&self, kind: CredentialKind, result: RefreshResult) {
        let labels = RefreshLabels { kind, result };
        self.metrics.credential_refreshes.get_or_create(&labels).inc();
    }
}
