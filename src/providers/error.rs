//! Why the push services cannot be used.

use std::path::Path;

use crate::outbound::{OriginError, TrustError};

/// Why the push services cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ProvidersError {
    /// A file cannot be read.
    #[error("cannot read `{path}`: {source}")]
    Read {
        /// The file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A credential is not what it should be.
    #[error("`{path}`: {problem}")]
    Credential {
        /// The file.
        path: String,
        /// What is wrong, and what would be right.
        problem: String,
    },
    /// An app has no credential at all.
    #[error("`{app}` has neither a key nor a certificate")]
    NoCredential {
        /// The app's section of the configuration.
        app: String,
    },
    /// Authorities or a client certificate cannot be used.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// An address of a push service is none.
    #[error(transparent)]
    Origin(#[from] OriginError),
}

impl ProvidersError {
    pub(super) fn credential(path: &Path, problem: &str) -> Self {
        Self::Credential { path: path.display().to_string(), problem: problem.to_owned() }
    }
}
