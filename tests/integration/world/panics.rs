//! Panics of the program, of which no test would hear otherwise: a task that panics just ends.

use std::{
    panic,
    sync::{Mutex, Once, PoisonError},
};

static PLACES: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// From now on they are noted; those of tests fail their test, and are left out.
pub(super) fn watch() {
    static BEGUN: Once = Once::new();
    BEGUN.call_once(|| {
        let report = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            let place = panic.location().map(ToString::to_string).unwrap_or_default();
            if !place.starts_with("tests/") {
                PLACES.lock().unwrap_or_else(PoisonError::into_inner).push(place);
            }
            // After it: to write the backtrace down takes longer than many a test.
            report(panic);
        }));
    });
}

/// Fails where there was one.
pub(super) fn assert_none() {
    let places = PLACES.lock().unwrap_or_else(PoisonError::into_inner).clone();
    assert!(places.is_empty(), "the program panicked at {places:?}");
}
