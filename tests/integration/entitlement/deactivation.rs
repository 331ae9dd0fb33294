//! Servers that are deactivated, by themselves or by the operator, and what that does everywhere.

use serde_json::json;

use super::{REALM, USER_LIMIT, notify, server_with_realm};
use crate::world::{ChatServer, IAGO, Phone, Registered, World, until};

async fn deactivate(server: &ChatServer) -> (u16, serde_json::Value) {
    let reply = server.json("server/deactivate", &json!({})).await;
    (reply.status.as_u16(), reply.json)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deactivated_server_is_refused_everywhere_and_its_name_is_free() {
    let world = World::start("").await;
    let server = server_with_realm(&world).await;
    server.register_phone(IAGO, &Phone::android("kept")).await;
    assert_eq!(deactivate(&server).await, (200, json!({"result": "success", "msg": ""})));

    let (status, answer) = deactivate(&server).await;
    assert_eq!((status, &answer["code"]), (401, &json!("UNAUTHORIZED")));
    assert_eq!(notify(&server, Some(REALM)).await.0, 401);
    let refused = Registered::Refused(401, "REALM_DEACTIVATED".to_owned());
    assert_eq!(server.register().await, refused);

    let heir = world.chat_server("chat.selfhosted.test").await;
    let printed = world.command(&["server", "reactivate", &server.org_id]).await;
    assert_eq!(printed.code, 4, "another server has the name: {printed:?}");
    assert_eq!(deactivate(&heir).await.0, 200);
    let told = world.done(&["server", "reactivate", &server.org_id]).await;
    assert_eq!(told, "chat.selfhosted.test is served again.\n");
    until("it is served", async || (notify(&server, None).await.0 == 200).then_some(())).await;
    assert_eq!(server.phones_of(IAGO).await, (1, 0), "nothing was deleted");
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_or_realm_with_a_plan_that_goes_on_is_not_deactivated() {
    let world = World::start(USER_LIMIT).await;
    let server = server_with_realm(&world).await;
    let refused = json!({
        "result": "error", "msg": "", "code": "BAD_REQUEST",
        "error_description": "server deactivation with existing plan",
    });
    for plan in [["server", "set-plan", "chat.selfhosted.test"], ["realm", "set-plan", REALM]] {
        world.done(&[&plan[..], &["business"]].concat()).await;
        assert_eq!(deactivate(&server).await, (400, refused.clone()));
        let printed = world.command(&["server", "deactivate", &server.org_id, "--yes"]).await;
        assert_eq!(printed.code, 4, "{printed:?}");
        for harmless in [&["none"][..], &["community"], &["business", "--ends", "2099-12-01"]] {
            world.done(&[&plan[..], harmless].concat()).await;
        }
    }
    assert_eq!(deactivate(&server).await.0, 200);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_deactivates_a_server_only_when_certain() {
    let world = World::start("").await;
    let server = server_with_realm(&world).await;
    let printed = world.command(&["server", "deactivate", &server.org_id]).await;
    assert_eq!(printed.code, 4, "there is nobody to ask");
    assert!(printed.complaint.contains("`--yes`"), "{printed:?}");
    world.done(&["server", "deactivate", &server.org_id, "--yes"]).await;
    until("it is refused", async || (notify(&server, None).await.0 == 401).then_some(())).await;
    world.shutdown().await;
}
