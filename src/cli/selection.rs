//! Which server an operator means: a UUID, the beginning of one, or a host name.

use uuid::Uuid;

use super::error::{CommandError, exit};
use crate::{
    domain::{hostname::Hostname, remote_realm::RemoteRealm, remote_server::RemoteServer},
    registry::Registry,
};

/// So many digits of a UUID are enough, when only one server begins so.
const SHORTEST_PREFIX: usize = 6;

/// Candidates that are named when several match.
const MAX_CANDIDATES: usize = 5;

/// Which of several servers with one host name is meant, if there is one in this state.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Preferred {
    /// The one that is served.
    Active,
    /// The one that is to be served again.
    Deactivated,
}

/// The one server that `text` names.
pub(super) async fn server(
    registry: &Registry,
    text: &str,
    preferred: Preferred,
) -> Result<RemoteServer, CommandError> {
    let mut found = match uuid_range(text) {
        Some((first, last)) => registry.find_servers_between(first, last).await?,
        None => Vec::new(),
    };
    if found.is_empty() {
        found = at_hostname(registry, text, preferred).await?;
    }
    match found.len() {
        1 => Ok(found.remove(0)),
        0 => Err(CommandError::told(exit::NO_MATCH, format!("no server matches `{text}`"))
            .with_help(
                "a server is named by its UUID, six digits or more of it, or its host name",
            )),
        _ => {
            let named: Vec<String> = found
                .iter()
                .take(MAX_CANDIDATES)
                .map(|server| format!("{} ({})", server.uuid, server.hostname))
                .collect();
            Err(CommandError::told(exit::NO_MATCH, format!("several servers match `{text}`"))
                .with_help(format!("name one of them: {}", named.join(", "))))
        }
    }
}

/// Servers with this host name; only the one in the preferred state, if there is one.
async fn at_hostname(
    registry: &Registry,
    text: &str,
    preferred: Preferred,
) -> Result<Vec<RemoteServer>, CommandError> {
    let Ok(hostname) = Hostname::parse(text) else { return Ok(Vec::new()) };
    let mut found = registry.find_servers_at(hostname.as_str()).await?;
    let is_preferred =
        |server: &RemoteServer| server.deactivated == (preferred == Preferred::Deactivated);
    if found.iter().filter(|server| is_preferred(server)).count() == 1 {
        found.retain(is_preferred);
    }
    Ok(found)
}

/// The realm with the UUID that `text` is.
pub(super) async fn realm(registry: &Registry, text: &str) -> Result<RemoteRealm, CommandError> {
    let found = match Uuid::parse_str(text) {
        Ok(uuid) => registry.find_realm_now(uuid).await?,
        Err(_) => None,
    };
    found.ok_or_else(|| {
        CommandError::told(exit::NO_MATCH, format!("no realm matches `{text}`"))
            .with_help("a realm is named by its UUID, and known after its server uploaded it")
    })
}

/// The first and the last UUID that begin with the digits in `text`.
fn uuid_range(text: &str) -> Option<(Uuid, Uuid)> {
    let digits: String = text.chars().filter(|character| *character != '-').collect();
    if !(SHORTEST_PREFIX..=32).contains(&digits.len()) {
        return None;
    }
    let padded =
        |with: &str| Uuid::parse_str(&format!("{digits}{}", with.repeat(32 - digits.len())));
    Some((padded("0").ok()?, padded("f").ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_of_a_uuid_is_a_range() {
        let (first, last) = uuid_range("0F3c9a1e-4").unwrap();
        assert_eq!(first.to_string(), "0f3c9a1e-4000-0000-0000-000000000000");
        assert_eq!(last.to_string(), "0f3c9a1e-4fff-ffff-ffff-ffffffffffff");
        for text in ["", "0f3c9", "chat.example.org", "0f3c9a1x", &"0".repeat(33)] {
            assert_eq!(uuid_range(text), None, "{text}");
        }
    }
}
