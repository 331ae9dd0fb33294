//! Replays the recorded exchanges against the real server and compares every answer.
//!
//! What is compared, and how the data files are kept, is told in `tests/data/README.md`.

use crate::world::{LogPosition, World};

use allowances::Allowances;
use hosts::Hosts;
use recording::{Case, Expected};
use replay::Replay;
use summary::Summary;

mod allowances;
mod comparison;
mod hosts;
mod recording;
mod replay;
mod states;
mod substitution;
mod summary;

/// Cases that are sent but not compared, with the reason.
const LEFT_OUT: [(&str, &str); 1] = [(
    "register.okemail.ipliteral",
    "it was recorded with a name service that finds `[127.0.0.1]`, which none does",
)];

/// What differs from the defaults: an answer waits for every push, so that a case alone decides what is
/// sent; a body that comes again is sent again; an e-mail address needs a mail exchanger, and more than ten users a plan, as in the reference.
const SETTINGS: &str = r#"
push.duplicate_window = "0"
push.answer_within = "10s"
registration.email_check = "mx"
entitlement = { policy = "user-limit", plans_url = "https://zulip.com/plans/" }
"#;

/// Where the project differs on purpose, whatever the settings are.
const DEVIATIONS: &str = "deviations.jsonl";

/// What the defaults make of the cases that the settings above are for.
const OF_THE_DEFAULTS: &str = "deviations-of-the-defaults.jsonl";

/// One address may ask and fail as often as it likes; hosts are on loopback, and help is where it was. What fails
/// is not tried again, as in the reference: a push would be taken for one of a later case.
const LIMITS: &str = r#"
push.retry_for = "0"
limits.ip.rate = "1000000/min"
limits.transfer.rate = "1000000/min"
limits.login.rate = "1000000/min"
outbound.permitted_networks = ["127.0.0.0/8"]
operator.contact = "ops@zulipref.test"
"#;

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_those_of_the_reference_or_allowed_to_differ() {
    replay(&format!("{LIMITS}{SETTINGS}"), &[DEVIATIONS]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_defaults_make_these_differences_and_no_others() {
    replay(LIMITS, &[DEVIATIONS, OF_THE_DEFAULTS]).await;
}

async fn replay(settings: &str, deviations: &[&str]) {
    let cases = recording::load();
    let allowances = Allowances::load(deviations);
    let world = World::start(settings).await;

    let hosts = Hosts::start(&world).await;
    let mut replay = Replay::new(&world, &hosts);
    let mut summary = Summary::default();
    for case in &cases {
        let recorded = Expected::recorded(case);
        let expected = allowances.expected(&case.id, &recorded).unwrap_or(&recorded);
        let outcome = replay.run(case, expected).await;
        if is_compared(case) {
            summary.note(case, &recorded, &allowances, &outcome);
        }
    }
    let left = world.pushes_since(&mut replay.position());
    summary.finish(&left);
    world.shutdown().await;
}

#[test]
fn the_data_files_fit_together() {
    let cases = recording::load();
    assert_eq!(cases.len(), 450, "no recorded exchange is lost");
    let compared: Vec<&Case> = cases.iter().filter(|case| is_compared(case)).collect();
    for file in [DEVIATIONS, OF_THE_DEFAULTS] {
        let faults = Allowances::load(&[file]).faults(&compared, &cases);
        assert!(faults.is_empty(), "{file}: {}", faults.join("\n"));
    }
    for (id, _) in LEFT_OUT {
        assert!(cases.iter().any(|case| case.id == id), "{id} is a case");
    }
}

fn is_compared(case: &Case) -> bool {
    LEFT_OUT.iter().all(|(id, _)| *id != case.id)
}

/// Where a replay that has not begun has read to.
fn nothing_read() -> LogPosition {
    LogPosition::default()
}
