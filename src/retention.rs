//! Rows that nobody needs any more are deleted: every hour by one of the nodes, a small batch at a time.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc, time::Duration};

use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

use crate::{
    clock::{Clock, Timestamp},
    config::RetentionConfig,
    metrics::{JobLabels, JobName, JobResult, JobRunLabels, Metrics},
    random::Random,
    registry::{Leadership, Registry, RegistryError, RowGroup},
};

/// How often old rows are deleted.
const INTERVAL: Duration = Duration::from_secs(60 * 60);

/// Turns are up to this much earlier or later, so that many bouncers do not ask one database all at once.
const JITTER: f64 = 0.1;

/// So often a node looks whether it leads.
const LOOK_INTERVAL: Duration = Duration::from_secs(60);

/// How exactly all this keeps its times.
const TICK: Duration = Duration::from_secs(1);

/// Between two batches others have the database.
const BETWEEN_BATCHES: Duration = Duration::from_millis(50);

/// How many rows of each table were deleted.
pub type Deleted = BTreeMap<Cow<'static, str>, u64>;

/// Deletes all rows of these groups that are old at this moment, unless it is stopped: after the batch that is under
/// way then. `deleted` tells what is gone so far, also after a failure, and `progress` is called for each batch.
/// Says whether it came to the end.
///
/// # Errors
///
/// When the database fails; who says the same again goes on where this ended.
pub async fn delete_old_rows(
    registry: &Registry,
    groups: &[RowGroup],
    config: &RetentionConfig,
    now: Timestamp,
    stop: &CancellationToken,
    deleted: &mut Deleted,
    mut progress: impl FnMut(&Deleted),
) -> Result<bool, RegistryError> {
    for rows in groups.iter().flat_map(|group| group.old_rows(config, now)) {
        deleted.entry(rows.table()).or_default();
        loop {
            if stop.is_cancelled() {
                return Ok(false);
            }
            let batch = registry.delete_old(&rows).await?;
            if batch == 0 {
                break;
            }
            *deleted.entry(rows.table()).or_default() += batch;
            progress(deleted);
            tokio::select! {
                () = stop.cancelled() => {}
                () = sleep(BETWEEN_BATCHES) => {}
            }
        }
    }
    Ok(true)
}

/// The part of the service that deletes old rows.
pub struct Retention {
    registry: Registry,
    config: RetentionConfig,
    clock: Clock,
    random: Random,
    metrics: Arc<Metrics>,
}

/// What a look at the leadership, or a turn, came to last; only a change is logged.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Health {
    Well,
    Failing,
}

impl Retention {
    /// Deletes what is older than these settings say.
    #[must_use]
    pub fn new(
        registry: Registry,
        config: RetentionConfig,
        clock: Clock,
        random: Random,
        metrics: Arc<Metrics>,
    ) -> Self {
        let labels = JobLabels { job_name: JobName::Retention };
        metrics.job_interval.get_or_create(&labels).set(INTERVAL.as_secs_f64());
        Self { registry, config, clock, random, metrics }
    }

    /// Leads where no other node does, and deletes old rows every hour while it leads, until `stop`. The first time
    /// is after half an hour or later: who starts has other things to do.
    pub async fn keep_deleting(&self, stop: &CancellationToken) {
        let mut leadership = self.registry.leadership();
        let mut health = Health::Well;
        let mut leads = false;
        let mut next_look = Duration::ZERO;
        let mut next_turn =
            self.clock.running() + INTERVAL.mul_f64(0.5 + 0.5 * self.random.fraction());
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                _ = ticks.tick() => {}
            }
            let running = self.clock.running();
            if running >= next_look {
                next_look = running + LOOK_INTERVAL;
                leads = tokio::select! {
                    () = stop.cancelled() => break,
                    leads = self.look(&mut leadership, &mut health) => leads,
                };
            }
            // A turn that is due while another node leads comes at once when this one does.
            if leads && running >= next_turn {
                next_turn = running + self.until_next_turn();
                self.take_turn(stop, &mut health).await;
            }
        }
        leadership.release().await;
    }

    fn until_next_turn(&self) -> Duration {
        INTERVAL.mul_f64(1.0 + JITTER * (2.0 * self.random.fraction() - 1.0))
    }

    async fn look(&self, leadership: &mut Leadership, health: &mut Health) -> bool {
        let held = leadership.hold().await;
        let leads = matches!(held, Ok(true));
        self.metrics.node_leader.set(leads.into());
        match held {
            Ok(_) => health.well(),
            Err(error) => health.failed(&error),
        }
        leads
    }

    async fn take_turn(&self, stop: &CancellationToken, health: &mut Health) {
        let (began, now) = (self.clock.running(), self.clock.now());
        let mut deleted = Deleted::default();
        let ended = delete_old_rows(
            &self.registry,
            &RowGroup::ALL,
            &self.config,
            now,
            stop,
            &mut deleted,
            |_| {},
        )
        .await;
        for (table, rows) in deleted.iter().filter(|(_, rows)| **rows > 0) {
            tracing::info!(event = "retention.deleted", %table, rows, "deleted old rows");
        }
        let result = match &ended {
            Ok(true) => JobResult::Ok,
            // What was stopped is neither.
            Ok(false) => return,
            Err(_) => JobResult::Failed,
        };
        let (metrics, job_name) = (&self.metrics, JobName::Retention);
        let labels = JobLabels { job_name };
        metrics.job_runs.get_or_create(&JobRunLabels { job_name, result }).inc();
        let duration = self.clock.running().saturating_sub(began);
        metrics.job_duration.get_or_create(&labels).observe(duration.as_secs_f64());
        match ended {
            Ok(_) => {
                #[expect(clippy::cast_precision_loss, reason = "seconds of our time are exact")]
                let seconds = self.clock.now().unix_seconds() as f64;
                metrics.job_last_success.get_or_create(&labels).set(seconds);
                health.well();
            }
            Err(error) => health.failed(&error),
        }
    }
}

impl Health {
    fn well(&mut self) {
        if *self == Self::Failing {
            tracing::info!(event = "retention.recovered", "old rows can be deleted again");
        }
        *self = Self::Well;
    }

    fn failed(&mut self, error: &RegistryError) {
        if *self == Self::Well {
            tracing::warn!(event = "retention.failed", %error, "old rows stay for now; this is tried again");
        }
        *self = Self::Failing;
    }
}
