//! `[proxy]`: the way out to the push services.

mod no_proxy;
mod url;

use std::{fmt, io, path::PathBuf};

use serde::Deserialize;
use thiserror::Error;

pub use no_proxy::NoProxy;
pub use url::{ProxyUrl, ProxyUrlError};

/// Names of variables, the one that wins first.
const URL_VARIABLES: [&str; 2] = ["HTTPS_PROXY", "https_proxy"];
const NO_PROXY_VARIABLES: [&str; 2] = ["NO_PROXY", "no_proxy"];

/// A proxy that connects us to the push services (HTTP CONNECT).
#[derive(Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProxyConfig {
    /// `http://host:port`, with `user:password@` where the proxy asks for it. Default: the environment's
    /// `HTTPS_PROXY`; empty for none.
    pub url: Option<String>,
    /// A file that holds the URL, instead of `url`.
    pub url_file: Option<PathBuf>,
    /// Hosts that are reached without it: names with all below them, addresses, networks, or `*`; a name
    /// or an address may have a `:port`. Default: the environment's `NO_PROXY`, separated by commas.
    pub no_proxy: Option<Vec<String>>,
}

/// Why it is not known which proxy there is.
#[derive(Debug, Error)]
pub enum ProxyConfigError {
    /// The file with the URL cannot be read.
    #[error("cannot read `proxy.url_file` (`{path}`): {source}")]
    Read {
        /// The file.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// What is in the file is not the URL of a proxy; the text does not show it.
    #[error("`proxy.url_file` {0}")]
    File(ProxyUrlError),
    /// The setting is not the URL of a proxy; the text does not show it.
    #[error("`proxy.url` {0}")]
    Setting(ProxyUrlError),
    /// Nor is what the environment says.
    #[error("`{variable}` of the environment {problem}; `proxy.url = \"\"` is for no proxy")]
    Environment {
        /// The variable.
        variable: &'static str,
        /// What is wrong with it.
        problem: ProxyUrlError,
    },
}

impl ProxyConfig {
    /// Takes from the environment what the file does not say; `variable` tells a variable's value.
    ///
    /// # Errors
    ///
    /// When the URL there cannot be used.
    pub(super) fn complete(
        &mut self,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<(), ProxyConfigError> {
        let first = |names: [&'static str; 2]| {
            names.into_iter().find_map(|name| Some((name, variable(name)?)))
        };
        if self.url.is_none()
            && self.url_file.is_none()
            && let Some((variable, url)) = first(URL_VARIABLES)
        {
            // Other programs take `proxy.example.com:3128` there, so people write it.
            let has_scheme = url.trim().is_empty() || url.contains("://");
            let url = if has_scheme { url } else { format!("http://{url}") };
            ProxyUrl::parse(&url)
                .map_err(|problem| ProxyConfigError::Environment { variable, problem })?;
            self.url = Some(url);
        }
        if self.no_proxy.is_none()
            && let Some((_, list)) = first(NO_PROXY_VARIABLES)
        {
            // The variable is for all programs: what only others understand is no fault.
            let entries = list.split(',').filter(|entry| NoProxy::parse([entry]).is_ok());
            self.no_proxy = Some(entries.map(str::to_owned).collect());
        }
        Ok(())
    }

    /// The proxy, if there is one; reads `url_file`.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or what is said is not the URL of a proxy.
    pub fn address(&self) -> Result<Option<ProxyUrl>, ProxyConfigError> {
        match (&self.url, &self.url_file) {
            (Some(url), _) => ProxyUrl::parse(url).map_err(ProxyConfigError::Setting),
            (None, Some(path)) => {
                let read =
                    |source| ProxyConfigError::Read { path: path.display().to_string(), source };
                let url = std::fs::read_to_string(path).map_err(read)?;
                ProxyUrl::parse(&url).map_err(ProxyConfigError::File)
            }
            (None, None) => Ok(None),
        }
    }

    /// Who is reached without it; an entry that says nothing is left out, as there is none in settings
    /// that were checked.
    #[must_use]
    pub fn exceptions(&self) -> NoProxy {
        let entries = self.no_proxy.iter().flatten();
        let entries = entries.filter(|entry| NoProxy::parse([entry]).is_ok());
        NoProxy::parse(entries).unwrap_or_default()
    }

    /// What is wrong, as sentences.
    pub(super) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.url.is_some() && self.url_file.is_some() {
            problems.push("`proxy.url` and `proxy.url_file` are both set".to_owned());
        }
        if let Some(Err(problem)) = self.url.as_deref().map(ProxyUrl::parse) {
            problems.push(ProxyConfigError::Setting(problem).to_string());
        }
        if let Err(entry) = NoProxy::parse(self.no_proxy.iter().flatten()) {
            problems.push(format!(
                "`proxy.no_proxy`: `{entry}` is neither a name, an address, a network nor `*`"
            ));
        }
        problems
    }
}

impl fmt::Debug for ProxyConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The address may hold a password.
        let url = self.url.as_ref().map(|_| "[redacted]");
        formatter
            .debug_struct("ProxyConfig")
            .field("url", &url)
            .field("url_file", &self.url_file)
            .field("no_proxy", &self.no_proxy)
            .finish()
    }
}

#[cfg(test)]
mod tests;
