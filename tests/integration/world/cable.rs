//! The cable to the database: another address for the PostgreSQL server, which can be cut or fall silent.

use std::{
    io,
    str::FromStr as _,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use sea_orm::sqlx::{
    ConnectOptions as _,
    postgres::{PgConnectOptions, PgSslMode},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

use super::Stage;

/// What a client says to hear announcements.
const LISTEN: &[u8] = b"LISTEN";

/// A running cable; its connections end when this is dropped.
pub(crate) struct Cable {
    url: String,
    state: watch::Sender<State>,
    task: JoinHandle<()>,
}

/// Connections are numbered from 1 on.
#[derive(Clone, Copy, Default)]
struct State {
    taken: u64,
    /// New connections are ended at once.
    is_cut: bool,
    /// Nothing moves.
    is_silent: bool,
    /// Connections up to this number are ended.
    ended: u64,
    /// On connections up to this number nothing ever moves again.
    lost: u64,
    /// The same two for connections on which announcements are heard.
    ended_listeners: u64,
    lost_listeners: u64,
}

/// One connection.
#[derive(Clone)]
struct Connection {
    number: u64,
    listens: Arc<AtomicBool>,
}

impl Connection {
    fn is_up_to(&self, all: u64, listeners: u64) -> bool {
        self.number <= all || (self.number <= listeners && self.listens.load(Ordering::SeqCst))
    }

    fn is_ended(&self, state: &State) -> bool {
        self.is_up_to(state.ended, state.ended_listeners)
    }

    fn moves(&self, state: &State) -> bool {
        !state.is_silent && !self.is_up_to(state.lost, state.lost_listeners)
    }
}

impl Cable {
    /// A cable to the stage's database; none where that is a file.
    pub(crate) async fn to_database_of(stage: &Stage) -> Option<Self> {
        let url = stage.database.url()?;
        let options = PgConnectOptions::from_str(url).expect("the URL was used before");
        let target = format!("{}:{}", options.get_host(), options.get_port());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let near = listener.local_addr().expect("it is bound");
        // What is said on it must be readable here.
        let options = options.host("127.0.0.1").port(near.port()).ssl_mode(PgSslMode::Disable);
        let url = options.to_url_lossy().to_string();
        let state = watch::Sender::<State>::default();
        let task = tokio::spawn(serve(listener, target, state.clone()));
        Some(Self { url, state, task })
    }

    /// The configuration of the stage, with the database at the end of this cable.
    pub(crate) fn config(&self, stage: &Stage, settings: &str) -> String {
        let direct = stage.database.url().expect("it is PostgreSQL");
        let config = stage.surroundings.config();
        assert!(config.contains(&format!("{direct:?}")));
        format!(
            "{}{settings}\n",
            config.replace(&format!("{direct:?}"), &format!("{:?}", self.url))
        )
    }

    /// Ends all connections, and lets none through.
    pub(crate) fn cut(&self) {
        self.change(|state| {
            state.is_cut = true;
            state.ended = state.taken;
        });
    }

    /// Lets nothing through; nobody is told.
    pub(crate) fn silence(&self) {
        self.change(|state| state.is_silent = true);
    }

    /// Lets everything through again, also what was held back.
    pub(crate) fn restore(&self) {
        self.change(|state| (state.is_cut, state.is_silent) = (false, false));
    }

    /// Lets new connections through; the others stay silent for ever, as where another machine takes over.
    pub(crate) fn replace(&self) {
        self.change(|state| {
            (state.is_cut, state.is_silent) = (false, false);
            state.lost = state.taken;
        });
    }

    /// Ends the connections on which announcements are heard.
    pub(crate) fn cut_listeners(&self) {
        self.change(|state| state.ended_listeners = state.taken);
    }

    /// Lets nothing through any more on the connections on which announcements are heard.
    pub(crate) fn silence_listeners(&self) {
        self.change(|state| state.lost_listeners = state.taken);
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        self.state.send_modify(change);
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        self.task.abort();
        self.cut();
    }
}

async fn serve(listener: TcpListener, target: String, state: watch::Sender<State>) {
    while let Ok((near, _)) = listener.accept().await {
        let mut number = 0;
        state.send_modify(|state| {
            state.taken += 1;
            number = state.taken;
            if state.is_cut {
                state.ended = number;
            }
        });
        let connection = Connection { number, listens: Arc::default() };
        tokio::spawn(lead(near, target.clone(), connection, state.subscribe()));
    }
}

/// Leads one connection to its target, until one of them ends it or the cable is cut.
async fn lead(
    near: TcpStream,
    target: String,
    connection: Connection,
    state: watch::Receiver<State>,
) {
    let mut end = state.clone();
    let leading = async {
        let far = TcpStream::connect(target).await?;
        let (mut near, mut far) = (near.into_split(), far.into_split());
        tokio::select! {
            done = carry(&mut near.0, &mut far.1, &connection, state.clone(), true) => done,
            done = carry(&mut far.0, &mut near.1, &connection, state, false) => done,
        }
    };
    tokio::select! {
        biased;
        _ = end.wait_for(|state| connection.is_ended(state)) => {}
        _ = leading => {}
    }
}

async fn carry(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    connection: &Connection,
    mut state: watch::Receiver<State>,
    is_client: bool,
) -> io::Result<()> {
    let mut bytes = vec![0; 16 * 1024];
    loop {
        let length = from.read(&mut bytes).await?;
        if length == 0 {
            return Ok(());
        }
        let said = &bytes[..length];
        if is_client && said.windows(LISTEN.len()).any(|word| word == LISTEN) {
            connection.listens.store(true, Ordering::SeqCst);
        }
        let moves = state.wait_for(|state| connection.moves(state)).await;
        drop(moves.map_err(io::Error::other)?);
        to.write_all(said).await?;
    }
}
