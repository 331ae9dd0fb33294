//! Many actors at once, until it is over.

use std::{
    net::SocketAddr,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use entities::{push_counts, remote_servers};
use push_bouncer::clock::Clock;
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};
use tokio::{task::JoinSet, time::Instant};
use uuid::Uuid;

use super::{Journal, actor::Actor};
use crate::world::{Fleet, Stage, until};

/// Actors from this number on are witnesses.
const WITNESSES: u64 = 1000;

/// Who asks, and how often.
#[derive(Clone)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    /// Actors who do everything.
    pub(crate) busy: u64,
    /// Actors who only send notifications to users that every node knows.
    pub(crate) steady: u64,
    /// Milliseconds between two requests of one actor.
    pub(crate) pace: Range<u64>,
    /// Actors become other chat servers after so many requests.
    pub(crate) requests_per_server: usize,
    /// Steady actors are always served, whatever happens.
    pub(crate) steady_are_served: bool,
}

impl Plan {
    /// The usual load.
    pub(crate) fn of(seed: u64) -> Self {
        Self {
            seed,
            busy: 4,
            steady: 3,
            pace: 10..40,
            requests_per_server: usize::MAX,
            steady_are_served: false,
        }
    }
}

/// Actors that ask.
pub(crate) struct Load {
    shared: Arc<Shared>,
    actors: JoinSet<Journal>,
    witnesses: Journal,
    written: Vec<Written>,
}

/// What came of a load.
pub(crate) struct Ended {
    pub(crate) journal: Journal,
    /// How often each node was killed.
    pub(super) runs: Vec<usize>,
    pub(super) written: Vec<Written>,
}

/// What a run of a node had taken by a moment was counted in the database.
pub(super) struct Written {
    pub(super) node: usize,
    pub(super) run: usize,
    pub(super) by: Instant,
}

/// What the actors and the one who disturbs them know of each other.
pub(super) struct Shared {
    pub(super) clock: Clock,
    pub(super) nodes: Vec<Place>,
    is_over: AtomicBool,
}

/// A node as the actors see it.
pub(super) struct Place {
    pub(super) address: SocketAddr,
    /// How often it was killed.
    pub(super) runs: AtomicUsize,
    /// Changes and notifications that it has acknowledged.
    pub(super) changes: AtomicUsize,
    pub(super) notifies: AtomicUsize,
}

impl Shared {
    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }
}

impl Load {
    /// All actors register, and begin.
    pub(crate) async fn begin(stage: &Stage, fleet: &Fleet, plan: &Plan) -> Self {
        let place = |address| Place {
            address,
            runs: AtomicUsize::default(),
            changes: AtomicUsize::default(),
            notifies: AtomicUsize::default(),
        };
        let shared = Arc::new(Shared {
            clock: stage.clock.clone(),
            nodes: fleet.iter().map(|node| place(node.address)).collect(),
            is_over: AtomicBool::new(false),
        });
        let (actors, witnesses) = (JoinSet::new(), Journal::default());
        let mut load = Self { shared, actors, witnesses, written: Vec::new() };
        let all: Vec<usize> = (0..fleet.len()).collect();
        for number in 0..plan.busy + plan.steady {
            let mut actor = Actor::settle(stage, &load.shared, plan, number, &all).await;
            let (is_busy, is_served) = (number < plan.busy, plan.steady_are_served);
            load.actors.spawn(async move {
                actor.act(is_busy, is_served && !is_busy).await;
                actor.into_journal()
            });
        }
        load
    }

    /// Waits until each of these nodes has acknowledged so many further changes, and then notifications.
    pub(crate) async fn until_work(&self, nodes: &[usize], more: usize) {
        for node in nodes {
            self.until_changes(*node, more).await;
            self.until_notifies(*node, more).await;
        }
    }

    /// Waits until a node has acknowledged so many further changes.
    pub(crate) async fn until_changes(&self, node: usize, more: usize) {
        until_more("changes are acknowledged", &self.shared.nodes[node].changes, more).await;
    }

    /// Waits until a node has taken so many further notifications.
    pub(crate) async fn until_notifies(&self, node: usize, more: usize) {
        until_more("notifications are taken", &self.shared.nodes[node].notifies, more).await;
    }

    /// Waits until a node has written all that it has counted by now: a chat server that only this node knows is
    /// counted last.
    pub(crate) async fn until_written(&mut self, stage: &Stage, node: usize) {
        let (by, run) = (Instant::now(), self.shared.nodes[node].runs.load(Ordering::SeqCst));
        let number = WITNESSES + self.written.len() as u64;
        let plan = Plan { busy: 0, steady: 0, ..Plan::of(number) };
        let witness = Actor::settle(stage, &self.shared, &plan, number, &[node]).await;
        let database = stage.database().await;
        let uuid = Uuid::parse_str(witness.id()).unwrap();
        let server = remote_servers::Entity::find().filter(remote_servers::Column::Uuid.eq(uuid));
        let id = server.one(&database).await.unwrap().unwrap().id;
        let counts = push_counts::Entity::find().filter(push_counts::Column::ServerId.eq(id));
        until("the node has written its counts", async || {
            let rows = counts.clone().all(&database).await.unwrap();
            rows.iter().any(|row| row.received > 0).then_some(())
        })
        .await;
        database.close().await.unwrap();
        self.witnesses.add(witness.into_journal());
        self.written.push(Written { node, run, by });
    }

    /// Kills a node with SIGKILL.
    pub(crate) fn kill(&self, fleet: &mut Fleet, node: usize) {
        self.shared.nodes[node].runs.fetch_add(1, Ordering::SeqCst);
        fleet.kill(node);
    }

    /// Lets all actors come to an end.
    pub(crate) async fn end(mut self) -> Ended {
        self.shared.is_over.store(true, Ordering::SeqCst);
        let mut journal = self.witnesses;
        while let Some(noted) = self.actors.join_next().await {
            journal.add(noted.expect("an actor does not fail"));
        }
        let runs = self.shared.nodes.iter().map(|place| place.runs.load(Ordering::SeqCst));
        Ended { journal, runs: runs.collect(), written: self.written }
    }
}

async fn until_more(event: &str, count: &AtomicUsize, more: usize) {
    let before = count.load(Ordering::SeqCst);
    let is_there = async || (count.load(Ordering::SeqCst) >= before + more).then_some(());
    until(event, is_there).await;
}
