//! A pool by itself: when nothing may be sent any more, on a connection or at all.

use std::{pin::pin, sync::Arc, time::Duration};

use futures_util::{future::join_all, poll};
use http::Request;
use push_bouncer::{
    config::{Connections, OutboundConfig, ProxyConfig},
    domain::device::Provider,
    metrics::Metrics,
    names::Names,
    outbound::{Body, DialError, Origin, Patience, Pool, PoolSettings, Reply, SendError, Way},
    random::Random,
    sandbox::authority::Authority,
};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use tokio::time::{Instant, sleep, sleep_until};

use super::peer::{Line, Peer, REFUSED_STREAM};
use crate::world::until;

/// Longer than anything here takes that happens at all.
const LONG: Duration = Duration::from_secs(10);

/// What a request gets that nobody answers.
const SHORT: Duration = Duration::from_millis(100);

/// A peer that takes `streams` requests at once, whom it trusts, and a pool of one connection to it.
struct Pair {
    peer: Peer,
    pool: Pool,
    authority: Authority,
}

impl Pair {
    async fn new(
        streams: u32,
        script: impl Fn(&Arc<Line>, u32, usize) + Send + Sync + 'static,
    ) -> Self {
        let authority = Authority::new().unwrap();
        let tls = authority.server_config(&["127.0.0.1"], &[b"h2"]).unwrap();
        let peer = Peer::start(tls, streams, script).await;
        let origin = Origin::parse(&format!("https://{}", peer.address)).unwrap();
        let names = Names::new(&["127.0.0.1:53".parse().unwrap()]).unwrap();
        let proxy = ProxyConfig { url: Some(String::new()), ..ProxyConfig::default() };
        let way = Way::new(names, Random::default(), &proxy).unwrap();
        let config = OutboundConfig { ping_interval: SHORT, ..OutboundConfig::default() };
        let settings = PoolSettings::new(Connections(1), &config, true);
        let metrics = Metrics::default().connections_of(Provider::Apns);
        let pool = Pool::new(origin, trusting(Some(&authority)), way, settings, metrics);
        Self { peer, pool, authority }
    }

    async fn send_with(
        &self,
        start_by: Instant,
        answer_within: Duration,
    ) -> Result<Reply, SendError> {
        let request = Request::post(format!("{}/", self.pool.origin())).body(()).unwrap();
        let patience = Patience { start_by, answer_within };
        self.pool.send(1, &request, &Body::default(), patience).await
    }

    async fn send(&self) -> Result<Reply, SendError> {
        self.send_with(Instant::now() + LONG, LONG).await
    }

    async fn until_arrived(&self, requests: usize) {
        until("the request arrives", async || (self.peer.arrived() == requests).then_some(()))
            .await;
    }

    /// How many requests arrived on each connection.
    fn arrived(&self) -> Vec<usize> {
        self.peer.lines().iter().map(|line| line.seen().heads.len()).collect()
    }

    /// Answers the only request that is under way on the first connection.
    fn answer(&self) {
        let line = Arc::clone(&self.peer.lines()[0]);
        let open = line.seen().open;
        assert_eq!(open.len(), 1);
        line.answer(open[0]);
    }
}

/// Trusts this authority, or nobody.
fn trusting(authority: Option<&Authority>) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    if let Some(authority) = authority {
        roots.add(authority.certificate_der().clone()).unwrap();
    }
    let mut tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    tls.alpn_protocols = vec![b"h2".to_vec()];
    Arc::new(tls)
}

/// Answers all but the second request on the first connection.
fn all_but_the_second(line: &Arc<Line>, stream: u32, number: usize) {
    if (line.number, number) != (1, 2) {
        line.answer(stream);
    }
}

#[tokio::test]
async fn what_gets_its_place_when_its_deadline_is_over_is_not_sent() {
    let pair = Pair::new(1, all_but_the_second).await;
    pair.send().await.unwrap();
    let mut first = pin!(pair.send());
    assert!(poll!(&mut first).is_pending());
    pair.until_arrived(2).await;
    let deadline = Instant::now() + SHORT;
    let mut late = pin!(pair.send_with(deadline, LONG));
    assert!(poll!(&mut late).is_pending());

    // The place is handed over, and who waited for it does not get to run before its time is over.
    pair.answer();
    first.await.unwrap();
    sleep_until(deadline).await;
    let error = late.await.err().expect("its time is over");

    assert!(matches!(error, SendError::Crowded), "nothing was sent: {error:?}");
    pair.send().await.expect("the place is free again");
    assert_eq!(pair.arrived(), [3]);
}

#[tokio::test]
async fn who_gives_up_when_its_place_is_handed_over_leaves_it_to_the_next() {
    let pair = Pair::new(1, all_but_the_second).await;
    pair.send().await.unwrap();
    let mut first = pin!(pair.send());
    assert!(poll!(&mut first).is_pending());
    pair.until_arrived(2).await;
    let mut second = Box::pin(pair.send());
    assert!(poll!(&mut second).is_pending());
    let mut third = pin!(pair.send());
    assert!(poll!(&mut third).is_pending());

    pair.answer();
    first.await.unwrap();
    drop(second);

    third.await.expect("the place was handed on");
    pair.send().await.expect("and given back");
    assert_eq!(pair.arrived(), [4]);
}

#[tokio::test]
async fn a_refused_stream_is_no_answer_after_which_a_fresh_connection_takes_more() {
    let pair = Pair::new(100, |line, stream, number| match number {
        1 => line.reset(stream, REFUSED_STREAM),
        2 => {}
        _ => line.answer(stream),
    })
    .await;
    let mut first = pin!(pair.send());
    tokio::select! {
        _ = &mut first => panic!("nobody answered"),
        () = pair.until_arrived(2) => {}
    }
    let mut second = pin!(pair.send());
    assert!(poll!(&mut second).is_pending());
    // If it were sent it would be here by now.
    sleep(SHORT).await;
    assert_eq!(pair.arrived(), [2]);
    pair.answer();
    first.await.unwrap();
    second.await.unwrap();
    assert_eq!(pair.arrived(), [3]);
}

#[tokio::test]
async fn who_answers_pings_and_no_request_is_left_after_five_of_them() {
    let pair = Pair::new(100, |line, stream, number| {
        if line.number > 1 || matches!(number, 1 | 6) {
            line.answer(stream);
        }
    })
    .await;
    let swallowed = async || pair.send_with(Instant::now() + LONG, SHORT).await.err();
    pair.send().await.unwrap();
    for _ in 0..4 {
        assert!(matches!(swallowed().await, Some(SendError::Deadline)));
    }
    pair.send().await.expect("the connection is as good as before");
    for _ in 0..4 {
        assert!(matches!(swallowed().await, Some(SendError::Deadline)));
    }
    assert!(pair.peer.lines()[0].seen().pings > 0, "PINGs are answered meanwhile");
    assert_eq!(pair.arrived(), [10], "four in a row may be chance");
    assert!(matches!(swallowed().await, Some(SendError::Deadline)));

    until("another one is opened", async || (pair.peer.lines().len() == 2).then_some(())).await;
    pair.send().await.unwrap();
    assert_eq!(pair.arrived(), [11, 1]);
    let first = Arc::clone(&pair.peer.lines()[0]);
    until("the first one is closed", async || first.is_closed().then_some(())).await;
}

#[tokio::test]
async fn hundreds_of_requests_without_an_answer_on_one_connection_are_told_one_by_one() {
    // More than fit into a byte.
    const REQUESTS: usize = 300;
    let pair = Pair::new(500, |line, stream, number| {
        if number == 1 {
            line.answer(stream);
        }
    })
    .await;
    pair.send().await.unwrap();
    let sending = (0..REQUESTS).map(|_| pair.send_with(Instant::now() + LONG, SHORT));
    for sent in join_all(sending).await {
        assert!(matches!(sent, Err(SendError::Deadline)));
    }
}

#[tokio::test]
async fn retired_connections_end_what_is_under_way_and_take_nothing_new() {
    let pair = Pair::new(100, all_but_the_second).await;
    pair.send().await.unwrap();
    let mut under_way = pin!(pair.send());
    assert!(poll!(&mut under_way).is_pending());
    pair.until_arrived(2).await;

    pair.pool.retire_all();

    pair.send().await.unwrap();
    pair.send().await.unwrap();
    assert_eq!(pair.arrived(), [2, 2]);
    let first = Arc::clone(&pair.peer.lines()[0]);
    assert!(!first.is_closed());
    pair.answer();
    under_way.await.expect("it was under way before");
    until("the first one is closed", async || first.is_closed().then_some(())).await;
    assert_eq!(pair.peer.lines().len(), 2);
}

#[tokio::test]
async fn a_connection_that_is_being_opened_when_all_are_retired_is_not_used() {
    let pair = Pair::new(100, |line, stream, _| line.answer(stream)).await;
    let door = pair.peer.close_the_door().await;
    let mut first = pin!(pair.send());
    assert!(poll!(&mut first).is_pending());
    until("it is being opened", async || (pair.peer.lines().len() == 1).then_some(())).await;

    pair.pool.retire_all();
    drop(door);

    first.await.unwrap();
    assert_eq!(pair.arrived(), [0, 1]);
}

#[tokio::test]
async fn after_a_change_of_identity_all_connections_are_made_anew() {
    let pair = Pair::new(100, all_but_the_second).await;
    pair.send().await.unwrap();
    let mut under_way = pin!(pair.send());
    assert!(poll!(&mut under_way).is_pending());
    pair.until_arrived(2).await;

    pair.pool.replace_tls(trusting(None));

    let error = pair.send().await.err().expect("nobody is trusted now");
    assert!(matches!(error, SendError::Dial(DialError::Tls(_))), "{error:?}");
    pair.answer();
    under_way.await.expect("it was under way before");
    pair.pool.replace_tls(trusting(Some(&pair.authority)));
    // After the failures before there is a pause.
    until("it is trusted again", async || pair.send().await.ok()).await;
    let arrived = pair.arrived();
    assert_eq!((arrived[0], arrived.iter().sum::<usize>()), (2, 3), "{arrived:?}");
}
