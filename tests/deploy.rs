//! The files under `deploy/` are true.

use push_bouncer::config::Config;

const SETTINGS: &str = include_str!("../deploy/push-bouncer.toml");

#[test]
fn the_annotated_settings_are_valid() {
    Config::parse(SETTINGS).unwrap();
}

#[test]
fn the_defaults_it_names_are_the_defaults() {
    // A default is what a line `# name = value` says; `…` stands for what has none.
    let with_defaults: String = SETTINGS
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(setting) if is_default(setting) => setting,
            _ => line,
        })
        .flat_map(|line| [line, "\n"])
        .collect();
    assert_ne!(with_defaults, SETTINGS);
    let (plain, spelled_out) =
        (Config::parse(SETTINGS).unwrap(), Config::parse(&with_defaults).unwrap());
    assert_eq!(format!("{:?}", spelled_out.http), format!("{:?}", plain.http));
    assert_eq!(format!("{:?}", spelled_out.internal), format!("{:?}", plain.internal));
    assert_eq!(format!("{:?}", spelled_out.database), format!("{:?}", plain.database));
    assert_eq!(format!("{:?}", spelled_out.redis), format!("{:?}", plain.redis));
    assert_eq!(format!("{:?}", spelled_out.push), format!("{:?}", plain.push));
    assert_eq!(format!("{:?}", spelled_out.compat), format!("{:?}", plain.compat));
    assert_eq!(format!("{:?}", spelled_out.registration), format!("{:?}", plain.registration));
    assert_eq!(format!("{:?}", spelled_out.entitlement), format!("{:?}", plain.entitlement));
    assert_eq!(format!("{:?}", spelled_out.limits), format!("{:?}", plain.limits));
    assert_eq!(format!("{:?}", spelled_out.retention), format!("{:?}", plain.retention));
    assert_eq!(format!("{:?}", spelled_out.operator), format!("{:?}", plain.operator));
    assert_eq!(format!("{:?}", spelled_out.outbound), format!("{:?}", plain.outbound));
    assert_eq!(format!("{:?}", spelled_out.dns), format!("{:?}", plain.dns));
    assert_eq!(format!("{:?}", spelled_out.log), format!("{:?}", plain.log));
    let (app, plain_app) = (&spelled_out.apns["ios"], &plain.apns["ios"]);
    assert_eq!(app.attempt_timeout, plain_app.attempt_timeout);
    assert_eq!(app.endpoint.as_deref(), Some(plain_app.environment.endpoint()));
}

fn is_default(setting: &str) -> bool {
    let is_name = |text: &str| text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    setting.split_once(" = ").is_some_and(|(name, value)| {
        is_name(name) && !value.contains('…') && !matches!(name, "url_file")
    })
}
