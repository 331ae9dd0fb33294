//! How the heads of pushes are compressed.

use super::{beside, notify_all, until_accepted};

/// Places in the static table of HPACK, RFC 7541 appendix A.
const PATH: u64 = 4;
const AUTHORIZATION: u64 = 23;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A field that both sides have in their tables.
    Indexed,
    /// A field that both sides put into their tables.
    Inserted,
    /// A field that neither side keeps.
    NotKept,
}

/// The fields of a compressed head, each with the place of its name (0: written out).
fn fields(mut head: &[u8]) -> Vec<(Kind, u64)> {
    let mut fields = Vec::new();
    while let Some(&first) = head.first() {
        let (kind, bits) = match first {
            0x80.. => (Kind::Indexed, 7),
            0x40.. => (Kind::Inserted, 6),
            // The size of the table.
            0x20.. => {
                integer(&mut head, 5);
                continue;
            }
            _ => (Kind::NotKept, 4),
        };
        let name = integer(&mut head, bits);
        if kind != Kind::Indexed {
            let strings = if name == 0 { 2 } else { 1 };
            for _ in 0..strings {
                let length = usize::try_from(integer(&mut head, 7)).unwrap();
                head = &head[length..];
            }
        }
        fields.push((kind, name));
    }
    fields
}

/// RFC 7541 section 5.1.
fn integer(head: &mut &[u8], bits: u32) -> u64 {
    let mut next = || {
        let byte = head[0];
        *head = &head[1..];
        u64::from(byte)
    };
    let most = (1 << bits) - 1;
    let mut value = next() & most;
    if value == most {
        for shift in (0..).step_by(7) {
            let byte = next();
            value += (byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                break;
            }
        }
    }
    value
}

#[tokio::test(flavor = "multi_thread")]
async fn case_13_what_differs_from_push_to_push_does_not_fill_the_table_of_headers() {
    let (world, server, peer) = beside("", 100, |line, stream, _| line.answer(stream)).await;
    notify_all(&server, [0]).await;
    // More than the table of 4096 bytes could hold, were their ids kept.
    notify_all(&server, 1..101).await;
    until_accepted(&world, 101).await;

    let heads = peer.lines()[0].seen().heads;
    let first = fields(&heads[0]);
    assert!(first.iter().any(|(kind, _)| *kind == Kind::Inserted), "{first:?}");
    for head in &heads {
        for (kind, name) in fields(head) {
            let is_secret = name == PATH || name == AUTHORIZATION;
            assert!(!is_secret || kind == Kind::NotKept, "{kind:?} {name}");
        }
    }
    for head in &heads[1..] {
        let fields = fields(head);
        let count = |kind| fields.iter().filter(|field| field.0 == kind).count();
        assert_eq!(count(Kind::Inserted), 0, "{fields:?}");
        assert!(fields.iter().all(|(_, name)| *name != 0), "every name is known: {fields:?}");
    }
    // The credentials, the token of a phone and the id are most of it.
    let longest = heads[1..].iter().map(Vec::len).max().unwrap();
    assert!(longest < heads[0].len() - 60, "{longest} of {}", heads[0].len());
    world.shutdown().await;
}
