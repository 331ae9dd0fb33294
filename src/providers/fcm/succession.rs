//! What serves, and what is to serve next.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::{ArcSwap, ArcSwapOption};

/// One that serves, and perhaps one that is to take its place once it can.
pub(super) struct Succession<T> {
    current: ArcSwap<T>,
    next: ArcSwapOption<T>,
    /// Held while the next one takes its place.
    changing: Mutex<()>,
}

impl<T> Succession<T> {
    pub(super) fn new(first: T) -> Self {
        Self {
            current: ArcSwap::from_pointee(first),
            next: ArcSwapOption::empty(),
            changing: Mutex::default(),
        }
    }

    /// The one that serves.
    pub(super) fn current(&self) -> Arc<T> {
        self.current.load_full()
    }

    /// The one that is to serve next.
    pub(super) fn next(&self) -> Option<Arc<T>> {
        self.next.load_full()
    }

    /// Names the next one, in place of any that was named before.
    pub(super) fn name_next(&self, next: T) {
        self.next.store(Some(Arc::new(next)));
    }

    /// Lets this one serve, if it is still the next one: whoever is late must not put it over one that came
    /// after it. Whether it serves now and no other is to come.
    pub(super) fn put_in_place(&self, next: &Arc<T>) -> bool {
        let is_it = |now: &Option<Arc<T>>| now.as_ref().is_some_and(|now| Arc::ptr_eq(now, next));
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        if !is_it(&self.next.load_full()) {
            return false;
        }
        self.current.store(Arc::clone(next));
        // Another one may have come meanwhile; that stays the next one.
        let before = self.next.compare_and_swap(&Some(Arc::clone(next)), None);
        is_it(&before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_late_does_not_put_an_old_one_over_a_newer_one() {
        let succession = Succession::new(0);
        succession.name_next(1);
        // Two saw that it is next; one of them is held up.
        let late = succession.next().unwrap();
        assert!(succession.put_in_place(&late));
        assert_eq!((*succession.current(), succession.next()), (1, None));
        succession.name_next(2);
        assert!(!succession.put_in_place(&late), "another one is next");
        assert_eq!((*succession.current(), succession.next().as_deref()), (1, Some(&2)));
        assert!(succession.put_in_place(&succession.next().unwrap()));
        assert!(!succession.put_in_place(&late));
        assert_eq!((*succession.current(), succession.next()), (2, None));
    }
}
