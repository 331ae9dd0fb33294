//! How many connections a push service may get from us.

use serde::{Deserialize, Deserializer, de::Error as _};

/// The connections of one app, at most: `"auto"` or a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connections(pub usize);

/// 16 connections: 1,600 requests under way where the peer allows 100 on each, as Google does.
const AUTO: Connections = Connections(16);

/// Apple and Google take many connections for an attack.
const MOST: usize = 256;

impl Default for Connections {
    fn default() -> Self {
        AUTO
    }
}

impl<'de> Deserialize<'de> for Connections {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Number(usize),
            Word(String),
        }
        match Written::deserialize(deserializer) {
            Ok(Written::Number(number)) if (1..=MOST).contains(&number) => Ok(Self(number)),
            Ok(Written::Word(word)) if word == "auto" => Ok(AUTO),
            _ => Err(D::Error::custom("connections are \"auto\" or a number from 1 to 256")),
        }
    }
}
