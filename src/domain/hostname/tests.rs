//! What is and what is not a host name.

use super::{Hostname, HostnameError};

/// Sixty, fifty-eight and eight characters between dots: 128 in all.
fn long_host() -> String {
    format!("{}.{}.testtest", "a".repeat(60), "b".repeat(58))
}

#[test]
fn hosts_the_official_service_accepts_are_accepted() {
    for host in [
        "127.0.0.1:9444",
        "192.0.2.7",
        "[2001:db8::1]:8443",
        "[::ffff:192.0.2.7]",
        "b\u{fc}cher.selfhosted.test",
        "\u{1f600}.test",
        "foo.\u{fc}",
        "foo.test",
        "foo.test:0",
        "foo.test:99999",
        "localhost",
        "localhost:9444",
        "query.selfhosted.test",
        "unregistered.selfhosted.test",
        "push.xn--p1ai",
        "s0.selfhosted.test",
        "s1.selfhosted.test",
        "s10.selfhosted.test",
        "s11.selfhosted.test",
        "s1b.selfhosted.test",
        "s2.selfhosted.test",
        "s3.selfhosted.test",
        "s4.selfhosted.test",
        "s5.selfhosted.test:8443",
        "s6.selfhosted.test",
        "s8.selfhosted.test",
        "s9.selfhosted.test",
        &long_host(),
    ] {
        assert_eq!(Hostname::parse(host).as_ref().map(Hostname::as_str), Ok(host));
    }
}

#[test]
fn a_host_is_kept_in_lower_case() {
    for (written, kept) in [
        ("S1B.selfhosted.test", "s1b.selfhosted.test"),
        ("S8.SELFHOSTED.TEST", "s8.selfhosted.test"),
        ("B\u{dc}CHER.test", "b\u{fc}cher.test"),
        ("[2001:DB8::1]", "[2001:db8::1]"),
        ("LocalHost", "localhost"),
    ] {
        assert_eq!(Hostname::parse(written).unwrap().to_string(), kept);
    }
}

#[test]
fn the_dot_of_the_root_and_the_port_of_https_are_left_out() {
    for (written, kept) in [
        ("S8.selfhosted.test.", "s8.selfhosted.test"),
        ("s8.selfhosted.test.:8443", "s8.selfhosted.test:8443"),
        ("s8.selfhosted.test:443", "s8.selfhosted.test"),
        ("s8.selfhosted.test.:443", "s8.selfhosted.test"),
        ("s8.selfhosted.test:00443", "s8.selfhosted.test"),
        ("localhost:443", "localhost"),
        ("192.0.2.7:443", "192.0.2.7"),
        ("[2001:db8::443]:443", "[2001:db8::443]"),
        ("[2001:db8::443]", "[2001:db8::443]"),
        ("s8.selfhosted.test:4430", "s8.selfhosted.test:4430"),
        ("s8.selfhosted.test:99999", "s8.selfhosted.test:99999"),
    ] {
        assert_eq!(Hostname::parse(written).unwrap().as_str(), kept, "{written}");
    }
}

#[test]
fn more_than_a_host_is_told_apart_from_no_host() {
    for text in [
        "foo.test/",
        "foo.test/x",
        "foo.test?x=1",
        "foo.test#f",
        "http://foo.test",
        "foo.test?",
        "-/",
        "/",
    ] {
        assert_eq!(Hostname::parse(text), Err(HostnameError::InvalidComponents), "{text:?}");
    }
}

#[test]
fn what_names_no_host_is_refused() {
    for text in [
        "",
        " ",
        ".",
        "-foo.test",
        "1.2.3",
        "01.2.3.4",
        "1.2.3.4.",
        "256.1.1.1",
        "::1",
        "@foo.test",
        "[foo.test",
        "[foo.test]",
        "[::1",
        "[::1]x",
        "[::1]:",
        "[::1%eth0]",
        "foo",
        "foo bar",
        "foo bar.test",
        "foo-.test",
        "foo..test",
        ".foo.test",
        "foo.test..",
        "foo.t",
        "foo.123",
        "foo.t3st",
        "foo.xn--a-1",
        "foo.xn--",
        "foo.-test",
        "foo.test-",
        "foo.test:",
        "foo.test:123456",
        "foo.test:1a",
        "foo.test:\u{661}",
        "foo.test:1:2",
        "foo\tbar.test",
        "foo\0.test",
        "foo.test\n",
        "foo.test ",
        "foo\\bar.test",
        "foo_bar.test",
        "foo%41.test",
        "invalid-host",
        "localhost.",
        "user@s8.selfhosted.test",
        "user:pw@s8.selfhosted.test",
    ] {
        assert_eq!(Hostname::parse(text), Err(HostnameError::Invalid), "{text:?}");
    }
}

#[test]
fn characters_that_nobody_sees_are_refused() {
    for unseen in ['\u{ad}', '\u{200b}', '\u{202e}', '\u{2066}', '\u{feff}', '\u{e0001}'] {
        let text = format!("chat.exam{unseen}ple.org");
        assert_eq!(
            Hostname::parse(&text),
            Err(HostnameError::Invalid),
            "{}",
            text.escape_unicode()
        );
    }
}

#[test]
fn characters_that_resolvers_fold_into_punctuation_are_refused() {
    for text in [
        "foo\u{3000}bar.test",
        "foo\u{a0}bar.test",
        "foo\u{2100}bar.test",
        "foo\u{ff0f}.test",
        "foo\u{ff20}evil.test",
        "foo\u{3002}test.test",
        "foo\u{1f100}test.test",
    ] {
        assert_eq!(Hostname::parse(text), Err(HostnameError::Invalid), "{text:?}");
    }
}

#[test]
fn labels_and_hosts_have_a_greatest_length() {
    assert!(Hostname::parse(&format!("{}.test", "a".repeat(63))).is_ok());
    assert!(Hostname::parse(&format!("{}.test", "a".repeat(64))).is_err());
    let labels = format!("{}.", "a".repeat(49)).repeat(5);
    assert_eq!(labels.len(), 250);
    assert!(Hostname::parse(&format!("{labels}abc:12345")).is_ok());
    assert!(Hostname::parse(&format!("{labels}abcd")).is_err());
}

#[test]
fn a_host_of_129_characters_is_no_matter_of_this_type() {
    let host = format!("{}.{}.test123", "a".repeat(60), "b".repeat(60));
    assert_eq!(host.len(), 129);
    assert_eq!(Hostname::parse(&host), Err(HostnameError::Invalid), "its top label has digits");
    let host = format!("{}.{}.testabc", "a".repeat(60), "b".repeat(60));
    assert!(Hostname::parse(&host).is_ok());
}

#[test]
fn host_and_port_are_told_apart() {
    for (text, host, port) in [
        ("chat.test", "chat.test", Some(443)),
        ("chat.test.", "chat.test", Some(443)),
        ("chat.test.:8443", "chat.test", Some(8443)),
        ("localhost:0", "localhost", Some(0)),
        ("chat.test:99999", "chat.test", None),
        ("192.0.2.7:1", "192.0.2.7", Some(1)),
        ("[2001:db8::1]", "2001:db8::1", Some(443)),
        ("[2001:db8::1]:8443", "2001:db8::1", Some(8443)),
    ] {
        let hostname = Hostname::parse(text).unwrap();
        assert_eq!((hostname.host(), hostname.port()), (host, port), "{text}");
    }
}
