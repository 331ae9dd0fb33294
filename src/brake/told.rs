//! What nodes tell each other of an app: all that counts within its window, in little room.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use super::window::Sums;

/// A window is told in no more parts than this, so that a day takes no more room than fifteen minutes.
const PARTS: u64 = 16;

/// Of so many servers it is told how many refusals they have, of those with most. Who is left out has less than a
/// thirtieth of the node's.
const SERVERS: usize = 32;

/// All that a node counted within a window: at most about 8 kB of JSON, mostly a few hundred bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Told {
    /// The first server that it sent for.
    #[serde(rename = "f")]
    first: Option<i64>,
    /// How many minutes ago it sent for another one.
    #[serde(rename = "o")]
    other: Option<u64>,
    #[serde(rename = "p")]
    parts: Vec<Part>,
}

/// Some minutes of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Part {
    /// How many minutes ago the last of them was.
    #[serde(rename = "a")]
    age: u64,
    #[serde(rename = "s")]
    sends: u64,
    #[serde(rename = "r")]
    refusals: u64,
    /// Refusals by server.
    #[serde(rename = "b")]
    by_server: Vec<(i64, u64)>,
}

/// Which servers were sent for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Servers {
    #[default]
    None,
    One(i64),
    Several,
}

/// What all other nodes counted within the window.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Others {
    pub(super) sums: Sums,
    pub(super) servers: Servers,
    /// Refusals by server.
    pub(super) by_server: HashMap<i64, u64>,
}

impl Told {
    /// What a node counted in the minutes of a window, each with how many minutes ago it was; nothing where it
    /// counted nothing. Minutes that share a part are told as if they were its last one.
    pub(super) fn new(
        window_minutes: u64,
        (first, other): (Option<i64>, Option<u64>),
        minutes: impl Iterator<Item = (u64, Sums)>,
        by_server: &[(i64, u64, u64)],
    ) -> Option<Self> {
        let minutes_of_part = (window_minutes + 1).div_ceil(PARTS);
        let age_of_part = |age: u64| age / minutes_of_part * minutes_of_part;
        let mut parts: BTreeMap<u64, Part> = BTreeMap::new();
        for (age, sums) in minutes.filter(|(_, sums)| sums.sends > 0) {
            let age = age_of_part(age);
            let part = parts.entry(age).or_insert_with(|| Part { age, ..Part::default() });
            part.sends += sums.sends;
            part.refusals += sums.refusals;
        }
        if parts.is_empty() {
            return None;
        }
        let told = loudest(by_server);
        for (server, age, refusals) in by_server.iter().filter(|(server, ..)| told.contains(server))
        {
            let Some(part) = parts.get_mut(&age_of_part(*age)) else { continue };
            match part.by_server.iter_mut().find(|(noted, _)| noted == server) {
                Some((_, noted)) => *noted += refusals,
                None => part.by_server.push((*server, *refusals)),
            }
        }
        Some(Self { first, other, parts: parts.into_values().collect() })
    }
}

/// The servers with most refusals.
fn loudest(by_server: &[(i64, u64, u64)]) -> Vec<i64> {
    let mut totals: HashMap<i64, u64> = HashMap::new();
    for (server, _, refusals) in by_server {
        *totals.entry(*server).or_default() += refusals;
    }
    let mut totals: Vec<(u64, i64)> =
        totals.into_iter().map(|(server, refusals)| (refusals, server)).collect();
    totals.sort_unstable_by(|one, other| other.cmp(one));
    totals.truncate(SERVERS);
    totals.into_iter().map(|(_, server)| server).collect()
}

impl Servers {
    /// Those of both.
    pub(super) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::None, servers) | (servers, Self::None) => servers,
            (Self::One(one), Self::One(other)) if one == other => self,
            (Self::One(_) | Self::Several, Self::One(_) | Self::Several) => Self::Several,
        }
    }
}

impl Others {
    /// Adds what another node told some minutes ago, as far as the window still reaches.
    pub(super) fn add(&mut self, told: &Told, minutes_ago: u64, window_minutes: u64) {
        let counts = |age: u64| age.saturating_add(minutes_ago) <= window_minutes;
        let mut sends = 0_u64;
        for part in told.parts.iter().filter(|part| counts(part.age)) {
            sends = sends.saturating_add(part.sends);
            self.sums.refusals = self.sums.refusals.saturating_add(part.refusals);
            for (server, refusals) in &part.by_server {
                let sum = self.by_server.entry(*server).or_default();
                *sum = sum.saturating_add(*refusals);
            }
        }
        self.sums.sends = self.sums.sends.saturating_add(sends);
        self.servers =
            self.servers.and(match (told.other.filter(|age| counts(*age)), told.first) {
                _ if sends == 0 => Servers::None,
                (Some(_), _) => Servers::Several,
                (None, Some(first)) => Servers::One(first),
                (None, None) => Servers::None,
            });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sums(sends: u64, refusals: u64) -> Sums {
        Sums { sends, refusals }
    }

    #[test]
    fn what_was_told_grows_old_like_what_was_counted() {
        let minutes = [(0, sums(5, 1)), (9, sums(20, 10)), (15, sums(3, 0))];
        let by_server = [(7, 0, 1), (7, 9, 4), (8, 9, 6)];
        let told = Told::new(15, (Some(7), Some(9)), minutes.into_iter(), &by_server).unwrap();
        let told: Told = serde_json::from_str(&serde_json::to_string(&told).unwrap()).unwrap();
        let at = |minutes_ago| {
            let mut others = Others::default();
            others.add(&told, minutes_ago, 15);
            (others.sums, others.servers, others.by_server)
        };
        let by_server = |of: &[(i64, u64)]| of.iter().copied().collect::<HashMap<i64, u64>>();
        assert_eq!(at(0), (sums(28, 11), Servers::Several, by_server(&[(7, 5), (8, 6)])));
        assert_eq!(at(6), (sums(25, 11), Servers::Several, by_server(&[(7, 5), (8, 6)])));
        assert_eq!(at(7), (sums(5, 1), Servers::One(7), by_server(&[(7, 1)])));
        assert_eq!(at(16), (sums(0, 0), Servers::None, HashMap::new()));
    }

    #[test]
    fn a_day_with_many_servers_takes_little_room() {
        let minutes = (0..=1440).map(|age| (age, sums(1_000_000, 100_000)));
        let by_server: Vec<_> = (0..100)
            .flat_map(|server| (0..=1440).map(move |age| (1_000_000 + server, age, 1_000)))
            .chain([(5, 3, 200_000_000)])
            .collect();
        let told = Told::new(1440, (Some(1), None), minutes, &by_server).unwrap();
        let text = serde_json::to_string(&told).unwrap();
        assert!(text.len() < 10_000, "{}", text.len());
        let mut others = Others::default();
        others.add(&told, 0, 1440);
        assert_eq!(others.sums, sums(1_441_000_000, 144_100_000));
        assert_eq!(others.by_server.len(), SERVERS);
        assert_eq!(others.by_server[&5], 200_000_000, "who has most is among them");
    }

    #[test]
    fn two_nodes_with_one_server_each_make_several() {
        let of = |server| {
            let minutes = [(0, sums(1, 0))].into_iter();
            Told::new(15, (Some(server), None), minutes, &[]).unwrap()
        };
        let mut others = Others::default();
        others.add(&of(1), 0, 15);
        others.add(&of(1), 0, 15);
        assert_eq!(others.servers, Servers::One(1));
        others.add(&of(2), 0, 15);
        assert_eq!(others.servers, Servers::Several);
        assert_eq!(Told::new(15, (Some(1), None), [(0, sums(0, 0))].into_iter(), &[]), None);
    }
}
