//! The domain name system, as registering, transferring and pushing need it: may mail be sent to this domain, and
//! where is this host?

mod addresses;
mod hosts;

use std::{fmt, net::SocketAddr, sync::Arc, time::Duration};

use hickory_resolver::{
    NameServerPool, PoolContext, TlsConfig,
    config::{ConnectionConfig, NameServerConfig, ResolverOpts},
    net::{
        NetError,
        runtime::TokioRuntimeProvider,
        xfer::{DnsHandle as _, FirstAnswer as _, RetryDnsHandle},
    },
    proto::{
        op::{DnsRequestOptions, Query, ResponseCode},
        rr::{Name, RData, RecordType},
    },
    system_conf::read_system_conf,
};
use thiserror::Error;
use tokio::time::timeout;

pub use addresses::{AddressesError, Located};

/// All questions about one domain together: the caller waits at the other end of a request.
const WHOLE_LOOK_UP: Duration = Duration::from_secs(3);
/// One question to one server; two of them fit into [`WHOLE_LOOK_UP`].
const ONE_QUESTION: Duration = Duration::from_millis(1400);
/// How often a question that nobody answered is asked again.
const REPEATS: usize = 1;

/// Asks name servers. Nothing is cached: registering is rare, connections to push services live long, and a
/// name server is near.
#[derive(Clone)]
pub struct Names {
    servers: RetryDnsHandle<NameServerPool<TokioRuntimeProvider>>,
    deadline: Duration,
}

/// Which records of a domain let it take mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailRule {
    /// Only a mail exchanger.
    Mx,
    /// Without a mail exchanger, an address will do
    /// ([RFC 5321, section 5.1](https://www.rfc-editor.org/rfc/rfc5321#section-5.1)).
    MxOrAddress,
}

/// May mail be sent to a domain?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailAnswer {
    /// Yes.
    Accepts,
    /// No: the domain exists and takes no mail.
    NoMx,
    /// No: the domain does not exist.
    DoesNotExist,
    /// No name server said yes or no in time. Never a reason to refuse anybody.
    Unknown,
}

/// Why there are no name servers to ask.
#[derive(Debug, Error)]
pub enum NamesError {
    /// No servers are set, and those of the system cannot be read.
    #[error(
        "the name servers of the system (`/etc/resolv.conf`) cannot be read; set `dns.servers`"
    )]
    System(#[source] NetError),
    /// No servers are set, and the system has none.
    #[error("the system has no name servers (`/etc/resolv.conf`); set `dns.servers`")]
    None,
    /// The transport cannot be set up.
    #[error("name servers cannot be asked")]
    Transport(#[source] NetError),
}

impl Names {
    /// Names as these servers tell them; those of the system when there are none.
    ///
    /// # Errors
    ///
    /// When the servers of the system are wanted and cannot be read.
    pub fn new(servers: &[SocketAddr]) -> Result<Self, NamesError> {
        Self::with_deadline(servers, WHOLE_LOOK_UP)
    }

    fn with_deadline(servers: &[SocketAddr], deadline: Duration) -> Result<Self, NamesError> {
        let servers = if servers.is_empty() {
            read_system_conf().map_err(NamesError::System)?.0.name_servers
        } else {
            servers.iter().copied().map(name_server).collect()
        };
        if servers.is_empty() {
            return Err(NamesError::None);
        }
        let mut options = ResolverOpts::default();
        options.timeout = ONE_QUESTION;
        let tls = TlsConfig::new().map_err(NamesError::Transport)?;
        let context = Arc::new(PoolContext::new(options, tls));
        // The pool is asked directly, not through the crate's `Resolver`: that answers
        // `localhost` and `.invalid` itself, and reads the hosts file.
        let pool = NameServerPool::from_config(servers, context, TokioRuntimeProvider::new());
        Ok(Self { servers: RetryDnsHandle::new(pool, REPEATS), deadline })
    }

    /// Whether mail may be sent to `domain`, known after 3 seconds at the latest.
    ///
    /// The name is asked for as it is, never below a search domain; an international one in its
    /// encoded form. What cannot be a name does not exist.
    pub async fn mail_exists(&self, domain: &str, rule: MailRule) -> MailAnswer {
        let Ok(mut name) = Name::from_utf8(domain) else {
            return MailAnswer::DoesNotExist;
        };
        name.set_fqdn(true);
        let answer = timeout(self.deadline, self.ask_for_mail(&name, rule)).await;
        answer.unwrap_or(Err(Silence)).unwrap_or(MailAnswer::Unknown)
    }

    async fn ask_for_mail(&self, name: &Name, rule: MailRule) -> Result<MailAnswer, Silence> {
        let Reply::Records(exchangers) = self.ask(name, RecordType::MX).await? else {
            return Ok(MailAnswer::DoesNotExist);
        };
        if exchangers.iter().any(is_exchanger) {
            return Ok(MailAnswer::Accepts);
        }
        if !exchangers.is_empty() {
            // Only a null MX, by which a domain says that it takes no mail whatever its addresses
            // (https://www.rfc-editor.org/rfc/rfc7505#section-3).
            return Ok(MailAnswer::NoMx);
        }
        if self.has(name, RecordType::A).await? || self.has(name, RecordType::AAAA).await? {
            return Ok(match rule {
                MailRule::Mx => MailAnswer::NoMx,
                MailRule::MxOrAddress => MailAnswer::Accepts,
            });
        }
        if self.has(name, RecordType::NS).await? {
            return Ok(MailAnswer::NoMx);
        }
        Ok(MailAnswer::DoesNotExist)
    }

    async fn has(&self, name: &Name, kind: RecordType) -> Result<bool, Silence> {
        let reply = self.ask(name, kind).await?;
        Ok(matches!(reply, Reply::Records(records) if !records.is_empty()))
    }

    async fn ask(&self, name: &Name, kind: RecordType) -> Result<Reply, Silence> {
        let query = Query::query(name.clone(), kind);
        let answer = self.servers.lookup(query, DnsRequestOptions::default()).first_answer().await;
        let response = match answer {
            Ok(response) => response.into_message(),
            Err(error) if error.is_nx_domain() => return Ok(Reply::NoSuchName),
            Err(error) if error.is_no_records_found() => return Ok(Reply::Records(Vec::new())),
            Err(_) => return Err(Silence),
        };
        match response.metadata.response_code {
            ResponseCode::NoError => {}
            ResponseCode::NXDomain => return Ok(Reply::NoSuchName),
            _ => return Err(Silence),
        }
        // The answer to a question for an alias has the alias in it too.
        let records = response.answers.into_iter().filter(|record| record.record_type() == kind);
        Ok(Reply::Records(records.map(|record| record.data).collect()))
    }
}

impl fmt::Debug for Names {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Names").finish_non_exhaustive()
    }
}

/// What a name server said.
enum Reply {
    NoSuchName,
    Records(Vec<RData>),
}

/// No name server said anything that decides: none answered, or it could not find out.
struct Silence;

fn name_server(address: SocketAddr) -> NameServerConfig {
    let mut connections = vec![ConnectionConfig::udp(), ConnectionConfig::tcp()];
    for connection in &mut connections {
        connection.port = address.port();
    }
    NameServerConfig::new(address.ip(), true, connections)
}

fn is_exchanger(data: &RData) -> bool {
    matches!(data, RData::MX(record) if !record.exchange.is_root())
}

#[cfg(test)]
mod tests;
