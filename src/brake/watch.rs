//! The brake of each app, the same on all nodes: it is on while the database has a row that says so.

use std::{sync::atomic::Ordering, time::Duration};

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::{App, Brake, window::Sums};
use crate::{
    clock::Timestamp,
    registry::{EngagedBrake, RegistryError},
};

/// So soon a brake that another process put on or took off counts here.
pub(super) const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// What the database is known to say of an app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// The brake is off.
    Off,
    /// It is on here since then, and has to be stored.
    ToStore(Timestamp, Sums),
    /// It is on since then, and who went before is not back yet.
    ToBringBack(Timestamp),
    /// It is on since then.
    On(Timestamp),
}

impl Brake {
    /// Looks every second what other processes did to the brakes and what other nodes counted, until `stop`.
    pub async fn keep_watching(&self, stop: &CancellationToken) {
        tokio::join!(self.keep_looking(stop), self.keep_sharing(stop));
    }

    async fn keep_looking(&self, stop: &CancellationToken) {
        let mut ticks = interval(LOOK_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => {}
            }
            self.look().await;
        }
    }

    /// Does what could not be done before, and reads which brakes are on; what cannot be read stays as it was.
    pub async fn look(&self) {
        let read = self.read().await;
        let was_failing = self.inner.is_failing.swap(read.is_err(), Ordering::Relaxed);
        if let Err(error) = read
            && !was_failing
        {
            tracing::warn!(event = "brake.unread", %error, "brakes stay as they are until the database is back");
        }
    }

    async fn read(&self) -> Result<(), RegistryError> {
        let mut known = self.inner.known.lock().await;
        // One app that cannot be settled hides no other's brake.
        let mut settled = Ok(());
        for (app, known) in self.inner.apps.iter().zip(&mut *known) {
            settled = settled.and(self.settle(app, known).await);
        }
        // Nor does it hide that no device is to be named that nobody knows.
        settled = settled.and(self.look_for_holes().await);
        let rows = self.inner.registry.brakes().await?;
        for (app, known) in self.inner.apps.iter().zip(&mut *known) {
            let of_app = |row: &&EngagedBrake| {
                row.provider == app.devices.provider && *row.app == *app.devices.name
            };
            let stored = rows.iter().find(of_app).map(|row| row.engaged_at);
            match (*known, stored) {
                (Known::On(before) | Known::ToBringBack(before), None) => {
                    *known = Known::Off;
                    // Before anybody considers it again.
                    self.begin_anew(app, Some(before));
                    self.set_engaged(app, false);
                    tracing::info!(
                        event = "brake.released",
                        provider = app.devices.provider.as_str(),
                        app = &*app.devices.name,
                        "the brake is off",
                    );
                }
                (Known::On(before) | Known::ToBringBack(before), Some(since))
                    if before == since => {}
                // Another node put it on at the same time, or it was off in between.
                (Known::On(_), Some(since)) => {
                    *known = Known::On(since);
                    self.begin_anew(app, None);
                }
                (Known::ToBringBack(_), Some(since)) => {
                    *known = Known::ToBringBack(since);
                    self.begin_anew(app, None);
                }
                (Known::Off, Some(since)) => {
                    self.set_engaged(app, true);
                    *known = Known::ToBringBack(since);
                    tracing::warn!(
                        event = "brake.engaged",
                        provider = app.devices.provider.as_str(),
                        app = &*app.devices.name,
                        "the brake is on: `push-bouncer brake status` tells more",
                    );
                    settled = settled.and(self.settle(app, known).await);
                }
                (Known::Off | Known::ToStore(..), None) | (Known::ToStore(..), Some(_)) => {}
            }
        }
        settled
    }

    /// Puts the brake of an app on, if too many of its devices are called bad; whether it is on. A device that
    /// was removed just before comes back then.
    pub(super) async fn consider(&self, key: usize, minute: u64, was_removed: bool) -> bool {
        let (inner, app) = (&*self.inner, &self.inner.apps[key]);
        if !inner.config.enabled {
            return false;
        }
        if app.is_engaged() && !was_removed {
            return true;
        }
        let beyond = app.is_beyond(&inner.config, minute);
        if !app.is_engaged() && beyond.is_none() {
            return false;
        }
        let mut known = inner.known.lock().await;
        if let (Known::Off, Some(sums)) = (known[key], beyond) {
            known[key] = Known::ToStore(inner.clock.now(), sums);
            self.put_on(app, sums);
        }
        if !app.is_engaged() {
            return false;
        }
        if let Known::On(since) = known[key] {
            // What went while the brake was put on.
            known[key] = Known::ToBringBack(since);
        }
        if let Err(error) = self.settle(app, &mut known[key]).await
            && !inner.is_failing.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(event = "brake.not_stored", %error, "the brake is on here; it is stored, and who went before comes back, when the database is back");
        }
        true
    }

    /// Puts the brake of an app on here, and tells the operator.
    fn put_on(&self, app: &App, sums: Sums) {
        self.set_engaged(app, true);
        let (provider, name) = (app.devices.provider.as_str(), &*app.devices.name);
        tracing::error!(
            event = "brake.engaged",
            provider,
            app = name,
            sends = sums.sends,
            refusals = sums.refusals,
            "too many devices are called bad, so none is removed; correct topic, environment or credentials of the app, then run `push-bouncer brake release {provider} {name} --restore`; if the devices are bad indeed, with `--expire`",
        );
    }

    /// Tells all nodes of a brake that was put on here, and brings back who went before it was. What fails is done
    /// at the next look.
    async fn settle(&self, app: &App, known: &mut Known) -> Result<(), RegistryError> {
        if let Known::ToStore(since, sums) = *known {
            let brake = EngagedBrake {
                provider: app.devices.provider,
                app: app.devices.name.to_string(),
                engaged_at: since,
                sends: sums.sends,
                refusals: sums.refusals,
            };
            self.inner.registry.engage_brake(&brake).await?;
            // From here on it is never stored again: who takes it off is not overruled.
            *known = Known::ToBringBack(since);
        }
        if let Known::ToBringBack(since) = *known {
            self.bring_back(app, since - self.inner.config.window).await?;
            *known = Known::On(since);
        }
        Ok(())
    }

    fn set_engaged(&self, app: &App, is_engaged: bool) {
        app.set_engaged(is_engaged);
        let labels = app.labels();
        self.inner.metrics.token_brake_engaged.get_or_create(&labels).set(is_engaged.into());
    }

    /// What was counted before is no reason to put the brake on again, and devices are what the operator made of
    /// them.
    fn begin_anew(&self, app: &App, released: Option<Timestamp>) {
        app.begin_anew(released.map(Timestamp::unix_millis));
        self.inner.quarantine.clear();
        self.inner.registry.forget_devices();
    }
}
