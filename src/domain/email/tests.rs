//! What is and what is not an e-mail address.

use super::{EmailAddress, EmailDomain, EmailError};

#[test]
fn addresses_the_official_service_accepts_are_accepted() {
    for (address, domain) in [
        ("admin@selfhosted.test", "selfhosted.test"),
        ("Other.Admin+x@Selfhosted.Test", "selfhosted.test"),
        ("a@localhost", "localhost"),
        ("a@x.mailinator.com", "x.mailinator.com"),
        ("a@b\u{fc}cher.selfhosted.test", "b\u{fc}cher.selfhosted.test"),
        ("a@EXAMPLE.COM", "example.com"),
        ("a@nx.test", "nx.test"),
        ("a@NX.test", "nx.test"),
        ("a@nomx.test", "nomx.test"),
        ("a@foo.12", "foo.12"),
        ("a@foo.\u{fc}", "foo.\u{fc}"),
        ("a@Foo\u{3002}test", "foo.test"),
        ("a@bar\u{ff0e}foo\u{ff61}test", "bar.foo.test"),
        ("!#$%&'*+-/=?^_`{}|~@foo.test", "foo.test"),
        (r#""a\ b@c"@foo.test"#, "foo.test"),
        (r#"""@foo.test"#, "foo.test"),
    ] {
        let parsed = EmailAddress::parse(address).unwrap();
        assert_eq!(parsed.as_str(), address);
        assert_eq!(parsed.domain(), &EmailDomain::Name(domain.to_owned()));
    }
}

#[test]
fn an_address_literal_needs_no_look_up() {
    for (address, literal) in [("a@[127.0.0.1]", "127.0.0.1"), ("a@[2001:DB8::1]", "2001:db8::1")] {
        let parsed = EmailAddress::parse(address).unwrap();
        assert_eq!(parsed.domain(), &EmailDomain::Literal(literal.parse().unwrap()));
        assert_eq!(parsed.to_string(), address);
    }
}

#[test]
fn what_has_not_the_form_of_an_address_is_refused() {
    for text in [
        "",
        "@",
        "nope",
        "plainaddress",
        "a@",
        "@foo.test",
        "a@b@c.test",
        "a b@selfhosted.test",
        " a@selfhosted.test",
        "a@selfhosted.test ",
        "a@selfhosted.test\n",
        "a\0@selfhosted.test",
        "\u{e4}@selfhosted.test",
        ".a@foo.test",
        "a.@foo.test",
        "a..b@foo.test",
        "\"a b\"@foo.test",
        "\"a\"b\"@foo.test",
        "\"a\\\"@foo.test",
        "\"\u{1b}\"@foo.test",
        "\"\\\u{1b}\"@foo.test",
        "\"@foo.test",
        "a@foo",
        "a@foo.",
        "a@foo.t",
        "a@.test",
        "a@foo..test",
        "a@foo.test.",
        "a@-foo.test",
        "a@foo-.test",
        "a@foo.test-",
        "a@foo_bar.test",
        "a@foo bar.test",
        "a@foo\u{3000}bar.test",
        "a@[foo.test]",
        "a@[127.0.0.1",
        "a@127.0.0.1]",
        "a@[]",
        "a@[fe80::1%eth0]",
    ] {
        assert_eq!(EmailAddress::parse(text), Err(EmailError::Invalid), "{text:?}");
    }
}

#[test]
fn an_address_of_255_characters_is_too_long() {
    let label = "b".repeat(59);
    let domain = format!("{label}.{label}.{label}.selfhosted.test");
    for (user_length, expected) in [(58, Ok(254)), (59, Err(EmailError::TooLong))] {
        let address = format!("{}@{domain}", "a".repeat(user_length));
        let length = EmailAddress::parse(&address).map(|address| address.as_str().len());
        assert_eq!(length, expected);
    }
    let label = "b".repeat(60);
    let address = format!("{}@{label}.{label}.{label}.selfhosted.test", "a".repeat(60));
    assert_eq!(EmailAddress::parse(&address), Err(EmailError::TooLong));
}

#[test]
fn a_label_has_63_octets_at_most() {
    assert!(EmailAddress::parse(&format!("a@{}.test", "b".repeat(63))).is_ok());
    assert!(EmailAddress::parse(&format!("a@{}.test", "b".repeat(64))).is_err());
}
