//! The faults: of single requests by a script, and of whole services for a while.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use h2::Reason;
use push_bouncer::sandbox::faults::{Act, Faults, Goaway, Outage, Script, Seen, TokenOutage};
use tokio::time::sleep;

use super::{
    journal::{Journal, Journals},
    plan::Plan,
};
use crate::world::{Chance, Kind, World};

/// An answer that takes so long is too late for a bouncer whose answers may be lost.
pub(super) const LATE: Duration = Duration::from_millis(450);

/// A token for Apple serves for so long.
const NEXT_TOKEN: Duration = Duration::from_secs(25 * 60);

/// Streams of the fakes at first.
const STREAMS: [u32; 2] = [1000, 100];

/// Begins to ask the script about each request.
pub(super) fn begin(world: &World, plan: Plan, journals: &Journals) {
    for (kind, faults, journal) in services(world, journals) {
        faults.set_script(Some(script(kind, plan, journal.clone())));
    }
}

fn services<'a>(world: &World, journals: &'a Journals) -> [(Kind, Faults, &'a Journal); 2] {
    let surroundings = &world.surroundings;
    [
        (Kind::Apns, surroundings.apns.faults(), &journals.apns),
        (Kind::Fcm, surroundings.fcm.faults(), &journals.fcm),
    ]
}

fn script(kind: Kind, plan: Plan, journal: Journal) -> Script {
    Arc::new(move |seen: &Seen| {
        let service = match kind {
            Kind::Apns => 1 << 40,
            Kind::Fcm => 2 << 40,
        };
        let mut chance = Chance::of(plan.seed, service | seen.number);
        let act = act(kind, plan, &mut chance);
        journal.note(seen, &act);
        act
    })
}

/// What happens to a request.
fn act(kind: Kind, plan: Plan, chance: &mut Chance) -> Act {
    let refusals: &[&str] = match kind {
        Kind::Apns => &["TooManyRequests", "InternalServerError", "Shutdown"],
        Kind::Fcm => &["INTERNAL", "QUOTA_EXCEEDED", "INTERNAL"],
    };
    let codes = [Reason::CANCEL, Reason::INTERNAL_ERROR];
    match chance.below(1000) {
        0..30 => Act::Refuse(chance.one(refusals).to_owned()),
        30..60 => Act::Reset { code: Reason::REFUSED_STREAM, is_accepted: false },
        60..80 => Act::Reset { code: chance.one(&codes), is_accepted: false },
        80..90 => {
            let reason = chance.one(&["", "Shutdown"]).to_owned();
            Act::Goaway { code: Reason::NO_ERROR, reason }
        }
        90..200 => Act::AnswerAfter(chance.millis(0..120)),
        200..300 if plan.are_answers_lost => lose(chance),
        _ => Act::Answer,
    }
}

/// A fault that may cost an answer.
fn lose(chance: &mut Chance) -> Act {
    match chance.below(100) {
        0..34 => {
            let code = chance.one(&[Reason::CANCEL, Reason::INTERNAL_ERROR]);
            Act::Reset { code, is_accepted: true }
        }
        // Each costs all answers that are under way on the connection.
        34..37 => Act::Cut { is_accepted: false },
        37..40 => Act::Cut { is_accepted: true },
        40..60 => Act::Swallow,
        60..85 => Act::AnswerAfter(LATE + chance.millis(0..800)),
        _ => Act::AnswerAfter(chance.millis(100..400)),
    }
}

/// Moves the clock until it is over: much happens in little time.
pub(super) async fn hurry(world: &World, is_over: &AtomicBool) {
    while !is_over.load(Ordering::Relaxed) {
        sleep(Duration::from_millis(50)).await;
        world.clock.advance(Duration::from_secs(1));
    }
}

/// Changes the weather until it is over.
pub(super) async fn change(world: &World, plan: Plan, journals: &Journals, is_over: &AtomicBool) {
    let mut chance = Chance::of(plan.seed, 2);
    let mut is_calm_said = false;
    while !is_over.load(Ordering::Relaxed) {
        sleep(chance.millis(50..350)).await;
        let (kind, faults, journal) = {
            let [apns, fcm] = services(world, journals);
            if chance.per_mille(500) { apns } else { fcm }
        };
        let lasts = chance.millis(50..500);
        let count = |name| journal.notes().count(name);
        match chance.below(100) {
            0..12 => {
                count("outage 503");
                let retry_after = chance.below(20);
                if chance.per_mille(500) {
                    count("retry-after");
                    faults.set_retry_after(Some(Duration::from_secs(retry_after)));
                }
                faults.set_outage(Some(Outage::ServiceUnavailable));
                sleep(lasts).await;
                faults.set_outage(None);
                faults.set_retry_after(None);
            }
            12..20 => {
                count("outage 500");
                faults.set_outage(Some(Outage::InternalServerError));
                sleep(lasts).await;
                faults.set_outage(None);
            }
            20..28 => {
                count("no connections");
                faults.set_outage(Some(Outage::Refuse));
                sleep(lasts).await;
                faults.set_outage(None);
            }
            28..40 => {
                // Once: after it little is sent for a minute, which no clock of a test shortens.
                let is_calm_due =
                    chance.per_mille(200) && !std::mem::replace(&mut is_calm_said, true);
                count(if is_calm_due { "call for calm" } else { "goaway at a stream" });
                faults.goaway(Goaway {
                    at_stream: u32::try_from(chance.below(40)).expect("it is small"),
                    code: if is_calm_due { Reason::ENHANCE_YOUR_CALM } else { Reason::NO_ERROR },
                    reason: String::new(),
                    times: u32::try_from(1 + chance.below(3)).expect("it is small"),
                });
            }
            40..50 if plan.is_limit_moved => {
                count("fewer streams");
                let lower = chance.one(&[1, 1, 2, 10]);
                journal.notes().falls += 1;
                set_streams(world, kind, lower);
                sleep(lasts).await;
                set_streams(world, kind, chance.one(&[50, 100, 500]));
            }
            50..56 if kind == Kind::Fcm => {
                count("expired tokens");
                faults.expire_tokens();
            }
            50..56 => {
                // Apple's token of this step of the clock is the only one there is: the next step comes.
                count("next token");
                world.clock.advance(NEXT_TOKEN);
            }
            56..62 if kind == Kind::Fcm => {
                count("token endpoint");
                let slow = TokenOutage::Slow(Duration::from_millis(100));
                faults.set_token_outage(Some(chance.one(&[slow, TokenOutage::Unavailable])));
                faults.expire_tokens();
                sleep(lasts).await;
                faults.set_token_outage(None);
            }
            62..75 if plan.are_answers_lost => {
                count("connections closed");
                journal.notes().breaks.push(Instant::now());
                faults.close_connections();
            }
            75..85 if plan.are_answers_lost => {
                count("silence");
                let began = Instant::now();
                faults.set_outage(Some(Outage::Silence));
                sleep(lasts).await;
                faults.set_outage(None);
                journal.notes().silences.push((began, Instant::now()));
            }
            _ => sleep(lasts).await,
        }
    }
}

fn set_streams(world: &World, kind: Kind, streams: u32) {
    match kind {
        Kind::Apns => world.surroundings.apns.set_streams(streams),
        Kind::Fcm => world.surroundings.fcm.set_streams(streams),
    }
}

/// Ends all faults.
pub(super) fn clear(world: &World) {
    for (kind, streams) in [Kind::Apns, Kind::Fcm].into_iter().zip(STREAMS) {
        set_streams(world, kind, streams);
    }
    world.surroundings.apns.faults().clear();
    world.surroundings.fcm.faults().clear();
}
