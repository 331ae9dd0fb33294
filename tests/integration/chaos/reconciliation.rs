//! What was acknowledged against what there is.

use std::collections::{HashMap, HashSet};

use entities::{devices, push_counts, remote_servers};
use push_bouncer::clock::Timestamp;
use sea_orm::EntityTrait as _;
use serde_json::Value;

use super::{
    journal::{Credentials, Notify, Standing},
    load::Ended,
    say,
};
use crate::world::{Client, Fleet, Stage, until, until_it_counts};

/// Pushes of one notification: its user has a phone of each kind.
const PHONES: usize = 2;

/// What a push service has seen of the messages: how often each was accepted, and which were refused.
#[derive(Default)]
struct Service {
    accepted: HashMap<i64, usize>,
    refused: HashSet<i64>,
}

impl Ended {
    /// Fails where something that was acknowledged is not so. The nodes are ended in between.
    pub(crate) async fn reconcile(&self, stage: &Stage, fleet: Fleet) {
        let journal = &self.journal;
        assert!(journal.untrue.is_empty(), "untrue answers: {:#?}", journal.untrue);
        self.everything_is_delivered(stage).await;
        let mut clients: Vec<Client> =
            fleet.iter().map(|node| stage.client_of(node.address)).collect();
        for server in &journal.servers {
            stands(&mut clients, server).await;
        }
        fleet.end().await;
        let lost = self.no_push_is_doubled_nor_lost(stage);
        let phones = self.phones_are_stored(stage).await;
        let uncounted = self.counts_add_up(stage).await;
        self.last_requests_are_known(stage).await;
        let taken = journal.notifies.iter().filter(|notify| notify.taken.is_some()).count();
        say(&format_args!(
            "{taken} of {} notifies taken, {lost} of their pushes lost, {uncounted} not counted; {phones} phones and {} \
             chat servers agree; {} answers 503, {} none",
            journal.notifies.len(),
            journal.servers.len(),
            journal.put_off,
            journal.unanswered
        ));
    }

    /// Whether the run that was asked has not been killed.
    fn has_survived(&self, notify: &Notify) -> bool {
        let of_node = self.runs[notify.node];
        notify.runs == (of_node, of_node)
    }

    async fn everything_is_delivered(&self, stage: &Stage) {
        let is_delivered = async || {
            let services = services(stage);
            let mut due = self.journal.notifies.iter();
            let is_all = due.all(|notify| {
                let is_due = notify.taken.is_some() && self.has_survived(notify);
                !is_due || services.iter().all(|it| it.accepted.contains_key(&notify.message))
            });
            is_all.then_some(())
        };
        until("what a node took that goes on is delivered", is_delivered).await;
    }

    /// How many pushes were taken and not delivered: those that waited in the memory of a node that was killed.
    fn no_push_is_doubled_nor_lost(&self, stage: &Stage) -> usize {
        let mut lost = 0;
        let known: HashSet<i64> = self.journal.notifies.iter().map(|it| it.message).collect();
        for service in services(stage) {
            for (message, times) in &service.accepted {
                assert_eq!(*times, 1, "message {message} was delivered more than once");
                assert!(known.contains(message), "message {message} was never sent");
            }
            let taken = self.journal.notifies.iter().filter(|notify| notify.taken.is_some());
            for notify in taken.filter(|it| !service.accepted.contains_key(&it.message)) {
                assert!(!self.has_survived(notify), "message {} is lost", notify.message);
                assert!(self.has_waited(notify, &service), "message {}", notify.message);
                lost += 1;
            }
        }
        lost
    }

    /// Whether a push waited in memory: it was refused, or an earlier one for the same phone was.
    fn has_waited(&self, lost: &Notify, service: &Service) -> bool {
        self.journal.notifies.iter().any(|notify| {
            notify.server == lost.server
                && notify.message <= lost.message
                // By the runs at their beginnings: an answer may be read when its run was killed already.
                && (notify.node, notify.runs.0) == (lost.node, lost.runs.0)
                && service.refused.contains(&notify.message)
        })
    }

    async fn phones_are_stored(&self, stage: &Stage) -> usize {
        let mut rows: HashMap<String, usize> = HashMap::new();
        let database = stage.database().await;
        for row in devices::Entity::find().all(&database).await.unwrap() {
            assert_eq!(row.gone_at, None, "no push service calls a phone gone");
            *rows.entry(row.token.0).or_default() += 1;
        }
        for (token, standing) in &self.journal.phones {
            let found = rows.remove(token).unwrap_or(0);
            match standing {
                Standing::Stored => assert_eq!(found, 1, "the phone {token} is registered"),
                Standing::Removed => assert_eq!(found, 0, "the phone {token} is unregistered"),
                Standing::Unknown => {
                    assert!(found <= 1, "the phone {token} is there {found} times");
                }
            }
        }
        assert!(rows.is_empty(), "nobody registered these: {rows:?}");
        self.journal.phones.len()
    }

    /// How many pushes nobody counted: of a node that was killed before it could write.
    async fn counts_add_up(&self, stage: &Stage) -> usize {
        let database = stage.database().await;
        let asked: HashSet<&str> =
            self.journal.notifies.iter().map(|notify| notify.server.as_str()).collect();
        let servers = remote_servers::Entity::find().all(&database).await.unwrap();
        let servers = servers.iter().filter(|row| asked.contains(row.uuid.to_string().as_str()));
        let servers: HashSet<i64> = servers.map(|row| row.id).collect();
        let rows = push_counts::Entity::find().all(&database).await.unwrap();
        let of_servers =
            rows.iter().filter(|row| row.remote_realm_id == 0 && servers.contains(&row.server_id));
        let received: i64 = of_servers.map(|row| row.received).sum();
        let received = usize::try_from(received).unwrap();
        let is_counted = |notify: &&Notify| {
            let is_written = self.written.iter().any(|written| {
                let is_its_run = (written.node, written.run) == (notify.node, notify.runs.1);
                is_its_run && notify.taken.is_some_and(|taken| taken < written.by)
            });
            notify.taken.is_some() && (self.has_survived(notify) || is_written)
        };
        let notifies = &self.journal.notifies;
        let least = PHONES * notifies.iter().filter(is_counted).count();
        let taken = PHONES * notifies.iter().filter(|notify| notify.taken.is_some()).count();
        let most = PHONES * notifies.len();
        assert!(received >= least, "{received} pushes are counted, {least} at least were written");
        assert!(received <= most, "{received} pushes are counted, {most} were asked for");
        taken.saturating_sub(received)
    }

    /// The last request of each chat server that a node heard which goes on.
    async fn last_requests_are_known(&self, stage: &Stage) {
        let rows = remote_servers::Entity::find().all(&stage.database().await).await.unwrap();
        let known: HashMap<String, Option<i64>> =
            rows.into_iter().map(|row| (row.uuid.to_string(), row.last_request_at)).collect();
        for server in &self.journal.servers {
            let heard = server.heard.iter().filter(|((node, run), _)| self.runs[*node] == *run);
            let Some(last) = heard.map(|(_, at)| *at).max() else { continue };
            let known = known[&server.id].map(Timestamp::from_unix_millis);
            assert!(known >= Some(last), "{}: heard at {last:?}, known is {known:?}", server.id);
        }
    }
}

/// Whether a chat server is known everywhere by the key that it knows, and by no other; or not at all.
async fn stands(clients: &mut [Client], server: &Credentials) {
    let Credentials { id, key, dead_key, is_active, .. } = server;
    for client in &mut *clients {
        match is_active {
            Standing::Stored => {
                assert_eq!(client.status_as(id, key).await.status, 200, "{id} is registered");
            }
            Standing::Removed => is_refused(client, id, key).await,
            Standing::Unknown => {}
        }
    }
    let (Standing::Stored, Some(dead)) = (is_active, dead_key) else { return };
    for client in clients {
        is_refused(client, id, dead).await;
    }
}

async fn is_refused(client: &mut Client, id: &str, key: &str) {
    let is_refused = async || (client.status_as(id, key).await.status == 401).then_some(());
    until_it_counts(&format!("{id} is refused by a key that is dead, or for ever"), is_refused)
        .await;
}

/// What Apple's and Google's have seen.
fn services(stage: &Stage) -> [Service; 2] {
    let mut all = [Service::default(), Service::default()];
    let mut note = |service: usize, message: i64, is_accepted: bool| {
        if is_accepted {
            *all[service].accepted.entry(message).or_default() += 1;
        } else {
            all[service].refused.insert(message);
        }
    };
    stage.surroundings.apns.for_each_request(|request| {
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        let message = body["zulip"]["message_ids"][0].as_i64().unwrap();
        note(0, message, request.is_accepted());
    });
    stage.surroundings.fcm.for_each_request(|request| {
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        let message = body["message"]["data"]["zulip_message_id"].as_str().unwrap();
        note(1, message.parse().unwrap(), request.is_accepted());
    });
    all
}
