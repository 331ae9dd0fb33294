//! What the file says, and what the environment says where the file is silent.

use super::*;
use crate::config::{Config, ConfigError};

const SETTINGS: &str = "public_url = \"https://push.example.com\"\nsecret_key_file = \"s\"\n\
    http.tls = { cert_file = \"c\", key_file = \"k\" }\n";

fn settings(proxy: &str, environment: &[(&str, &str)]) -> Result<ProxyConfig, ConfigError> {
    let variable = |name: &str| {
        environment.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    };
    let config = Config::parse(&format!("{SETTINGS}{proxy}"))?.with_environment(variable)?;
    Ok(config.proxy)
}

/// The proxy of these settings as a text, and whether `a.test` is reached without it.
fn told(proxy: &str, environment: &[(&str, &str)]) -> (Option<String>, bool) {
    let config = settings(proxy, environment).unwrap();
    let address = config.address().unwrap().map(|address| address.to_string());
    (address, config.exceptions().covers("a.test", 443))
}

#[test]
fn the_file_wins_over_the_environment() {
    let environment = [("HTTPS_PROXY", "http://e:1"), ("NO_PROXY", "b.test, a.test")];
    let http = |text: &str| Some(format!("http://{text}"));
    assert_eq!(told("", &[]), (None, false));
    assert_eq!(told("", &environment), (http("e:1"), true));
    assert_eq!(told("proxy.url = \"http://f:2\"", &environment), (http("f:2"), true));
    assert_eq!(told("proxy.no_proxy = []", &environment), (http("e:1"), false));
    assert_eq!(told("proxy.no_proxy = [\"a.test\"]", &[]), (None, true));
    assert_eq!(told("proxy.url = \"\"", &environment), (None, true), "turned off");
}

#[test]
fn the_environment_is_read_as_other_programs_read_it() {
    let of = |environment: &[(&str, &str)]| told("", environment).0;
    assert_eq!(of(&[("https_proxy", "http://e:1")]).as_deref(), Some("http://e:1"));
    assert_eq!(of(&[("https_proxy", "e:1")]).as_deref(), Some("http://e:1"));
    assert_eq!(of(&[("HTTPS_PROXY", "")]), None);
    assert_eq!(of(&[("HTTP_PROXY", "http://e:1"), ("ALL_PROXY", "http://e:1")]), None);
    let odd = [("no_proxy", "*.local,169.254/16,a.test,<local>")];
    assert!(told("", &odd).1, "what only others understand is no fault");
}

#[test]
fn a_file_may_hold_the_url() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, "http://u:secret@f:3\n").unwrap();
    let setting = format!("proxy.url_file = {:?}", file.path());
    let environment = [("HTTPS_PROXY", "http://e:1")];
    assert_eq!(told(&setting, &environment).0.as_deref(), Some("http://f:3"));

    std::fs::write(&file, "https://u:secret@f:3\n").unwrap();
    let complaint = settings(&setting, &[]).unwrap().address().unwrap_err().to_string();
    assert!(complaint.starts_with("`proxy.url_file` begins with `https://`"), "{complaint}");
    assert!(!complaint.contains("secret"));

    let missing = ProxyConfig { url_file: Some("/nonexistent".into()), ..Default::default() };
    let complaint = missing.address().unwrap_err().to_string();
    assert!(complaint.starts_with("cannot read `proxy.url_file` (`/nonexistent`)"), "{complaint}");
}

#[test]
fn what_cannot_be_used_is_told_without_the_password() {
    let complaint = |proxy: &str, environment: &[(&str, &str)]| {
        settings(proxy, environment).unwrap_err().to_string()
    };
    let in_file = complaint("proxy.url = \"https://u:secret@p:1\"", &[]);
    assert!(in_file.starts_with("`proxy.url` begins with `https://`, which is not"), "{in_file}");
    let in_environment = complaint("", &[("HTTPS_PROXY", "socks5://u:secret@p:1")]);
    assert!(in_environment.starts_with("`HTTPS_PROXY` of the environment"), "{in_environment}");
    assert!(in_environment.contains("`proxy.url = \"\"`"), "{in_environment}");
    let both = complaint("proxy = { url = \"\", url_file = \"f\" }", &[]);
    assert_eq!(both, "`proxy.url` and `proxy.url_file` are both set");
    let entry = complaint("proxy.no_proxy = [\"a.test\", \"a b\"]", &[]);
    assert!(entry.starts_with("`proxy.no_proxy`: `a b` is neither"), "{entry}");
    assert!(![in_file, in_environment].concat().contains("secret"));
}

#[test]
fn the_password_is_not_printed() {
    let config = settings("proxy.url = \"http://u:secret@p:1\"", &[]).unwrap();
    assert!(!format!("{config:?}").contains("secret"));
}
