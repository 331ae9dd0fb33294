//! What the types cannot say: ranges, and settings that contradict each other.

use std::{collections::BTreeMap, ops::RangeInclusive, time::Duration};

use super::{ApnsAppConfig, Config, RegistrationMode, TlsMode};
use crate::domain::device::AppId;

/// After this the chat server has given up; protocol and reference agree on it since 8.0.
const CLIENT_PATIENCE: Duration = Duration::from_secs(15);

/// An answer takes no longer than this, whatever a provider does.
const LATEST_ANSWER: Duration = Duration::from_secs(12);

/// Shorter is no attempt; for a longer one no breaker waits.
const ATTEMPT_TIMEOUTS: RangeInclusive<Duration> =
    Duration::from_millis(100)..=Duration::from_secs(60);

/// Everything that is wrong with the settings, as sentences.
pub(super) fn problems(config: &Config) -> Vec<String> {
    let mut problems = Vec::new();
    let mut check = |is_right: bool, sentence: &str| {
        if !is_right {
            problems.push(sentence.to_owned());
        }
    };
    let http = &config.http;
    check(
        config.public_url.strip_prefix("https://").is_some_and(|host| {
            !host.is_empty() && !host.trim_end_matches('/').contains(['/', '?', '#', '@', ' '])
        }),
        "`public_url` must be `https://` and a host, without a path",
    );
    match http.tls.mode {
        TlsMode::Files => check(
            http.tls.cert_file.is_some() && http.tls.key_file.is_some(),
            "`http.tls.cert_file` and `http.tls.key_file` are missing; with a proxy in front set `http.tls.mode = \"off\"`",
        ),
        TlsMode::Off => check(
            !http.trusted_proxies.is_empty(),
            "`http.tls.mode = \"off\"` needs `http.trusted_proxies`: without it every chat server would share the proxy's limit",
        ),
    }
    check(
        config.operator.contact.as_ref().is_none_or(|contact| {
            !contact.trim().is_empty() && !contact.contains(char::is_control)
        }),
        "`operator.contact` is empty, or has more than one line",
    );
    check(!http.listen.is_empty(), "`http.listen` names no address");
    check(
        http.request_timeout < CLIENT_PATIENCE,
        "`http.request_timeout` must be below 15s: chat servers give up then",
    );
    check(
        http.analytics_timeout < Duration::from_secs(90),
        "`http.analytics_timeout` must be below 90s: chat servers give up then",
    );
    check(
        config.push.answer_within <= LATEST_ANSWER
            && config.push.answer_within < http.request_timeout,
        "`push.answer_within` must be below `http.request_timeout` and at most 12s",
    );
    check(
        http.max_in_flight > 0 && http.max_connections > 0 && http.max_connections_per_address > 0,
        "`http.max_in_flight`, `http.max_connections` and `http.max_connections_per_address` must be above 0",
    );
    check(
        http.max_body_bytes > 0 && http.max_upload_bytes > 0,
        "a body limit of 0 lets nothing in",
    );
    check(
        config.database.url.is_none() || config.database.url_file.is_none(),
        "`database.url` and `database.url_file` are both set",
    );
    check(config.database.max_connections > 0, "`database.max_connections` must be above 0");
    check(
        config.database.statement_timeout >= Duration::from_secs(1),
        "`database.statement_timeout` must be at least 1s",
    );
    check(
        config.database.serve_from_memory_for <= Duration::from_secs(24 * 60 * 60),
        "`database.serve_from_memory_for` must be at most 24h",
    );
    let push = &config.push;
    check(
        push.retry_bytes >= 1024 * 1024 && push.retry_devices >= 1000,
        "`push.retry_bytes` must be at least 1048576 and `push.retry_devices` at least 1000",
    );
    check(
        push.brake.min_pushes > 0 && push.brake.ratio > 0.0 && push.brake.ratio <= 1.0,
        "`push.brake.min_pushes` must be above 0, and `push.brake.ratio` above 0 and at most 1",
    );
    check(
        push.brake.window >= Duration::from_secs(60)
            && push.brake.window <= Duration::from_secs(24 * 60 * 60),
        "`push.brake.window` must be from 1m to 24h",
    );
    let outbound = &config.outbound;
    check(
        [
            outbound.ping_interval,
            outbound.ping_timeout,
            outbound.max_connection_age,
            outbound.idle_timeout,
        ]
        .iter()
        .all(|time| !time.is_zero()),
        "the times of `[outbound]` must be above 0",
    );
    check(
        config.registration.mode != RegistrationMode::Allowlist
            || !config.registration.allow_hosts.is_empty(),
        "`registration.mode = \"allowlist\"` needs `registration.allow_hosts`",
    );
    problems.extend(config.retention.problems());
    problems.extend(config.proxy.problems());
    problems.extend(config.redis.problems());
    apns(&config.apns, &mut problems);
    let timeouts =
        config.apns.iter().map(|(name, app)| (format!("apns.{name}"), app.attempt_timeout)).chain(
            config.fcm.iter().map(|(name, app)| (format!("fcm.{name}"), app.attempt_timeout)),
        );
    for (section, timeout) in timeouts {
        if !ATTEMPT_TIMEOUTS.contains(&timeout) {
            problems.push(format!("`{section}.attempt_timeout` must be from 100ms to 1m"));
        }
    }
    problems
}

fn apns(apps: &BTreeMap<String, ApnsAppConfig>, problems: &mut Vec<String>) {
    let mut owners: BTreeMap<&str, &str> = BTreeMap::new();
    for (name, app) in apps {
        if app.topics.is_empty() {
            problems.push(format!("`apns.{name}.topics` names no bundle id"));
        }
        for topic in &app.topics {
            if AppId::parse(topic).is_none() {
                problems.push(format!("`apns.{name}.topics`: `{topic}` is not a bundle id"));
            }
            if let Some(other) = owners.insert(topic, name) {
                problems
                    .push(format!("`{topic}` is a topic of both `apns.{other}` and `apns.{name}`"));
            }
        }
        match (&app.key_file, &app.cert_file) {
            (Some(_), Some(_)) => {
                problems.push(format!("`apns.{name}` has both `key_file` and `cert_file`"));
            }
            (None, None) => {
                problems.push(format!("`apns.{name}` has neither `key_file` nor `cert_file`"));
            }
            (Some(_), None) => {
                for (key, value) in [("key_id", &app.key_id), ("team_id", &app.team_id)] {
                    let is_id = |id: &String| {
                        id.len() == 10 && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
                    };
                    if !value.as_ref().is_some_and(is_id) {
                        problems
                            .push(format!("`apns.{name}.{key}` must be ten letters and digits"));
                    }
                }
            }
            (None, Some(_)) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, ConfigError};

    fn problems(text: &str) -> Vec<String> {
        match Config::parse(text) {
            Ok(_) => Vec::new(),
            Err(ConfigError::Invalid(problems)) => problems,
            Err(other) => vec![other.to_string()],
        }
    }

    const TLS: &str = "public_url = \"https://push.example.com\"\nsecret_key_file = \"s\"\nhttp.tls = { cert_file = \"c\", key_file = \"k\" }\n";

    #[test]
    fn the_smallest_file_needs_an_address_and_a_certificate() {
        assert_eq!(problems(TLS), Vec::<String>::new());
        assert_eq!(
            problems("public_url = \"https://push.example.com\"\nsecret_key_file = \"s\"").len(),
            1
        );
    }

    #[test]
    fn all_contradictions_are_told_at_once() {
        let text = "public_url = \"http://x\"\nsecret_key_file = \"s\"\nhttp = { request_timeout = \"20s\", tls.mode = \"off\" }\n\
            [apns.ios]\ntopics = [\"a b\"]\nenvironment = \"production\"\nkey_file = \"k\"\n";
        assert_eq!(problems(text).len(), 6, "{:?}", problems(text));
    }

    #[test]
    fn an_attempt_is_neither_nothing_nor_endless() {
        let with = |timeout: &str| {
            problems(&format!(
                "{TLS}[fcm.android]\nservice_account_file = \"f\"\nattempt_timeout = \"{timeout}\"\n"
            ))
        };
        assert_eq!(with("1m"), Vec::<String>::new());
        let wrong = ["`fcm.android.attempt_timeout` must be from 100ms to 1m"];
        assert_eq!(with("61s"), wrong);
        assert_eq!(with("0s"), wrong);
    }

    #[test]
    fn an_unknown_key_is_an_error_that_names_its_place() {
        let told = problems(&format!("{TLS}push.answer_witin = \"1s\"\n"));
        assert!(told[0].contains("line 4") && told[0].contains("answer_witin"), "{told:?}");
    }
}
