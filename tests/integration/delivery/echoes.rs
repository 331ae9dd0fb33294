//! A push service may say back to us what we told it.

use h2::Reason;
use push_bouncer::sandbox::faults::Goaway;

use crate::world::{IAGO, Phone, Program, Registered, Stage, message, to, until};

#[tokio::test(flavor = "multi_thread")]
async fn what_a_goaway_says_beyond_known_words_is_not_logged_at_any_level() {
    let stage = Stage::set("log.level = \"trace\"\n").await;
    let program = Program::start(&stage).await;
    let server = stage.chat_server_of(program.address, "chat.selfhosted.test");
    assert_eq!(server.register().await, Registered::Created);
    let iphone = Phone::apple("an iphone");
    server.register_phone(IAGO, &iphone).await;
    for (number, reason) in [(1, &*iphone.token), (2, "Shutdown")] {
        let (code, reason) = (Reason::NO_ERROR, reason.to_owned());
        stage.surroundings.apns.faults().goaway(Goaway { at_stream: 1, code, reason, times: 1 });
        server.notify(&to(IAGO, message())).await;
        until("the connection is left", async || {
            (program.log_about("provider.goaway").len() == number).then_some(())
        })
        .await;
    }
    program.terminate();
    let (_, log) = program.end_with_log().await;
    let told: Vec<_> = log.iter().filter(|line| line["event"] == "provider.goaway").collect();
    assert_eq!((&told[0]["reason"], &told[1]["reason"]), (&().into(), &"Shutdown".into()));
    assert!(told[0]["said_bytes"].as_u64() > Some(9 * 2), "{:?}", told[0]);
    for line in &log {
        assert!(!line.to_string().contains(&iphone.token), "{} logs a token", line["target"]);
    }
    stage.drop_database().await;
}
