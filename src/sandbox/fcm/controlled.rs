//! Google's service as the control port sees it.

use serde_json::{Value, json};

use super::{FcmRequest, World};
use crate::sandbox::{
    control::{Controlled, payload},
    counters::Counters,
    faults::Faults,
    request_log::Page,
};

impl Controlled for World {
    fn faults(&self) -> &Faults {
        &self.faults
    }

    fn counters(&self) -> Counters {
        self.counters.now()
    }

    fn streams(&self) -> u32 {
        *self.streams.borrow()
    }

    fn set_streams(&self, streams: Option<u32>) {
        self.streams.send_replace(streams.unwrap_or(self.first_streams));
    }

    fn reset(&self) {
        self.log.clear();
        self.counters.reset();
    }

    fn page(&self, after: u64, limit: usize) -> Page<Value> {
        let Page { entries, oldest } = self.log.page(after, limit);
        let entries = entries.into_iter().map(|(number, entry)| (number, describe(&entry)));
        Page { entries: entries.collect(), oldest }
    }
}

fn describe(request: &FcmRequest) -> Value {
    json!({
        "time_ms": request.time.unix_millis(),
        "connection": request.connection,
        "project_id": request.project_id,
        "token": request.token,
        "validate_only": request.validate_only,
        "payload": payload(&request.body),
        "status": request.status,
        "error_code": request.error_code,
        "is_accepted": request.is_accepted(),
        "is_answer_lost": request.is_answer_lost,
    })
}
