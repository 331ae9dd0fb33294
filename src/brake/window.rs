//! How many pushes of an app there were of late, and how many of them called their device bad.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

const MINUTE: Duration = Duration::from_secs(60);

/// A minute since the clock began.
pub(super) fn minute(running: Duration) -> u64 {
    running.as_secs() / MINUTE.as_secs()
}

/// Counts by the minute, of the last minutes. To count costs two atomic operations; only the first push of a
/// minute takes a lock.
///
/// A thread that is held up between the two may count into a minute that is over, or lose a count to the one that
/// begins: of at least fifty pushes that is not the one that matters.
pub(super) struct Window {
    buckets: Box<[Bucket]>,
    turning: Mutex<()>,
}

#[derive(Default)]
struct Bucket {
    /// The minute it counts, plus one; 0 before the first.
    minute: AtomicU64,
    sends: AtomicU64,
    refusals: AtomicU64,
}

/// What happened within a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sums {
    pub(super) sends: u64,
    pub(super) refusals: u64,
}

impl Sums {
    /// Both together.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            sends: self.sends.saturating_add(other.sends),
            refusals: self.refusals.saturating_add(other.refusals),
        }
    }
}

impl Window {
    /// A window of this length, and of the minute that has only begun.
    pub(super) fn new(length: Duration) -> Self {
        let buckets = (0..=minutes(length)).map(|_| Bucket::default()).collect();
        Self { buckets, turning: Mutex::new(()) }
    }

    /// Counts a push that was decided.
    pub(super) fn send(&self, minute: u64) {
        self.bucket(minute).sends.fetch_add(1, Relaxed);
    }

    /// Counts a push that called its device bad.
    pub(super) fn refusal(&self, minute: u64) {
        let bucket = self.bucket(minute);
        bucket.sends.fetch_add(1, Relaxed);
        bucket.refusals.fetch_add(1, Relaxed);
    }

    /// The counts of the window that ends with this minute.
    pub(super) fn sums(&self, minute: u64) -> Sums {
        self.by_age(minute).fold(Sums::default(), |sums, (_, of_minute)| sums.and(of_minute))
    }

    /// The counts of each of its minutes, with how many minutes ago it was, in no order.
    pub(super) fn by_age(&self, minute: u64) -> impl Iterator<Item = (u64, Sums)> {
        let first = (minute + 2).saturating_sub(self.buckets.len() as u64).max(1);
        self.buckets.iter().filter_map(move |bucket| {
            let noted = bucket.minute.load(Relaxed);
            let sums =
                Sums { sends: bucket.sends.load(Relaxed), refusals: bucket.refusals.load(Relaxed) };
            (first..=minute + 1).contains(&noted).then(|| (minute + 1 - noted, sums))
        })
    }

    /// Forgets everything.
    pub(super) fn clear(&self) {
        let _turning = self.turning.lock().unwrap_or_else(PoisonError::into_inner);
        for bucket in &self.buckets {
            bucket.minute.store(0, Relaxed);
        }
    }

    fn bucket(&self, minute: u64) -> &Bucket {
        let place = usize::try_from(minute % self.buckets.len() as u64).unwrap_or(0);
        let bucket = &self.buckets[place];
        if bucket.minute.load(Relaxed) <= minute {
            let _turning = self.turning.lock().unwrap_or_else(PoisonError::into_inner);
            if bucket.minute.load(Relaxed) <= minute {
                bucket.sends.store(0, Relaxed);
                bucket.refusals.store(0, Relaxed);
                bucket.minute.store(minute + 1, Relaxed);
            }
        }
        bucket
    }
}

/// Whole minutes, rounded up.
pub(super) fn minutes(length: Duration) -> u64 {
    length.as_secs().div_ceil(MINUTE.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_older_than_the_window_does_not_count() {
        let window = Window::new(Duration::from_secs(15 * 60));
        for minute in 0..40 {
            window.send(minute);
        }
        window.refusal(39);
        assert_eq!(
            window.sums(39),
            Sums { sends: 17, refusals: 1 },
            "the minute that began, and 15"
        );
        assert_eq!(window.sums(50), Sums { sends: 6, refusals: 1 });
        assert_eq!(window.sums(54), Sums { sends: 2, refusals: 1 });
        assert_eq!(window.sums(55), Sums::default());
        window.send(55);
        assert_eq!(window.sums(55), Sums { sends: 1, refusals: 0 });
        window.clear();
        assert_eq!(window.sums(55), Sums::default());
        window.send(55);
        assert_eq!(window.sums(55), Sums { sends: 1, refusals: 0 });
    }

    #[test]
    fn many_threads_lose_no_count_within_a_minute() {
        let window = Window::new(MINUTE);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..10_000).for_each(|_| window.refusal(3)));
            }
        });
        assert_eq!(window.sums(3), Sums { sends: 40_000, refusals: 40_000 });
    }
}
