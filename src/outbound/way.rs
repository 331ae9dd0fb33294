//! The way to an origin: how its name is resolved, and through which proxy it is reached.

use std::{sync::Arc, time::Duration};

use tokio::{net::TcpStream, time::timeout};

use super::{
    addresses::Addresses,
    dial::DialError,
    origin::Origin,
    race::connect,
    tunnel::{TunnelError, through},
};
use crate::{
    config::{NoProxy, ProxyConfig, ProxyConfigError, ProxyUrl},
    names::Names,
    random::Random,
};

/// The proxy's name, the connection to it and its answer together; three of the dial's eight seconds are left
/// to TLS.
const PROXY_TIMEOUT: Duration = Duration::from_secs(5);

/// How origins are reached; clones share it.
///
/// Only what the operator named goes this way. Hosts that others name are called by
/// [`Strangers`](super::Strangers), never through a proxy.
#[derive(Clone)]
pub struct Way {
    shared: Arc<Shared>,
}

struct Shared {
    addresses: Addresses,
    proxy: Option<ProxyUrl>,
    exceptions: NoProxy,
}

impl Way {
    /// A way by these name servers, and through the proxy of the settings if they name one.
    ///
    /// # Errors
    ///
    /// When the proxy's URL cannot be read.
    pub fn new(
        names: Names,
        random: Random,
        config: &ProxyConfig,
    ) -> Result<Self, ProxyConfigError> {
        let (proxy, exceptions) = (config.address()?, config.exceptions());
        if let Some(proxy) = &proxy {
            tracing::info!(
                event = "outbound.proxy",
                %proxy,
                "the push services are reached through a proxy"
            );
        }
        let addresses = Addresses::new(names, random);
        Ok(Self { shared: Arc::new(Shared { addresses, proxy, exceptions }) })
    }

    /// A connection to `origin` over which TLS can begin. The caller has a deadline.
    pub(super) async fn connect(&self, origin: &Origin) -> Result<TcpStream, DialError> {
        let Shared { addresses, proxy, exceptions } = &*self.shared;
        let (host, port) = (origin.host(), origin.port());
        if let Some(proxy) = proxy
            && !exceptions.covers(host, port)
        {
            let connected = timeout(PROXY_TIMEOUT, self.connect_through(proxy, host, port)).await;
            return Ok(connected.unwrap_or(Err(TunnelError::Timeout))?);
        }
        let addresses = addresses.find(host).await.map_err(DialError::Name)?;
        connect(&addresses, port).await.map_err(|error| DialError::Tcp(Arc::new(error)))
    }

    async fn connect_through(
        &self,
        proxy: &ProxyUrl,
        host: &str,
        port: u16,
    ) -> Result<TcpStream, TunnelError> {
        let found = self.shared.addresses.find(proxy.host()).await;
        let addresses = found.map_err(TunnelError::Name)?;
        let connected = connect(&addresses, proxy.port()).await;
        let stream = connected.map_err(|error| TunnelError::Tcp(Arc::new(error)))?;
        through(proxy, stream, host, port).await
    }
}
