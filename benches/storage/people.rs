//! Who is in the database: everything about a server, a user and a phone follows from its number, in SQL too.

use push_bouncer::domain::user::User;
use ring::digest::{SHA256, SHA512, digest};
use uuid::Uuid;

pub(crate) const USERS_PER_SERVER: u64 = 100;
pub(crate) const PHONES_PER_USER: u64 = 5;

/// Of so many servers one is so old that it names users by number alone.
pub(crate) const OLD_SERVER: u64 = 10;

/// Users whose phones are in every database.
pub(crate) const USERS_OF_ALL: u64 = 2000;

/// How many there are.
#[derive(Clone, Copy)]
pub(crate) struct Size {
    pub(crate) servers: u64,
}

impl Size {
    /// Whole servers.
    pub(crate) fn of_devices(devices: u64) -> Self {
        Self { servers: devices / PHONES_PER_USER / USERS_PER_SERVER }
    }

    pub(crate) fn users(self) -> u64 {
        self.servers * USERS_PER_SERVER
    }

    pub(crate) fn devices(self) -> u64 {
        self.users() * PHONES_PER_USER
    }

    /// From one user drawn to the next: all of them are drawn once, and neighbours in time are far apart.
    pub(crate) fn stride(self) -> u64 {
        let users = self.users();
        // The golden ratio spreads any number of draws evenly.
        let nearly = users * 618_034 / 1_000_000;
        (nearly..).find(|stride| greatest_common_divisor(*stride, users) == 1).unwrap_or(1)
    }

    /// The user of this turn.
    pub(crate) fn draw(self, turn: u64) -> Person {
        Person(turn * self.stride() % self.users())
    }
}

fn greatest_common_divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

#[derive(Clone, Copy)]
pub(crate) struct Person(pub(crate) u64);

impl Person {
    pub(crate) fn server(self) -> u64 {
        self.0 / USERS_PER_SERVER
    }

    /// As the server names the user; a number is one on its server.
    pub(crate) fn user(self) -> User {
        let id = (self.0 % USERS_PER_SERVER + 1).cast_signed();
        if self.is_of_old_server() {
            return User::Id(id);
        }
        User::Both { id, uuid: uuid(&format!("user {}", self.0)) }
    }

    pub(crate) fn is_of_old_server(self) -> bool {
        self.server().is_multiple_of(OLD_SERVER)
    }

    /// Half of all phones are Apple's.
    pub(crate) fn has_apple(self, phone: u64) -> bool {
        (self.0 + phone).is_multiple_of(2)
    }

    /// A token as long as the real ones: 64 characters of Apple, 163 of Google. None has a `d`: to the fakes `dead`
    /// means what it says.
    pub(crate) fn token(self, phone: u64) -> String {
        let name = format!("phone {} {phone}", self.0);
        let short = hexadecimal(digest(&SHA256, name.as_bytes()).as_ref()).replace('d', "0");
        if self.has_apple(phone) {
            return short;
        }
        let long = hexadecimal(digest(&SHA512, name.as_bytes()).as_ref()).replace('d', "0");
        format!("{}:APA91b{long}", &short[..28])
    }
}

/// `zulip_org_id`.
pub(crate) fn server_uuid(server: u64) -> Uuid {
    uuid(&format!("server {server}"))
}

/// `zulip_org_key`.
pub(crate) fn server_key(server: u64) -> String {
    hexadecimal(digest(&SHA256, format!("key {server}").as_bytes()).as_ref())
}

/// The one realm of a server.
pub(crate) fn realm_uuid(server: u64) -> Uuid {
    uuid(&format!("realm {server}"))
}

fn uuid(name: &str) -> Uuid {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest(&SHA256, name.as_bytes()).as_ref()[..16]);
    Uuid::from_bytes(bytes)
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
