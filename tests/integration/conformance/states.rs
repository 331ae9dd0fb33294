//! What the recorded cases ask to be set in storage: plans by the operator's command line, and how old the
//! server's last upload is by the row itself.

use std::time::Duration;

use entities::remote_servers;
use sea_orm::ActiveValue::Set;
use tokio::time::sleep;
use uuid::Uuid;

use crate::world::World;

/// The server and the realm that all of them are about.
const SERVER: &str = "a000000b-0000-4000-8000-00000000000b";
const REALM: &str = "22220000-2222-4222-8222-222222220022";

/// A change by another process counts within a second.
const COUNTS_AFTER: Duration = Duration::from_millis(1050);

/// Sets what a case names, in the recording's own words.
pub(crate) async fn set(world: &World, what: &str) {
    let server = |plan: &[&'static str]| [&["server", "set-plan", SERVER], plan].concat();
    let realm = |plan: &[&'static str]| [&["realm", "set-plan", REALM], plan].concat();
    let ending = ["business", "--status", "ending", "--ends", "2127-12-01"];
    match what {
        "last_audit_log_update of the server set 49 h back (stale)" => age_upload(world, 49).await,
        "realm R22 plan_type=102 (community)" => done(world, &realm(&["community"])).await,
        "realm R22 back to 100; server plan_type=102" => {
            done(world, &realm(&["none"])).await;
            done(world, &server(&["community"])).await;
        }
        "server plan_type=100 again; server customer with ACTIVE paid plan (tier 103); audit log still stale"
        | "plan ACTIVE again" => done(world, &server(&["business"])).await,
        "that plan: status DOWNGRADE_AT_END_OF_FREE_TRIAL (7), next_invoice_date 2027-12-01T00:00:00Z" =>
        {
            done(world, &server(&ending)).await;
        }
        "audit log fresh again" => age_upload(world, 0).await,
        "plan ENDED (11)" => {
            done(world, &server(&["business", "--status", "ended"])).await;
        }
        other => panic!("nobody knows how to set this: {other}"),
    }
    sleep(COUNTS_AFTER).await;
}

/// Under the default policy plans count for nothing, which the command line says.
async fn done(world: &World, arguments: &[&str]) {
    let printed = world.command(arguments).await;
    assert_eq!(printed.code, 0, "{printed:?}");
}

async fn age_upload(world: &World, hours: u64) {
    let at = world.clock.now() - Duration::from_secs(hours * 60 * 60);
    let change = remote_servers::ActiveModel {
        audit_log_updated_at: Set(Some(at.unix_millis())),
        ..Default::default()
    };
    world.change_server(Uuid::parse_str(SERVER).unwrap(), change).await;
}
