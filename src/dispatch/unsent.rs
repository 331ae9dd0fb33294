//! Pushes that nobody sends; they are counted like all others.

use super::Dispatcher;
use crate::{
    domain::device::Provider,
    metrics::{PushLabels, PushOutcome},
};

impl Dispatcher {
    /// Counts a push of a notification that is not sent.
    pub(super) fn is_unsent(&self, provider: Provider, outcome: PushOutcome) {
        let labels = PushLabels { provider, app: "none".to_owned(), outcome };
        self.shared.metrics.pushes.get_or_create(&labels).inc();
    }
}
