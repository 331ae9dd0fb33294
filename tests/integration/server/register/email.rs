//! The administrator's e-mail address: how far it is checked is a setting.

use crate::world::{Registered, World};

/// Addresses, and whether each is taken in the modes `off`, `syntax`, `mx-or-a` and `mx`.
const ADDRESSES: [(&str, [bool; 4]); 7] = [
    ("admin@selfhosted.test", [true, true, true, true]),
    // An address, and no MX record.
    ("admin@nomx.test", [true, true, true, false]),
    // Neither.
    ("admin@nx.test", [true, true, false, false]),
    ("admin@no-such-host.invalid", [true, true, false, false]),
    // The name server never answers: nobody is refused for that.
    ("admin@dnstimeout.test", [true, true, true, true]),
    ("admin@example.com", [true, false, false, false]),
    ("no-address", [true, false, false, false]),
];

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_checked_when_the_check_is_off() {
    addresses_are_taken_as_in("registration.email_check = \"off\"", 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_form_is_checked_by_syntax() {
    addresses_are_taken_as_in("registration.email_check = \"syntax\"", 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_domain_with_an_address_will_do_by_default() {
    addresses_are_taken_as_in("", 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_domain_needs_a_mail_exchanger_by_mx() {
    addresses_are_taken_as_in("registration.email_check = \"mx\"", 3).await;
}

async fn addresses_are_taken_as_in(settings: &str, mode: usize) {
    let world = World::start(settings).await;
    for (number, (address, taken)) in ADDRESSES.into_iter().enumerate() {
        let hostname = format!("chat{number}.selfhosted.test");
        let server = world.new_chat_server(&hostname);
        let registered = server.register_with(&[("contact_email", address)]).await;
        let expected = if taken[mode] {
            Registered::Created
        } else {
            Registered::Refused(400, "BAD_REQUEST".to_owned())
        };
        assert_eq!(registered, expected, "{address}");
    }
    world.shutdown().await;
}
