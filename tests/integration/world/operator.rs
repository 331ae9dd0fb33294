//! The operator's tools: plain HTTP to the operator's listener.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use super::{World, waiting::until};

/// Far above what loopback needs.
const ANSWERED_WITHIN: Duration = Duration::from_secs(15);

impl World {
    /// What the operator's listener answers to `GET path`: the status, and the body.
    pub(crate) async fn operator_get(&self, path: &str) -> (u16, String) {
        get(self.operator_address(), path).await
    }

    /// The sum of all series of a metric whose labels contain all of `labels`, each written
    /// `name="value"`.
    pub(crate) async fn metric(&self, name: &str, labels: &[&str]) -> f64 {
        let (_, text) = self.operator_get("/metrics").await;
        sum_of(&text, name, labels)
    }

    /// Waits until it is this: what somebody else was seen to do may be counted here a moment later.
    pub(crate) async fn until_metric(&self, name: &str, labels: &[&str], value: f64) {
        let is_so = async || (self.metric(name, labels).await == value).then_some(());
        until(&format!("{name} {labels:?} is {value}"), is_so).await;
    }
}

/// What the operator's listener at `address` answers to `GET path`: the status, and the body.
pub(super) async fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    let asking = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        std::io::Result::Ok(answer)
    };
    let answer = timeout(ANSWERED_WITHIN, asking).await.expect("the operator gets an answer");
    let answer = answer.expect("the operator's listener can be reached");
    let (head, body) = answer.split_once("\r\n\r\n").expect("an answer has a head");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.expect("an answer has a status"), body.to_owned())
}

/// The same in the text of all metrics.
pub(crate) fn sum_of(metrics: &str, name: &str, labels: &[&str]) -> f64 {
    let value = |line: &str| {
        let (series, value) = line.rsplit_once(' ')?;
        let (found, given) = series.split_once('{').unwrap_or((series, ""));
        let is_it = found == name && labels.iter().all(|label| given.contains(label));
        is_it.then(|| value.parse::<f64>().expect("a value is a number"))
    };
    metrics.lines().filter_map(value).sum()
}
