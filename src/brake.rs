//! What becomes of a device that its push service calls gone or bad, and the brake on it.
//!
//! A wrong environment or topic makes Apple call every token bad. Where too many pushes of an app meet that
//! word, it is not believed: devices stay, as suspects, until an operator has looked (`providers.md`, rule 4).

mod app;
mod by_server;
mod holes;
mod quarantine;
mod restoring;
mod sharing;
mod told;
mod watch;
mod window;

use std::sync::{Arc, atomic::AtomicBool};

use futures_util::future::{BoxFuture, FutureExt as _};

use tokio::sync::Mutex;

use app::{App, Leave};
use holes::Holes;
use quarantine::Quarantine;
use watch::{Known, LOOK_INTERVAL};

use crate::{
    clock::{Clock, Timestamp},
    config::{BrakeConfig, Config, ReportDeletedDevices},
    domain::device::{Provider, Row, Target},
    metrics::{DeviceChange, DeviceChangeLabels, Metrics},
    providers::{AppKey, AppName, FcmReason, RejectionReason},
    registry::{AppDevices, Burial, Registry, RegistryError},
    shared_state::SharedState,
};

/// Removes devices, or does not; clones share everything.
#[derive(Clone)]
pub struct Brake {
    inner: Arc<Inner>,
}

struct Inner {
    apps: Box<[App]>,
    config: BrakeConfig,
    report: ReportDeletedDevices,
    holes: Holes,
    quarantine: Quarantine,
    /// What the database is known to say of each app; held while it is asked.
    known: Mutex<Box<[Known]>>,
    /// What the database has to be asked or told failed the last time, which was logged.
    is_failing: AtomicBool,
    registry: Registry,
    /// Where nodes count together.
    shared: Option<SharedState>,
    metrics: Arc<Metrics>,
    clock: Clock,
}

/// One push, as far as the fate of its device goes.
#[derive(Clone, Copy)]
pub struct Pushed<'a> {
    /// Whose push service answered.
    pub app: AppKey,
    /// Where it went.
    pub target: &'a Target,
    /// The row it is for.
    pub row: Row,
    /// Our key of the remote server it is for.
    pub server: i64,
    /// The device was a suspect when it was read.
    pub is_suspect: bool,
    /// When it was sent.
    pub at: Timestamp,
}

/// The devices of an app of the configuration, by its name; of an unknown one of Apple's nothing is its own.
#[must_use]
pub fn devices_of_app(config: &Config, provider: Provider, name: &str) -> AppDevices {
    let topics = match provider {
        Provider::Apns => config.apns.get(name).map(|app| app.topics.clone()).unwrap_or_default(),
        Provider::Fcm => Vec::new(),
    };
    AppDevices { provider, name: name.into(), topics }
}

impl Brake {
    /// A brake for these apps, which are all of the configuration in the order of their keys; all of them off until
    /// the database is read. Nodes that share something count together.
    #[must_use]
    pub fn new(
        config: &Config,
        apps: &[AppName],
        registry: Registry,
        shared: Option<SharedState>,
        clock: Clock,
        metrics: Arc<Metrics>,
    ) -> Self {
        let app = |app: &AppName| {
            App::new(devices_of_app(config, app.provider, &app.name), &config.push.brake)
        };
        Self {
            inner: Arc::new(Inner {
                known: Mutex::new(apps.iter().map(|_| Known::Off).collect()),
                is_failing: AtomicBool::new(false),
                quarantine: Quarantine::new(apps.len()),
                apps: apps.iter().map(app).collect(),
                config: config.push.brake.clone(),
                report: config.compat.report_deleted_devices,
                holes: Holes::default(),
                registry,
                shared,
                metrics,
                clock,
            }),
        }
    }

    /// Whether the brake of any app of a push service is on.
    #[must_use]
    pub fn is_engaged(&self, provider: Provider) -> bool {
        self.inner.apps.iter().any(|app| app.devices.provider == provider && app.is_engaged())
    }

    /// Whether a server is to be told only of devices that are known to be gone, and not of those that were never
    /// known: it deletes its own copy of every device it is told of.
    #[must_use]
    pub fn names_only_tombstones(&self, provider: Provider) -> bool {
        self.inner.report == ReportDeletedDevices::Tombstones
            || self.inner.holes.may_be(self.inner.clock.now())
            || self.is_engaged(provider)
    }

    /// Whether nothing is to be sent to a device for now: no Firebase project of the operator reaches it, which
    /// was found out within the hour, and it was not registered anew since (it would be no suspect then).
    ///
    /// Whoever sends asks this before the first attempt, and ends the push as one whose credentials were refused
    /// where it is true: without an attempt, and without a word to the brake.
    #[must_use]
    pub fn is_quarantined(&self, row: Row, is_suspect: bool) -> bool {
        is_suspect && self.inner.quarantine.holds(row, self.inner.clock.running())
    }

    /// Notes that a push service took a push: its device is no suspect, and belongs to the Firebase project that
    /// reached it. Where that is new, the database has to be told, which is the work that comes back.
    pub fn accepted<'a>(&'a self, pushed: Pushed<'a>) -> Option<BoxFuture<'a, ()>> {
        let app = &self.inner.apps[pushed.app.index()];
        app.accepted(pushed.target, pushed.server, self.minute());
        let project = self.other_project(&pushed);
        let is_new = pushed.is_suspect || project.is_some();
        is_new.then(|| self.believe(app, pushed, project).boxed())
    }

    /// Removes a device that a push service declares gone, unless it was registered after `since`: a late
    /// answer must not kill a fresh registration. Whether any row went.
    ///
    /// A token in the clear goes for every user on every server; an encrypted device's row alone expires, since
    /// whoever else has the token finds it dead himself (protocol, 4.5).
    pub async fn gone(
        &self,
        pushed: Pushed<'_>,
        since: Option<Timestamp>,
        reason: RejectionReason,
    ) -> bool {
        // A moment after the push is a clock that is wrong; whoever registered since then is not meant.
        let since = since.map_or(pushed.at, |since| since.min(pushed.at));
        let removed =
            self.inner.registry.bury(pushed.row, pushed.target, since, Burial::Certain).await;
        let rows = self.changed(&pushed, reason, DeviceChange::Expired, removed);
        if rows > 0 {
            self.inner.apps[pushed.app.index()].window.send(self.minute());
        }
        rows > 0
    }

    /// Removes a device that a push service calls bad, unless that is what it says of too many, or may say of all.
    /// Whether any row went.
    ///
    /// A device counts once for the brake: when it goes, or becomes a suspect.
    pub async fn doubtful(&self, pushed: Pushed<'_>, reason: RejectionReason) -> bool {
        let inner = &*self.inner;
        let (key, minute) = (pushed.app.index(), self.minute());
        let app = &inner.apps[key];
        if reason == RejectionReason::Fcm(FcmReason::SenderIdMismatch) {
            let many = inner.quarantine.add(pushed.row, key, inner.clock.running());
            if let Some(devices) = many {
                tracing::warn!(
                    event = "device.other_project",
                    provider = pushed.target.provider.as_str(),
                    app = &*app.devices.name,
                    devices,
                    "many devices belong to another Firebase project: the app was built with the `google-services.json` of a project that has no `[fcm.…]` section",
                );
            }
        }
        let leave = match (reason, inner.config.enabled) {
            (RejectionReason::Fcm(_), _) => Leave::None,
            (RejectionReason::Apns(_), false) => Leave::Proven,
            (RejectionReason::Apns(_), true) if app.is_engaged() => Leave::None,
            (RejectionReason::Apns(_), true) => app.leave(pushed.target, minute, pushed.is_suspect),
        };
        let Pushed { row, target, at, .. } = pushed;
        let (rows, is_removal) = match leave {
            Leave::None if pushed.is_suspect => return false,
            Leave::None => {
                let suspected = inner.registry.suspect(row, target, at).await;
                (self.changed(&pushed, reason, DeviceChange::Suspected, suspected), false)
            }
            Leave::Proven | Leave::Reserved => {
                let removed = inner.registry.bury(row, target, at, Burial::InDoubt).await;
                (self.changed(&pushed, reason, DeviceChange::Expired, removed), true)
            }
        };
        if rows == 0 {
            if let Leave::Reserved = leave {
                app.give_back(target);
            }
            return false;
        }
        app.refused(pushed.server, minute);
        // Where the brake is on now, what was removed came back.
        let is_engaged = self.consider(key, minute, is_removal).await;
        is_removal && !is_engaged
    }

    /// Logs and counts what was done to a device; how many rows changed.
    fn changed(
        &self,
        pushed: &Pushed<'_>,
        reason: RejectionReason,
        change: DeviceChange,
        result: Result<u64, RegistryError>,
    ) -> u64 {
        let provider = pushed.target.provider;
        match result {
            Ok(0) => 0,
            Ok(rows) => {
                let (provider_name, reason) = (provider.as_str(), reason.as_str());
                if change == DeviceChange::Suspected {
                    tracing::info!(
                        event = "device.suspected",
                        provider = provider_name,
                        reason,
                        rows,
                        "a device is called bad, and stays as a suspect",
                    );
                } else {
                    tracing::info!(
                        event = "device.expired",
                        provider = provider_name,
                        reason,
                        rows,
                        "removed a device that is gone",
                    );
                }
                self.count(provider, change, rows);
                rows
            }
            Err(error) => {
                tracing::warn!(event = "device.not_removed", %error, "the next push finds the device dead again");
                0
            }
        }
    }

    fn count(&self, provider: Provider, change: DeviceChange, rows: u64) {
        let labels = DeviceChangeLabels { provider, change };
        self.inner.metrics.device_changes.get_or_create(&labels).inc_by(rows);
    }

    /// The project that reached a device, where that is not the one it is known to be of, or that is tried first.
    fn other_project(&self, pushed: &Pushed<'_>) -> Option<&str> {
        if pushed.target.provider != Provider::Fcm {
            return None;
        }
        let apps = &self.inner.apps;
        let reached = &*apps[pushed.app.index()].devices.name;
        let known = match pushed.target.fcm_app.as_deref() {
            Some(known) => Some(known),
            None => apps
                .iter()
                .find(|app| app.devices.provider == Provider::Fcm)
                .map(|app| &*app.devices.name),
        };
        (known != Some(reached)).then_some(reached)
    }

    fn minute(&self) -> u64 {
        window::minute(self.inner.clock.running())
    }
}
