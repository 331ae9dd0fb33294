//! Answers of which only the head arrives.

use std::sync::Arc;

use super::{
    beside, numbered,
    peer::{INTERNAL_ERROR, Line},
};
use crate::world::{IAGO, Phone, until};

/// Less than what an attempt may take: nobody is waited for that long.
const SETTINGS: &str =
    "apns.sandbox.attempt_timeout = \"1s\"\nfcm.sandbox.attempt_timeout = \"1s\"\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_push_that_was_accepted_is_not_sent_again_when_the_body_does_not_end() {
    each_is_sent_once(|_, _| {}).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_that_was_accepted_is_not_sent_again_when_the_body_is_cut() {
    each_is_sent_once(|line, stream| line.reset(stream, INTERNAL_ERROR)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_that_was_accepted_is_not_sent_again_when_the_connection_ends() {
    each_is_sent_once(|line, _| line.close()).await;
}

/// Both services answer 200 and the beginning of a body; what comes then is up to the story.
async fn each_is_sent_once(then: impl Fn(&Arc<Line>, u32) + Send + Sync + 'static) {
    let (world, server, peer) = beside(SETTINGS, 100, move |line, stream, _| {
        line.begin_answer(stream);
        then(line, stream);
    })
    .await;
    server.register_phone(IAGO, &Phone::android("android")).await;
    server.notify(&numbered(0)).await;
    until("both pushes have an outcome", async || {
        (world.metric("push_bouncer_pushes_total", &[]).await >= 2.0).then_some(())
    })
    .await;
    let accepted = ["outcome=\"accepted\""];
    world.until_metric("push_bouncer_pushes_total", &accepted, 2.0).await;
    assert_eq!(peer.arrived(), 2, "each once");
    world.shutdown().await;
}
