//! Apple's service as the control port sees it.

use serde_json::{Map, Value, json};

use super::{ApnsRequest, World};
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
        self.provider_tokens.reset();
    }

    fn page(&self, after: u64, limit: usize) -> Page<Value> {
        let Page { entries, oldest } = self.log.page(after, limit);
        let entries = entries.into_iter().map(|(number, entry)| (number, describe(&entry)));
        Page { entries: entries.collect(), oldest }
    }
}

fn describe(request: &ApnsRequest) -> Value {
    let headers: Map<String, Value> =
        request.headers().map(|(name, value)| (name.to_owned(), value.into())).collect();
    json!({
        "time_ms": request.time.unix_millis(),
        "connection": request.connection,
        "method": request.method.as_str(),
        "path": request.path(),
        "token": request.token(),
        "headers": headers,
        "payload": payload(&request.body),
        "status": request.status,
        "reason": request.reason,
        "is_accepted": request.is_accepted(),
        "is_answer_lost": request.is_answer_lost,
    })
}
