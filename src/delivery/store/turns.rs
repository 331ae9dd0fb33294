//! Whose turn it is: lanes whose time has come, of each remote server one after the other, so that one with many
//! does not keep the others waiting.

use std::collections::{HashMap, VecDeque};

use crate::domain::device::Row;

/// Lanes in line, by remote server.
#[derive(Default)]
pub(super) struct Turns {
    servers: VecDeque<i64>,
    lanes: HashMap<i64, VecDeque<Row>>,
}

impl Turns {
    /// Puts a lane in line.
    pub(super) fn wait(&mut self, server: i64, row: Row) {
        let lanes = self.lanes.entry(server).or_default();
        if lanes.is_empty() {
            self.servers.push_back(server);
        }
        lanes.push_back(row);
    }

    /// The next lane; its server gets in line again.
    pub(super) fn next(&mut self) -> Option<Row> {
        let server = self.servers.pop_front()?;
        let lanes = self.lanes.get_mut(&server)?;
        let row = lanes.pop_front();
        if lanes.is_empty() {
            self.lanes.remove(&server);
        } else {
            self.servers.push_back(server);
        }
        row
    }

    pub(super) fn is_empty(&self) -> bool {
        self.servers.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_take_turns() {
        let mut turns = Turns::default();
        for number in 0..3 {
            turns.wait(1, Row::Device(number));
        }
        turns.wait(2, Row::Device(10));
        let order: Vec<_> = std::iter::from_fn(|| turns.next()).collect();
        assert_eq!(order, [0, 10, 1, 2].map(Row::Device));
        assert!(turns.is_empty());
    }
}
