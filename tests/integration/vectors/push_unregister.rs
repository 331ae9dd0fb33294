//! V43 to V50: `push/unregister` and `push/unregister/all`.

use bytes::Bytes;
use http::Request;

use super::{bad_request, form_success, one_server, said, success, two_servers};
use crate::world::{IAGO, Kind, Phone, TOPICS, User};

const UNREGISTER: &str = "push/unregister";
const ALL: &str = "push/unregister/all";

const NO_SUCH_TOKEN: &str = "Token does not exist";

#[tokio::test(flavor = "multi_thread")]
async fn v043_a_phone_goes_and_server_uuid_is_ignored_if_it_is_sent() {
    let (world, server) = one_server("").await;
    let (first, second) = (Phone::android("111222"), Phone::android("333444"));
    for phone in [&first, &second] {
        server.register_phone(IAGO, phone).await;
    }
    assert_eq!(server.about_phone(UNREGISTER, IAGO, &first, &[]).await, form_success());
    assert_eq!(server.phones_of(IAGO).await, (1, 0));

    let form = form_urlencoded::Serializer::new(String::new())
        .extend_pairs([IAGO.fields(), second.fields()].concat())
        .finish();
    let request = Request::post(format!("/api/v1/remotes/{UNREGISTER}"))
        .header("Authorization", server.authorization())
        .header("Content-Type", "application/x-www-form-urlencoded")
        .body(Bytes::from(form))
        .unwrap();
    let answer = world.client().send(request).await.unwrap();
    assert_eq!((answer.status, answer.json()), success());
    assert_eq!(server.phones_of(IAGO).await, (0, 0));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v044_a_phone_that_is_gone_does_not_exist() {
    let (world, server) = one_server("").await;
    let phone = Phone::android("111222");
    server.register_phone(IAGO, &phone).await;
    assert_eq!(server.about_phone(UNREGISTER, IAGO, &phone, &[]).await, form_success());
    let again = server.about_phone(UNREGISTER, IAGO, &phone, &[]).await;
    assert_eq!(again, bad_request(NO_SUCH_TOKEN));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v045_both_identities_find_what_is_stored_under_the_number() {
    let (world, server) = one_server("").await;
    let phone = Phone::android("111222");
    server.register_phone(IAGO.by_id(), &phone).await;
    assert_eq!(server.about_phone(UNREGISTER, IAGO, &phone, &[]).await, form_success());
    assert_eq!(server.phones_of(IAGO.by_id()).await, (0, 0));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v046_an_apple_token_is_found_in_another_case() {
    let (world, server) = one_server("").await;
    let stored = Phone { kind: Kind::Apns, token: "ABCD".to_owned(), app_id: TOPICS[0] };
    server.register_phone(IAGO, &stored).await;
    let named = Phone { token: "abcd".to_owned(), ..stored };
    assert_eq!(server.about_phone(UNREGISTER, IAGO, &named, &[]).await, form_success());
    assert_eq!(server.phones_of(IAGO).await, (0, 0));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v047_a_token_of_another_server_does_not_exist_and_stays() {
    let (world, server, neighbour) = two_servers("").await;
    let phone = Phone::android("111222");
    neighbour.register_phone(IAGO, &phone).await;
    let answer = server.about_phone(UNREGISTER, IAGO, &phone, &[]).await;
    assert_eq!(answer, bad_request(NO_SUCH_TOKEN));
    assert_eq!(neighbour.phones_of(IAGO).await, (1, 0));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v048_all_phones_under_both_identities_go_and_those_of_others_stay() {
    let (world, server) = one_server("").await;
    for (user, phone) in [
        (IAGO.by_id(), Phone::android("old")),
        (IAGO.by_uuid(), Phone::android("new")),
        (IAGO.by_uuid(), Phone::apple("iphone")),
        (User::other(), Phone::android("new")),
    ] {
        server.register_phone(user, &phone).await;
    }
    assert_eq!(server.phones_of(IAGO).await, (2, 1));

    assert_eq!(said(&server.form(ALL, &IAGO.fields()).await), form_success());

    assert_eq!(server.phones_of(IAGO).await, (0, 0));
    assert_eq!(server.phones_of(User::other()).await, (1, 0));
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v049_of_no_phones_all_go() {
    let (world, server) = one_server("").await;
    assert_eq!(said(&server.form(ALL, &IAGO.fields()).await), form_success());
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v050_nobodys_phones_cannot_be_named() {
    let (world, server) = one_server("").await;
    let phone = Phone::android("111222");
    server.register_phone(IAGO, &phone).await;
    let missing = bad_request("Missing user_id or user_uuid");
    assert_eq!(said(&server.form(UNREGISTER, &phone.fields()).await), missing);
    assert_eq!(said(&server.form(ALL, &[]).await), missing);
    assert_eq!(server.phones_of(IAGO).await, (1, 0));
    world.shutdown().await;
}
