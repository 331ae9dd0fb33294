//! A DNS server on loopback whose answers follow from the first label of the name.
//!
//! `nomx.…` has an address but no MX record, `nx.…` and `….invalid` do not exist, `dnstimeout.…`
//! never gets an answer, every other name has both. `loopback.…`, `private.…`, `mapped.…`, `mixed.…` and
//! `rebind.…` have addresses that nobody should be led to. A test may lead a name wherever it likes. The layout of a message is that of
//! [RFC 1035, section 4](https://www.rfc-editor.org/rfc/rfc1035#section-4).

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{net::UdpSocket, task::JoinHandle};

const TYPE_A: u16 = 1;
const TYPE_MX: u16 = 15;
const TYPE_AAAA: u16 = 28;
const HEADER_BYTES: usize = 12;

/// Where `mixed.…` leads to, and `rebind.…` at first, before both lead to 127.0.0.1.
pub(crate) const SECOND_LOOPBACK: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// The running server; it ends when this is dropped.
pub(crate) struct FakeDns {
    address: SocketAddr,
    zone: Arc<Mutex<Zone>>,
    task: JoinHandle<()>,
}

/// What the answers depend on besides the name.
struct Zone {
    localhost: Ipv4Addr,
    /// Where else names lead.
    led: HashMap<String, Vec<IpAddr>>,
    /// Nobody gets an answer.
    is_silent: bool,
    /// The names whose addresses of IPv4 were asked for.
    asked: Vec<String>,
}

impl Default for Zone {
    fn default() -> Self {
        Self {
            localhost: Ipv4Addr::LOCALHOST,
            led: HashMap::new(),
            is_silent: false,
            asked: Vec::new(),
        }
    }
}

impl FakeDns {
    /// Starts it on a free port.
    pub(crate) async fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let address = socket.local_addr().expect("a bound socket has an address");
        let zone = Arc::default();
        let task = tokio::spawn(serve(socket, Arc::clone(&zone)));
        Self { address, zone, task }
    }

    /// Lets `localhost` lead to another address of loopback from now on.
    pub(crate) fn lead_localhost_to(&self, address: Ipv4Addr) {
        lock(&self.zone).localhost = address;
    }

    /// Lets a name lead to these addresses from now on.
    pub(crate) fn lead(&self, name: &str, addresses: &[IpAddr]) {
        lock(&self.zone).led.insert(name.to_owned(), addresses.to_vec());
    }

    /// Answers nobody any more, or everybody again.
    pub(crate) fn be_silent(&self, is_silent: bool) {
        lock(&self.zone).is_silent = is_silent;
    }

    /// How often the address of `name` was asked for.
    pub(crate) fn questions_about(&self, name: &str) -> usize {
        lock(&self.zone).asked.iter().filter(|asked| *asked == name).count()
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for FakeDns {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn lock(zone: &Mutex<Zone>) -> MutexGuard<'_, Zone> {
    zone.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(socket: UdpSocket, zone: Arc<Mutex<Zone>>) {
    let mut query = [0; 512];
    loop {
        let Ok((length, peer)) = socket.recv_from(&mut query).await else { continue };
        let reply = query.get(..length).and_then(|query| reply(query, &mut lock(&zone)));
        if let Some(reply) = reply {
            // A peer that is gone already needs no answer.
            let _ = socket.send_to(&reply, peer).await;
        }
    }
}

/// The reply to `query`; none when it is no question, or one about `dnstimeout.…`.
fn reply(query: &[u8], zone: &mut Zone) -> Option<Vec<u8>> {
    let (name, after_name) = name(query)?;
    let [high, low] = query.get(after_name..after_name + 2)?.try_into().ok()?;
    let question = query.get(HEADER_BYTES..after_name + 4)?;
    let first = name.split('.').next().unwrap_or_default();
    let exists = first != "nx" && name != "invalid" && !name.ends_with(".invalid");
    let answers: Vec<Vec<u8>> = match u16::from_be_bytes([high, low]) {
        _ if first == "dnstimeout" || zone.is_silent => return None,
        kind @ (TYPE_A | TYPE_AAAA) if zone.led.contains_key(&name) => zone.led_to(&name, kind),
        _ if !exists => Vec::new(),
        TYPE_A => zone.addresses(&name).iter().map(|address| address.octets().to_vec()).collect(),
        TYPE_AAAA if first == "mapped" => {
            vec![Ipv4Addr::LOCALHOST.to_ipv6_mapped().octets().to_vec()]
        }
        // Preference 10, then `mail.` before the name of the question.
        TYPE_MX if first != "nomx" => vec![b"\x00\x0a\x04mail\xc0\x0c".to_vec()],
        _ => Vec::new(),
    };

    let mut reply = query.get(..2)?.to_vec();
    reply.extend([0x85, if exists { 0x80 } else { 0x83 }]);
    reply.extend([0, 1, 0, u8::try_from(answers.len()).ok()?, 0, 0, 0, 0]);
    reply.extend(question);
    for data in answers {
        reply.extend([0xc0, HEADER_BYTES as u8, high, low, 0, 1, 0, 0, 0, 60]);
        reply.extend(u16::try_from(data.len()).ok()?.to_be_bytes());
        reply.extend(data);
    }
    Some(reply)
}

impl Zone {
    fn led_to(&mut self, name: &str, kind: u16) -> Vec<Vec<u8>> {
        if kind == TYPE_A {
            self.asked.push(name.to_owned());
        }
        let addresses = self.led.get(name).into_iter().flatten();
        addresses
            .filter_map(|address| match address {
                IpAddr::V4(old) => (kind == TYPE_A).then(|| old.octets().to_vec()),
                IpAddr::V6(new) => (kind == TYPE_AAAA).then(|| new.octets().to_vec()),
            })
            .collect()
    }

    /// Most names have an address set aside for documentation: nobody is there.
    fn addresses(&mut self, name: &str) -> Vec<Ipv4Addr> {
        self.asked.push(name.to_owned());
        let is_first = self.asked.iter().filter(|asked| *asked == name).count() == 1;
        match name.split('.').next().unwrap_or_default() {
            "localhost" => vec![self.localhost],
            "loopback" => vec![Ipv4Addr::LOCALHOST],
            "private" => vec![Ipv4Addr::new(10, 0, 0, 1)],
            "mapped" => Vec::new(),
            "mixed" => vec![SECOND_LOOPBACK, Ipv4Addr::LOCALHOST],
            "rebind" if is_first => vec![SECOND_LOOPBACK],
            "rebind" => vec![Ipv4Addr::LOCALHOST],
            _ => vec![Ipv4Addr::new(192, 0, 2, 1)],
        }
    }
}

/// The name asked for, in lower case, and the position behind it.
fn name(query: &[u8]) -> Option<(String, usize)> {
    let mut labels = Vec::new();
    let mut position = HEADER_BYTES;
    loop {
        let length = usize::from(*query.get(position)?);
        position += 1;
        match length {
            0 => return Some((labels.join("."), position)),
            1..=63 => {
                let label = query.get(position..position + length)?;
                labels.push(String::from_utf8_lossy(label).to_ascii_lowercase());
                position += length;
            }
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME_ERROR: u8 = 3;

    fn query(name: &str, kind: u16) -> Vec<u8> {
        let mut query = vec![7, 8, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in name.split('.') {
            query.push(u8::try_from(label.len()).unwrap());
            query.extend(label.as_bytes());
        }
        query.push(0);
        query.extend(kind.to_be_bytes());
        query.extend([0, 1]);
        query
    }

    /// The response code and the number of answers.
    fn answer(name: &str, kind: u16) -> Option<(u8, u8)> {
        let reply = reply(&query(name, kind), &mut Zone::default())?;
        assert_eq!(reply[..2], [7, 8], "the reply has the query's id");
        Some((reply[3] & 0xf, reply[7]))
    }

    #[test]
    fn every_other_name_has_an_address_and_an_mx_record() {
        assert_eq!(answer("selfhosted.test", TYPE_MX), Some((0, 1)));
        assert_eq!(answer("SELFHOSTED.test", TYPE_A), Some((0, 1)));
        assert_eq!(answer("selfhosted.test", TYPE_AAAA), Some((0, 0)));
    }

    #[test]
    fn nomx_has_an_address_but_no_mx_record() {
        assert_eq!(answer("nomx.test", TYPE_MX), Some((0, 0)));
        assert_eq!(answer("nomx.test", TYPE_A), Some((0, 1)));
    }

    #[test]
    fn some_names_lead_where_nobody_should_go() {
        assert_eq!(answer("mixed.test", TYPE_A), Some((0, 2)));
        assert_eq!(answer("mapped.test", TYPE_A), Some((0, 0)));
        assert_eq!(answer("mapped.test", TYPE_AAAA), Some((0, 1)));
        let mut zone = Zone::default();
        assert_eq!(zone.addresses("rebind.test"), [SECOND_LOOPBACK]);
        assert_eq!(zone.addresses("rebind.test"), [Ipv4Addr::LOCALHOST]);
    }

    #[test]
    fn nx_and_invalid_do_not_exist() {
        assert_eq!(answer("nx.test", TYPE_MX), Some((NAME_ERROR, 0)));
        assert_eq!(answer("NX.test", TYPE_A), Some((NAME_ERROR, 0)));
        assert_eq!(answer("no-such-host.invalid", TYPE_A), Some((NAME_ERROR, 0)));
    }

    #[test]
    fn dnstimeout_gets_no_answer() {
        assert_eq!(answer("dnstimeout.test", TYPE_MX), None);
    }

    #[test]
    fn a_name_that_does_not_end_is_no_question() {
        let mut zone = Zone::default();
        assert_eq!(reply(&query("a.test", TYPE_A)[..14], &mut zone), None);
        assert_eq!(reply(&[0; 3], &mut zone), None);
    }
}
