//! Taking over what a reference bouncer has in its PostgreSQL: servers, realms, devices, counts.
//!
//! One procedure serves the first run, one that was stopped, and one that follows: the keys of a table of the source are
//! compared with those that were looked at already, and only rows that are new or changed are read
//! (`docs/decisions/0022-an-import-compares-keys.md`).

mod devices;
mod directory;
mod e2ee_devices;
mod growing;
mod pass;
mod plans;
mod realms;
mod reason;
mod report;
mod row;
mod schema;
mod servers;
mod source;
mod tables;
mod verify;

use std::{
    collections::{BTreeMap, HashSet},
    io,
};

use crate::{
    clock::Clock,
    config::Config,
    random::Random,
    registry::{Fate, Registry, RegistryError, SourceTable, Storing},
};

use directory::Directory;

pub use pass::Thoroughness;
pub use reason::Reason;
pub use report::Report;
pub use source::{Source, SourceError};
pub use verify::{Compared, Difference, Verified};

/// Why an import does not go on.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The source cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// Our own database failed.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The report cannot be written.
    #[error("cannot write the report: {0}")]
    Report(#[from] io::Error),
}

/// What came of the rows of one table.
#[derive(Clone, Debug, Default)]
pub struct Numbers {
    /// How many rows the source has.
    pub total: u64,
    /// What became of them.
    pub fates: BTreeMap<Fate, u64>,
    /// Why rows were not taken, or otherwise than they are.
    pub reasons: BTreeMap<Reason, u64>,
    /// Devices that went at the source, and so here.
    pub gone: u64,
}

impl Numbers {
    /// How many rows had this fate.
    #[must_use]
    pub fn of(&self, fate: Fate) -> u64 {
        self.fates.get(&fate).copied().unwrap_or(0)
    }

    /// Whether anything was different from what is here.
    #[must_use]
    pub fn is_news(&self) -> bool {
        self.of(Fate::New) + self.of(Fate::Changed) + self.gone > 0
    }
}

/// What came of all tables.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// By table, in their order.
    pub tables: BTreeMap<SourceTable, Numbers>,
    /// Rows of counts and events that were read, by table.
    pub grown: BTreeMap<&'static str, u64>,
}

/// How far a pass is.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// What is being read.
    pub table: &'static str,
    /// Rows looked at.
    pub done: u64,
    /// Rows in all; 0 where nobody counted.
    pub total: u64,
}

/// Takes over a reference bouncer.
pub struct Importer {
    registry: Registry,
    source: Source,
    clock: Clock,
    random: Random,
    storing: Storing,
    /// Bundle ids of the configuration.
    apps: HashSet<String>,
    directory: Directory,
    report: Report,
    outcome: Outcome,
}

impl Importer {
    /// Takes from this source into this registry, or only looks; what is not taken goes to the report.
    #[must_use]
    pub fn new(
        config: &Config,
        registry: Registry,
        source: Source,
        storing: Storing,
        report: Report,
    ) -> Self {
        let topics = config.apns.values().flat_map(|app| app.topics.iter().cloned());
        Self {
            registry,
            source,
            clock: Clock::default(),
            random: Random::default(),
            storing,
            apps: topics.collect(),
            directory: Directory::default(),
            report,
            outcome: Outcome::default(),
        }
    }

    /// What came of the last pass.
    #[must_use]
    pub fn outcome(&self) -> &Outcome {
        &self.outcome
    }
}

/// The word for a table on the command line and in the report.
#[must_use]
pub fn name_of(table: SourceTable) -> &'static str {
    match table {
        SourceTable::Servers => "servers",
        SourceTable::Realms => "realms",
        SourceTable::Devices => "devices",
        SourceTable::E2eeDevices => "encrypted devices",
    }
}
