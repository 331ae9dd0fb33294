//! One TCP connection to a host with several addresses, some of which may be dead.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use tokio::{
    net::TcpStream,
    time::{sleep, timeout},
};

/// The next address is tried beside one that has not answered in this time: "Connection Attempt Delay ...
/// 250 milliseconds", <https://www.rfc-editor.org/rfc/rfc8305#section-8>.
const HEAD_START: Duration = Duration::from_millis(250);

/// An address that has not answered in this time is dead.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(2);

/// The first connection to one of these addresses; the others are given up.
///
/// # Errors
///
/// When no address answers: what was wrong with the last one.
pub(super) async fn connect(addresses: &[IpAddr], port: u16) -> io::Result<TcpStream> {
    let mut waiting = addresses.iter().map(|address| SocketAddr::new(*address, port));
    let mut running = FuturesUnordered::new();
    let mut last = io::Error::new(io::ErrorKind::NotFound, "no address");
    loop {
        running.extend(waiting.next().map(attempt));
        tokio::select! {
            finished = running.next() => match finished {
                Some(Ok(stream)) => return Ok(stream),
                Some(Err(error)) => last = error,
                None => return Err(last),
            },
            () = sleep(HEAD_START), if waiting.len() > 0 => {}
        }
    }
}

async fn attempt(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = timeout(ATTEMPT_TIMEOUT, TcpStream::connect(address))
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?;
    // A push is one small write; Nagle's algorithm would hold it back for 40 ms.
    stream.set_nodelay(true)?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::{
        net::{TcpListener, TcpSocket},
        time::Instant,
    };

    use super::*;

    const LIVE: Ipv4Addr = Ipv4Addr::LOCALHOST;
    const DEAD: [Ipv4Addr; 2] = [Ipv4Addr::new(127, 0, 0, 2), Ipv4Addr::new(127, 0, 0, 3)];

    /// An address that lets nobody in and says nothing: its queue is full. Lives as long as what is given
    /// back.
    async fn dead(address: SocketAddr) -> Vec<TcpStream> {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.bind(address).unwrap();
        let listener = socket.listen(1).unwrap();
        let mut queue = Vec::new();
        while let Ok(waiting) =
            timeout(Duration::from_millis(200), TcpStream::connect(address)).await
        {
            queue.push(waiting.unwrap());
        }
        // Nobody accepts any more, but it goes on to listen.
        tokio::spawn(async move {
            let _listener = listener;
            std::future::pending::<()>().await;
        });
        queue
    }

    #[tokio::test]
    async fn a_dead_address_costs_a_head_start() {
        let live = TcpListener::bind((LIVE, 0)).await.unwrap();
        let port = live.local_addr().unwrap().port();
        let mut queues = Vec::new();
        for address in DEAD {
            queues.push(dead(SocketAddr::new(address.into(), port)).await);
        }
        let began = Instant::now();
        let addresses = [DEAD[0].into(), DEAD[1].into(), LIVE.into()];
        let stream = connect(&addresses, port).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap().ip(), LIVE);
        let took = began.elapsed();
        assert!((2 * HEAD_START..ATTEMPT_TIMEOUT).contains(&took), "{took:?}");

        let began = Instant::now();
        let error = connect(&[DEAD[0].into()], port).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(began.elapsed() < 2 * ATTEMPT_TIMEOUT);
    }

    #[tokio::test]
    async fn an_address_that_refuses_costs_nothing() {
        let live = TcpListener::bind((LIVE, 0)).await.unwrap();
        let port = live.local_addr().unwrap().port();
        let began = Instant::now();
        connect(&[DEAD[0].into(), DEAD[1].into(), LIVE.into()], port).await.unwrap();
        assert!(began.elapsed() < HEAD_START, "{:?}", began.elapsed());
    }

    #[tokio::test]
    async fn without_an_address_there_is_no_connection() {
        assert_eq!(connect(&[], 1).await.unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
