//! A relay: another address for a server on 127.0.0.1, whose connections can be cut.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::Notify,
    task::JoinHandle,
};

/// A running relay; it and its connections end when this is dropped.
pub(super) struct Relay {
    taken: Arc<AtomicUsize>,
    cut: Arc<Notify>,
    task: JoinHandle<()>,
}

impl Relay {
    /// Leads from `address`, with the same port, to the server at `target`.
    pub(super) async fn start(address: Ipv4Addr, target: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((address, target.port())).await?;
        let (taken, cut) = (Arc::<AtomicUsize>::default(), Arc::<Notify>::default());
        let (counter, end) = (Arc::clone(&taken), Arc::clone(&cut));
        let task = tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                counter.fetch_add(1, Ordering::SeqCst);
                let end = Arc::clone(&end);
                tokio::spawn(async move {
                    let Ok(mut far) = TcpStream::connect(target).await else { return };
                    tokio::select! {
                        _ = copy_bidirectional(&mut near, &mut far) => {}
                        () = end.notified() => {}
                    }
                });
            }
        });
        Ok(Self { taken, cut, task })
    }

    /// How many connections it has taken.
    pub(super) fn taken(&self) -> usize {
        self.taken.load(Ordering::SeqCst)
    }

    /// Ends all connections; new ones are taken.
    pub(super) fn cut(&self) {
        self.cut.notify_waiters();
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
        self.cut();
    }
}
