//! What reached the fake push services.

use serde::Deserialize;
use serde_json::Value;

use super::Stage;

/// Which push service a push went to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// Apple's.
    Apns,
    /// Google's.
    Fcm,
}

/// One request that reached a fake push service, as far as tests look at it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Push {
    /// The service.
    pub(crate) kind: Kind,
    /// The device's token.
    pub(crate) token: String,
    /// `apns-topic`; none for FCM.
    pub(crate) topic: Option<String>,
    /// Whether `apns-expiration` was there.
    pub(crate) expires: bool,
    /// The body.
    pub(crate) body: Value,
}

/// How much of the fakes' logs was read already.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LogPosition {
    apns: usize,
    fcm: usize,
}

impl Stage {
    /// What the push services received from the beginning.
    pub(crate) fn pushes(&self) -> Vec<Push> {
        self.pushes_since(&mut LogPosition::default())
    }

    /// The only push that a service received.
    pub(crate) fn only_push(&self, kind: Kind) -> Push {
        let mut pushes = self.pushes();
        pushes.retain(|push| push.kind == kind);
        assert_eq!(pushes.len(), 1, "one push to {kind:?}");
        pushes.remove(0)
    }

    /// How many pushes Apple's and Google's fakes received from the beginning.
    pub(crate) fn arrived(&self) -> (usize, usize) {
        (self.surroundings.apns.requests().len(), self.surroundings.fcm.requests().len())
    }

    /// What the push services received from `position` on; moves `position` behind it.
    pub(crate) fn pushes_since(&self, position: &mut LogPosition) -> Vec<Push> {
        let apns = self.surroundings.apns.requests();
        let fcm = self.surroundings.fcm.requests();
        let mut pushes = Vec::new();
        for request in apns.get(position.apns..).unwrap_or_default() {
            pushes.push(Push {
                kind: Kind::Apns,
                token: request.token().to_owned(),
                topic: request.header("apns-topic").map(str::to_owned),
                expires: request.header("apns-expiration").is_some(),
                body: json(&request.body),
            });
        }
        for request in fcm.get(position.fcm..).unwrap_or_default() {
            pushes.push(Push {
                kind: Kind::Fcm,
                token: request.token.clone(),
                topic: None,
                expires: false,
                body: json(&request.body),
            });
        }
        *position = LogPosition { apns: apns.len(), fcm: fcm.len() };
        pushes
    }
}

fn json(body: &[u8]) -> Value {
    serde_json::from_slice(body).expect("a push has a JSON body")
}
