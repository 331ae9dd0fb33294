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
    for named in [server.org_id.as_str(), "chat.selfhosted.test"] {
        let printed = world.command(&["server", "reactivate", named]).await;
        assert_eq!(printed.code, 4, "another server has the name: {printed:?}");
    }
    assert_eq!(deactivate(&heir).await.0, 200);
    let printed = world.command(&["server", "reactivate", "chat.selfhosted.test"]).await;
    assert_eq!(printed.code, 3, "both are deactivated: {printed:?}");
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
async fn of_several_servers_with_a_host_name_the_state_tells_which_is_meant() {
    let world = World::start(USER_LIMIT).await;
    let servers = ["abcdef12-0000-4000-8000-000000000001", "abcdef12-0000-4000-8000-000000000002"];
    let [old, heir] = servers;
    let register = async |id: &str| {
        let server = world.new_chat_server("chat.selfhosted.test");
        assert_eq!(server.register_with(&[("zulip_org_id", id)]).await, Registered::Created);
    };
    register(old).await;
    world.done(&["server", "deactivate", old, "--yes"]).await;
    register(heir).await;

    let plan = ["chat.selfhosted.test.", "business", "--json"];
    let told = world.command(&[&["server", "set-plan"], &plan[..]].concat()).await.json();
    assert_eq!(told["server"], heir, "the active one of a host name");
    let printed = world.command(&["server", "set-plan", "abcdef12", "business"]).await;
    assert_eq!(printed.code, 3, "a beginning of two is nobody's: {printed:?}");
    assert!(servers.iter().all(|id| printed.complaint.contains(id)), "{printed:?}");

    let printed = world.command(&["server", "reactivate", "chat.selfhosted.test"]).await;
    assert_eq!(printed.code, 4, "the deactivated one is meant: {printed:?}");
    assert!(printed.complaint.contains("another active server has the host name"), "{printed:?}");
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
