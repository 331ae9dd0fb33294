//! Which of our servers and realms the source means by its numbers.
//!
//! They are kept in memory: a few dozen bytes each, and devices are many times as many.

use std::collections::HashMap;

use crate::registry::{Fate, Imported, Storing};

/// Stands for a key that will be given when rows are stored.
const NOT_STORED: i64 = -1;

/// Servers and realms, by the keys of the source.
#[derive(Default)]
pub(super) struct Directory {
    servers: HashMap<i64, Server>,
    realms: HashMap<i64, Realm>,
}

/// A server that was taken.
#[derive(Clone, Copy)]
pub(super) struct Server {
    pub(super) id: i64,
    /// It talks to us already.
    pub(super) is_newer_here: bool,
}

/// A realm that was taken.
#[derive(Clone, Copy)]
pub(super) struct Realm {
    pub(super) id: i64,
    /// The key of its server at the source.
    pub(super) source_server: i64,
}

impl Directory {
    pub(super) fn server(&self, source_id: Option<i64>) -> Option<Server> {
        self.servers.get(&source_id?).copied()
    }

    pub(super) fn realm(&self, source_id: Option<i64>) -> Option<Realm> {
        self.realms.get(&source_id?).copied()
    }

    pub(super) fn add_server(&mut self, imported: &Imported, storing: Storing) {
        let is_newer_here = imported.fate == Fate::NewerHere;
        match id(imported, storing) {
            Some(id) => self.servers.insert(imported.source_id, Server { id, is_newer_here }),
            None => self.servers.remove(&imported.source_id),
        };
    }

    pub(super) fn add_realm(
        &mut self,
        imported: &Imported,
        source_server: Option<i64>,
        storing: Storing,
    ) {
        match (id(imported, storing), source_server) {
            (Some(id), Some(source_server)) => {
                self.realms.insert(imported.source_id, Realm { id, source_server });
            }
            _ => {
                self.realms.remove(&imported.source_id);
            }
        }
    }
}

/// Our key of what a row became, where devices may be registered under it.
fn id(imported: &Imported, storing: Storing) -> Option<i64> {
    match imported.fate {
        Fate::New if storing == Storing::No => Some(NOT_STORED),
        Fate::New | Fate::Changed | Fate::Same | Fate::NewerHere => imported.target_id,
        Fate::RemovedHere | Fate::OtherServer | Fate::NumberTaken | Fate::Left => None,
    }
}
