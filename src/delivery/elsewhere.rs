//! What other nodes know of the pushes of a notification, before the first of them is sent.

use std::{iter, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt as _;
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Instant, sleep},
};

use super::{
    Shared,
    duplicates::{Beginning, Claim, Found, Verdict},
    parcel::Parcel,
};
use crate::{
    metrics::{ClaimAnswer, ClaimLabels, RetryCause},
    shared_state::{BEAT, NODE_LIFE},
};

/// A node that lives is heard of between two questions.
const ASK_AGAIN: Duration = BEAT.saturating_add(Duration::from_millis(250));

/// By then a node that is not heard of counts as dead.
const LONGEST_DOUBT: Duration = NODE_LIFE.saturating_add(ASK_AGAIN);

/// A push of which another node said that it is trying it: nothing is known of it if that node has just died.
struct Doubtful {
    parcel: Box<Parcel>,
    claim: Claim,
}

impl Shared {
    /// Claims the parcels of a notification: those that this node is to send at once. The others end here, or when it is
    /// known that the node lives which is trying them; if it does not, they are sent then. Where nobody can be
    /// asked, all are sent: to lose none is worth more than to double none.
    #[expect(
        clippy::vec_box,
        reason = "a parcel is boxed for its whole life: it goes from here to the store"
    )]
    pub(super) async fn not_elsewhere(
        self: &Arc<Self>,
        parcels: Vec<Box<Parcel>>,
        found: &Found,
        claims: Vec<Claim>,
    ) -> Vec<Box<Parcel>> {
        let verdicts = self.verdicts(found, &claims).await;
        let asked = Instant::now();
        let is_doubtful =
            |verdict: &&Verdict| matches!(verdict, Verdict::Tried { heard: Some(_), .. });
        let room = match verdicts.iter().filter(is_doubtful).count() {
            0 => None,
            pushes => self.duplicates.doubt(pushes),
        };
        let mut doubtful = Vec::new();
        let mut free = Vec::new();
        for ((mut parcel, claim), verdict) in parcels.into_iter().zip(claims).zip(verdicts) {
            match verdict {
                Verdict::Tried { id, heard: Some(_) } if room.is_some() => {
                    // What it is sent as where nobody can be asked any more.
                    (parcel.id, parcel.may_have_arrived) = (id, Some(RetryCause::Interrupted));
                    doubtful.push(Doubtful { parcel, claim });
                }
                verdict => free.extend(self.judged(parcel, found, verdict)),
            }
        }
        if let Some(room) = room {
            tokio::spawn(Arc::clone(self).settle(doubtful, found.clone(), asked, room));
        }
        free
    }

    /// Asks again until it is known whether the node lives that is trying a push.
    async fn settle(
        self: Arc<Self>,
        mut doubtful: Vec<Doubtful>,
        found: Found,
        asked: Instant,
        _room: OwnedSemaphorePermit,
    ) {
        while !doubtful.is_empty() {
            // Cut, nobody can be asked any more.
            let _ = self.unless_cut(sleep(ASK_AGAIN)).await;
            let since = asked.elapsed();
            let (parcels, claims): (Vec<_>, Vec<_>) =
                doubtful.into_iter().map(|Doubtful { parcel, claim }| (parcel, claim)).unzip();
            let verdicts = self.verdicts(&found, &claims).await;
            doubtful = Vec::new();
            let mut free = Vec::new();
            for ((parcel, claim), verdict) in parcels.into_iter().zip(claims).zip(verdicts) {
                match verdict {
                    Verdict::Tried { heard: Some(heard), .. }
                        if heard >= since && since < LONGEST_DOUBT =>
                    {
                        doubtful.push(Doubtful { parcel, claim });
                    }
                    verdict => free.extend(self.judged(parcel, &found, verdict)),
                }
            }
            tokio::spawn(Arc::clone(&self).begin_all(free));
        }
    }

    /// What other nodes know of each; of none nothing is said at all.
    async fn verdicts(&self, found: &Found, claims: &[Claim]) -> Vec<Verdict> {
        // A fault of ours, which was logged where it happened, costs no push.
        let claiming = AssertUnwindSafe(self.duplicates.claim(found, claims)).catch_unwind();
        let verdicts = self.unless_cut(claiming).await;
        let verdicts = verdicts.and_then(Result::ok).unwrap_or_default();
        verdicts.into_iter().chain(iter::repeat(Verdict::Unknown)).take(claims.len()).collect()
    }

    /// The parcel, if it is to be sent.
    fn judged(
        &self,
        mut parcel: Box<Parcel>,
        found: &Found,
        verdict: Verdict,
    ) -> Option<Box<Parcel>> {
        let key = parcel.key();
        let devices = &found.devices;
        let (answer, beginning) = match verdict {
            Verdict::New(beginning) => (ClaimAnswer::New, Some(beginning)),
            Verdict::TakenOver(beginning) => (ClaimAnswer::TakenOver, Some(beginning)),
            Verdict::Accepted => {
                devices.end(key, true, None);
                (ClaimAnswer::Accepted, None)
            }
            Verdict::Tried { id, .. } => {
                devices.is_tried_elsewhere(key, id);
                (ClaimAnswer::Tried, None)
            }
            Verdict::Unknown => {
                let Parcel { id, may_have_arrived, .. } = *parcel;
                (ClaimAnswer::Unknown, Some(Beginning { id, may_have_arrived, is_again: false }))
            }
        };
        self.metrics.duplicate_claims.get_or_create(&ClaimLabels { answer }).inc();
        let Some(Beginning { id, may_have_arrived, .. }) = beginning else {
            self.is_repeated_after_all(&parcel);
            return None;
        };
        devices.is_called(key, id);
        (parcel.id, parcel.may_have_arrived) = (id, may_have_arrived);
        Some(parcel)
    }
}
