//! Refusals of the last minutes, by the remote server whose pushes they were.

use std::collections::HashMap;

/// Counts by server and minute, so that many refusals cost no more than few.
#[derive(Default)]
pub(super) struct ByServer {
    /// Of each server the minutes and their refusals, in order.
    servers: HashMap<i64, Vec<(u64, u64)>>,
    /// When what is too old was last left out.
    tidied: u64,
}

impl ByServer {
    /// Notes that a push called its device bad; what is older than the window is forgotten once a minute.
    pub(super) fn count(&mut self, server: i64, minute: u64, window: u64) {
        if self.tidied != minute {
            self.tidied = minute;
            self.servers.retain(|_, minutes| {
                minutes.retain(|(noted, _)| noted + window >= minute);
                !minutes.is_empty()
            });
        }
        let minutes = self.servers.entry(server).or_default();
        match minutes.last_mut() {
            Some((noted, refusals)) if *noted == minute => *refusals += 1,
            _ => minutes.push((minute, 1)),
        }
    }

    /// Refusals within the window of the server that has most of them, with those that other nodes told of.
    pub(super) fn most(&self, minute: u64, window: u64, others: &HashMap<i64, u64>) -> u64 {
        let with_others = self.servers.iter().map(|(server, minutes)| {
            let recent = minutes.iter().filter(|(noted, _)| noted + window >= minute);
            let own: u64 = recent.map(|(_, refusals)| refusals).sum();
            own.saturating_add(others.get(server).copied().unwrap_or(0))
        });
        with_others.chain(others.values().copied()).max().unwrap_or(0)
    }

    /// Refusals of each server in each minute of the window: the server, how many minutes ago it was, and how many.
    pub(super) fn by_age(&self, minute: u64, window: u64) -> Vec<(i64, u64, u64)> {
        let of_servers = self.servers.iter().flat_map(|(server, minutes)| {
            minutes
                .iter()
                .map(|(noted, refusals)| (*server, minute.saturating_sub(*noted), *refusals))
        });
        of_servers.filter(|(_, age, _)| *age <= window).collect()
    }

    /// Forgets all of it.
    pub(super) fn clear(&mut self) {
        self.servers.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_refusals_of_a_minute_take_the_room_of_one_and_go_with_it() {
        let none = HashMap::new();
        let mut by_server = ByServer::default();
        for _ in 0..10_000 {
            by_server.count(1, 5, 60);
        }
        by_server.count(2, 6, 60);
        assert_eq!((by_server.most(6, 60, &none), by_server.servers[&1].len()), (10_000, 1));
        assert_eq!(by_server.most(66, 60, &none), 1, "the fifth minute is over");
        by_server.count(2, 66, 60);
        assert_eq!((by_server.most(66, 60, &none), by_server.servers.len()), (2, 1));
    }
}
