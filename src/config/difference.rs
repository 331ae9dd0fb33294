//! What differs between two readings of the file.

use super::{ApnsAppConfig, Config, FcmAppConfig};

impl Config {
    /// The sections, or settings outside of any, that are not what they are in `other`; apps aside, whose
    /// credentials may change while the program runs. They count from the next start on.
    #[must_use]
    pub fn sections_that_differ(&self, other: &Self) -> Vec<&'static str> {
        // Taken apart, so that no section can be forgotten.
        let Self {
            public_url,
            secret_key_file,
            operator,
            http,
            internal,
            database,
            redis,
            apns: _,
            fcm: _,
            compat,
            push,
            registration,
            entitlement,
            limits,
            retention,
            outbound,
            proxy,
            dns,
            log,
        } = self;
        let sections = [
            ("public_url", *public_url == other.public_url),
            ("secret_key_file", *secret_key_file == other.secret_key_file),
            ("operator", *operator == other.operator),
            ("http", *http == other.http),
            ("internal", *internal == other.internal),
            ("database", *database == other.database),
            ("redis", *redis == other.redis),
            ("compat", *compat == other.compat),
            ("push", *push == other.push),
            ("registration", *registration == other.registration),
            ("entitlement", *entitlement == other.entitlement),
            ("limits", *limits == other.limits),
            ("retention", *retention == other.retention),
            ("outbound", *outbound == other.outbound),
            ("proxy", *proxy == other.proxy),
            ("dns", *dns == other.dns),
            ("log", *log == other.log),
        ];
        sections.into_iter().filter_map(|(name, is_same)| (!is_same).then_some(name)).collect()
    }
}

impl ApnsAppConfig {
    /// Whether nothing but the credentials differs.
    #[must_use]
    pub fn is_same_app(&self, other: &Self) -> bool {
        let Self {
            topics,
            environment,
            key_file: _,
            key_id: _,
            team_id: _,
            cert_file: _,
            endpoint,
            ca_file,
            attempt_timeout,
            connections,
        } = self;
        *topics == other.topics
            && *environment == other.environment
            && *endpoint == other.endpoint
            && *ca_file == other.ca_file
            && *attempt_timeout == other.attempt_timeout
            && *connections == other.connections
    }
}

impl FcmAppConfig {
    /// Whether nothing but the credentials differs.
    #[must_use]
    pub fn is_same_app(&self, other: &Self) -> bool {
        let Self {
            service_account_file: _,
            project_id: _,
            endpoint,
            token_uri,
            ca_file,
            attempt_timeout,
            connections,
        } = self;
        *endpoint == other.endpoint
            && *token_uri == other.token_uri
            && *ca_file == other.ca_file
            && *attempt_timeout == other.attempt_timeout
            && *connections == other.connections
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    const FILE: &str = "public_url = \"https://push.example.com\"\nsecret_key_file = \"s\"\n\
        http.tls = { cert_file = \"c\", key_file = \"k\" }\n\
        apns.ios = { topics = [\"a.b\"], environment = \"production\", key_file = \"k\", key_id = \"ABCDEFGHIJ\", team_id = \"ABCDEFGHIJ\" }\n\
        fcm.android = { service_account_file = \"f\" }\n";

    #[test]
    fn what_counts_from_the_next_start_on_is_named() {
        let before = Config::parse(FILE).unwrap();
        let text = FILE.replace("push.example.com", "push.example.org");
        let after = Config::parse(&format!("{text}limits.login.rate = \"1/min\"\n")).unwrap();
        assert_eq!(after.sections_that_differ(&before), ["public_url", "limits"]);
        assert!(before.sections_that_differ(&before.clone()).is_empty());
    }

    #[test]
    fn credentials_are_not_what_makes_an_app_another() {
        let before = Config::parse(FILE).unwrap();
        let read = |text: String| Config::parse(&text).unwrap();
        let after = read(FILE.replace("key_file = \"k\", key_id", "key_file = \"l\", key_id"));
        assert!(after.apns["ios"].is_same_app(&before.apns["ios"]));
        assert!(after.sections_that_differ(&before).is_empty());
        let after = read(FILE.replace("production", "sandbox"));
        assert!(!after.apns["ios"].is_same_app(&before.apns["ios"]));
        let after = read(FILE.replace("\"f\"", "\"f\", project_id = \"p\""));
        assert!(after.fcm["android"].is_same_app(&before.fcm["android"]));
        let after = read(FILE.replace("\"f\"", "\"f\", endpoint = \"https://x\""));
        assert!(!after.fcm["android"].is_same_app(&before.fcm["android"]));
    }
}
