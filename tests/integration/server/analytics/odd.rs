//! Uploads in which something is odd: the row is left out; or not what it should be: all is refused.

use entities::{audit_log, realm_counts};
use sea_orm::EntityTrait as _;
use serde_json::{Value, json};

use super::{R1, one_server, stored_counts};
use crate::world::{audit_row, installation_count, realm, realm_count, stored_realm};

#[tokio::test(flavor = "multi_thread")]
async fn a_count_that_cannot_be_kept_is_left_out() {
    let (world, server) = one_server().await;
    let with = |name: &str, value: Value| {
        let mut count = realm_count(1, 1);
        count[name] = value;
        count
    };
    let rows = json!([
        with("end_time", json!(1e300)),
        with("end_time", json!(-1e300)),
        with("end_time", json!(1e15)),
        with("id", json!(0)),
        with("id", json!(-1)),
        with("property", json!("")),
        with("property", json!("x".repeat(10_000))),
        realm_count(9, 1),
    ]);
    server.upload_well(&[("realm_counts", rows)]).await;
    assert_eq!(stored_counts(&world).await, [(9, None)]);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_of_64_bits_and_long_subgroups_are_kept() {
    let (world, server) = one_server().await;
    let mut count = realm_count(1, 1);
    count["id"] = json!(i64::MAX);
    count["realm"] = json!(i64::MIN);
    count["end_time"] = json!(1_740_000_000);
    count["value"] = json!(i64::MAX);
    count["subgroup"] = json!("0123456789\u{0}abcdefgh");
    server.upload_well(&[("realm_counts", json!([count]))]).await;
    let database = world.database().await;
    let stored = realm_counts::Entity::find().one(&database).await.unwrap().unwrap();
    assert_eq!((stored.remote_id, stored.realm_id), (i64::MAX, i64::MIN));
    assert_eq!((stored.value, stored.subgroup.as_str()), (i64::MAX, "0123456789abcdef"));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_tells_half_of_its_users_is_left_out() {
    let (world, server) = one_server().await;
    let with = |id, extra_data: Value| {
        let mut row = audit_row(id, 1, 0);
        row["extra_data"] = extra_data;
        row
    };
    let rows = json!([
        audit_row(1, 1, 7),
        with(2, json!({"foo": 1})),
        with(3, json!({"10": {"11": {"100": 1, "200": 0, "300": 0, "400": 2}}})),
        with(4, json!({"10": {"11": {"100": "1", "200": 0, "300": 0, "400": 2, "600": 0}}})),
        with(5, json!("[]")),
        with(6, json!("null")),
        with(
            7,
            json!({"10": {"11": {"100": 1, "200": 0, "300": 0, "400": 2, "600": 0}}, "x": "x".repeat(1 << 20)})
        ),
        with(8, json!(format!("{{{}}}", "\"x\":1,".repeat(100_000)))),
    ]);
    server.upload_well(&[("realmauditlog_rows", rows)]).await;
    assert_eq!(server.last_rows(&world).await, [0, 0, 1]);
    assert_eq!(super::users_of_realms(&world).await, [(1, 7)]);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_much_of_a_realm_is_cut() {
    let (world, server) = one_server().await;
    let described = |letter: &str| {
        let mut described = realm(1, R1);
        described["host"] = json!(letter.repeat(100_000));
        described["name"] = json!(format!("\u{0}{}", "ж".repeat(100_000)));
        let methods = (0..10_000).map(|number| (format!("{number:05}"), json!(true)));
        described["authentication_methods"] = Value::Object(methods.collect());
        described["authentication_methods"][letter.repeat(65)] = json!(true);
        ("realms", json!([described]))
    };
    for letter in ["a", "b"] {
        server.upload_well(&[described(letter)]).await;
    }
    let database = world.database().await;
    let stored = stored_realm(&database, R1).await.unwrap();
    assert_eq!((stored.host, stored.name), ("b".repeat(260), "ж".repeat(400)));
    let methods: Value = serde_json::from_str(&stored.authentication_methods).unwrap();
    let methods = methods.as_object().unwrap();
    assert_eq!((methods.len(), methods.get("00063")), (64, Some(&json!(true))));
    let noted = audit_log::Entity::find().all(&database).await.unwrap();
    assert!(noted.iter().all(|event| event.extra_data.len() < 1000), "only the host changed");
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn members_that_nobody_knows_are_passed_over_however_many_there_are() {
    let (world, server) = one_server().await;
    let with_many = |row: Value| {
        let many: String = (0..100_000).map(|number| format!("\"{number}\":0,")).collect();
        format!("[{{{many}{}]", &row.to_string()[1..])
    };
    let fields = [
        ("realms", with_many(realm(1, R1))),
        ("realm_counts", with_many(realm_count(1, 1))),
        ("installation_counts", with_many(installation_count(1))),
        ("realmauditlog_rows", with_many(audit_row(1, 1, 7))),
    ];
    let reply = server.form("server/analytics", &fields).await;
    assert_eq!(reply.status, 200, "{}", reply.json);
    assert_eq!(server.last_rows(&world).await, [1, 1, 1]);
    assert_eq!(super::users_of_realms(&world).await, [(1, 7)]);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deep_nesting_and_repeated_members_are_no_trouble() {
    let (world, server) = one_server().await;
    let deep = format!("{}1{}", "{\"a\":".repeat(10_000), "}".repeat(10_000));
    let roles = r#""10":{"11":{"100":1,"200":0,"300":0,"400":2,"600":0}}"#;
    let rows = format!(
        r#"[{{"id":0,"id":1,"realm":1,"event_time":1,"backfilled":false,"event_type":101,"extra_data":{{"x":{deep},{roles}}}}},
            {{"id":2,"realm":1,"event_time":1,"backfilled":false,"event_type":101,"extra_data":{deep}}},
            {{"id":3,"realm":1,"event_time":1,"backfilled":false,"event_type":101,"extra_data":{deep_text}}},
            {{"id":4,"realm":1,"event_time":1,"backfilled":false,"event_type":101,"extra_data":{{"10":5,{roles}}}}}]"#,
        deep_text = json!(deep),
    );
    let fields =
        [("realm_counts", format!("[{{\"x\":{deep}}}]")), ("installation_counts", "[]".to_owned())];
    assert_eq!(server.form("server/analytics", &fields).await.status, 400);
    let fields = [
        ("realm_counts", "[]".to_owned()),
        ("installation_counts", "[]".to_owned()),
        ("realmauditlog_rows", rows),
    ];
    let reply = server.form("server/analytics", &fields).await;
    assert_eq!(reply.status, 200, "{}", reply.json);
    assert_eq!(server.last_rows(&world).await, [0, 0, 4]);
    assert_eq!(super::users_of_realms(&world).await, [(1, 3)]);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_types_are_refused_with_their_place() {
    let (world, server) = one_server().await;
    let count = |name: &str, value: Value| {
        let mut count = realm_count(2, 1);
        count[name] = value;
        ("realm_counts", json!([realm_count(1, 1), count]))
    };
    let of_installation = |name: &str, value: Value| {
        let mut count = installation_count(1);
        count[name] = value;
        ("installation_counts", json!([count]))
    };
    let event = |name: &str, value: Value| {
        let mut row = audit_row(1, 1, 3);
        row[name] = value;
        ("realmauditlog_rows", json!([row]))
    };
    let described = |name: &str, value: Value| {
        let mut described = realm(1, R1);
        described[name] = value;
        ("realms", json!([described]))
    };
    for (member, message) in [
        (count("id", json!(1.5)), "realm_counts[1][\"id\"] is not an integer"),
        (count("id", json!(1e30)), "realm_counts[1][\"id\"] is not an integer"),
        (count("realm", json!(true)), "realm_counts[1][\"realm\"] is not an integer"),
        (count("value", json!(u64::MAX)), "realm_counts[1][\"value\"] is not an integer"),
        (count("property", json!(null)), "realm_counts[1][\"property\"] is not a string"),
        (count("subgroup", json!(1)), "realm_counts[1][\"subgroup\"] is not a string"),
        (
            of_installation("end_time", json!("1")),
            "installation_counts[0][\"end_time\"] is not a float",
        ),
        (event("backfilled", json!(0)), "realmauditlog_rows[0][\"backfilled\"] is not a boolean"),
        (
            event("event_type", json!("101")),
            "realmauditlog_rows[0][\"event_type\"] is not an integer",
        ),
        (event("extra_data", json!([])), "realmauditlog_rows[0][\"extra_data\"] is not a string"),
        (described("host", json!(1)), "realms[0][\"host\"] is not a string"),
        (described("deactivated", json!("no")), "realms[0][\"deactivated\"] is not a boolean"),
        (
            described("authentication_methods", json!([])),
            "realms[0][\"authentication_methods\"] is not a dict",
        ),
        (described("uuid", json!("6ba7b810-9dad-11d1-80b4-00c04fd430c8")), "Invalid UUID"),
        (("realm_counts", json!({})), "realm_counts is not a list"),
        (
            ("installation_counts", json!([[]])),
            "Invalid installation_counts[0]: Input should be a valid dictionary or instance of InstallationCountDataForAnalytics",
        ),
        (
            ("realmauditlog_rows", json!([1])),
            "Invalid realmauditlog_rows[0]: Input should be a valid dictionary or instance of RealmAuditLogDataForAnalytics",
        ),
        (("version", json!(1)), "version is not a string"),
        (
            ("api_feature_level", json!(-1)),
            "Invalid api_feature_level: Input should be greater than or equal to 0",
        ),
    ] {
        let kept = ("realms", json!([realm(1, R1)]));
        let (status, answer) = server.upload(&[kept, member]).await;
        assert_eq!((status, answer["msg"].as_str()), (400, Some(message)));
    }
    assert_eq!(stored_realm(&world.database().await, R1).await, None, "nothing was kept");
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_breaks_off_is_no_json_whatever_is_in_it() {
    let (world, server) = one_server().await;
    for text in ["", "[", "[1", "[{}", "[{\"id\":\"x\"},", "[]]", "x"] {
        let fields = [("realm_counts", text.to_owned()), ("installation_counts", "[]".to_owned())];
        let reply = server.form("server/analytics", &fields).await;
        assert_eq!(reply.json["msg"], "realm_counts is not valid JSON", "{text}");
    }
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_thousand_realms_are_too_long_an_upload_and_harm_nobody() {
    let (world, server) = one_server().await;
    let realms = (1..=200_000_u128).map(|number| {
        let uuid = uuid::Uuid::from_u128(0xaaaa_aaaa_aaaa_4aaa_8aaa_0000_0000_0000 + number);
        format!(
            r#"{{"id":{number},"host":"a","url":"","date_created":1,"deactivated":false,"uuid":"{uuid}","uuid_owner_secret":""}}"#
        )
    });
    let realms = format!("[{}]", realms.collect::<Vec<_>>().join(","));
    let fields = [
        ("realm_counts", "[]".to_owned()),
        ("installation_counts", "[]".to_owned()),
        ("realms", realms),
    ];
    let reply = server.form("server/analytics", &fields).await;
    assert_eq!((reply.status.as_u16(), &reply.json["code"]), (413, &json!("PAYLOAD_TOO_LARGE")));
    assert_eq!(stored_realm(&world.database().await, R1).await, None);
    server.upload_well(&[("realms", json!([realm(1, R1)]))]).await;
    world.shutdown().await;
}
