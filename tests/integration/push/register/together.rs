//! Phones that are registered at the same time: each as if it were alone.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use sea_orm::{ConnectionTrait as _, DatabaseTransaction, DbBackend, TransactionTrait as _};

use crate::world::{ChatServer, IAGO, Phone, Program, Stage, User, World, until};

/// Nothing gives up while devices are held.
const PATIENT: &str = "database.statement_timeout = \"1m\"\nhttp.request_timeout = \"14s\"\n";

/// Lets nobody write devices until it ends; reading goes on.
async fn hold_devices(stage: &Stage) -> DatabaseTransaction {
    let transaction = stage.database().await.begin().await.unwrap();
    let statement = match transaction.get_database_backend() {
        DbBackend::Postgres => "LOCK TABLE devices IN SHARE ROW EXCLUSIVE MODE",
        _ => "UPDATE devices SET in_doubt = in_doubt WHERE false",
    };
    transaction.execute_unprepared(statement).await.unwrap();
    transaction
}

/// Has a token refused by the database itself.
async fn refuse(stage: &Stage, token: &str) {
    let database = stage.database().await;
    let statements = match database.get_database_backend() {
        DbBackend::Postgres => {
            format!("ALTER TABLE devices ADD CONSTRAINT refused CHECK (token <> '{token}')")
        }
        _ => format!(
            "CREATE TRIGGER refused BEFORE INSERT ON devices WHEN NEW.token = '{token}' \
             BEGIN SELECT RAISE(ABORT, 'refused'); END"
        ),
    };
    database.execute_unprepared(&statements).await.unwrap();
}

/// Registers phones at once, while devices are held until all of them wait; what each is answered.
async fn register_together(world: &World, all: &[(&ChatServer, User, Phone)]) -> Vec<u16> {
    let held = hold_devices(world).await;
    let asking = all.iter().map(async |(server, user, phone)| {
        server.about_phone("push/register", *user, phone, &[]).await.0
    });
    let releasing = async {
        #[expect(clippy::cast_precision_loss, reason = "there are a few dozen")]
        let waiting = all.len() as f64;
        until("all of them wait", async || {
            let under_way = world.metric("push_bouncer_http_requests_in_flight", &[]).await;
            (under_way >= waiting).then_some(())
        })
        .await;
        held.rollback().await.unwrap();
    };
    tokio::join!(join_all(asking), releasing).0
}

#[tokio::test(flavor = "multi_thread")]
async fn phones_registered_together_are_stored_each_as_if_alone() {
    let world = World::start(PATIENT).await;
    let one = world.chat_server("one.selfhosted.test").await;
    let other = world.chat_server("other.selfhosted.test").await;
    let shared = Phone::android("shared");
    let before = Phone::android("before");
    // With both identities it replaces this row.
    one.register_phone(IAGO.by_id(), &before).await;

    let mut all = vec![
        (&one, IAGO, before.clone()),
        (&one, IAGO, before.clone()),
        (&one, IAGO, shared.clone()),
        (&one, IAGO.by_uuid(), shared.clone()),
        (&one, User::other(), shared.clone()),
        (&one, User::number(9), shared.clone()),
        (&one, User::number(9), shared.clone()),
        (&other, IAGO, shared.clone()),
        (&other, User::number(9), shared.clone()),
    ];
    for number in 0..11 {
        all.push((&one, User::number(100 + number), Phone::android(&format!("phone{number}"))));
    }
    let answers = register_together(&world, &all).await;

    assert_eq!(answers, vec![200; all.len()]);
    let rows = world.devices().await;
    let stored: BTreeSet<_> = rows
        .iter()
        .map(|row| (row.server_id, row.user_id, row.user_uuid, row.token.0.clone()))
        .collect();
    assert_eq!(stored.len(), rows.len(), "each is there once");
    // Of the first nine two are said twice, one under two names.
    assert_eq!(rows.len(), all.len() - 3);
    assert!(rows.iter().all(|row| row.user_id != Some(7)), "the row under the number went");
    assert_eq!(one.phones_of(IAGO).await, (2, 0));
    assert_eq!(one.phones_of(User::other()).await, (1, 0));
    assert_eq!(other.phones_of(IAGO).await, (1, 0));
    assert_eq!(other.phones_of(User::number(9)).await, (1, 0));
    for (server, user, _) in &all[9..] {
        assert_eq!(server.phones_of(*user).await, (1, 0));
    }
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_the_database_refuses_fails_alone() {
    let world = World::start(PATIENT).await;
    let server = world.chat_server("chat.selfhosted.test").await;
    refuse(&world, "refused").await;
    let all: Vec<_> = (0..20)
        .map(|number| {
            let token = if number == 11 { "refused".to_owned() } else { format!("phone{number}") };
            (&server, User::number(number), Phone::android(&token))
        })
        .collect();
    let answers = register_together(&world, &all).await;

    for (number, answer) in answers.iter().enumerate() {
        assert_eq!(*answer, if number == 11 { 503 } else { 200 }, "{number}");
    }
    assert_eq!(world.devices().await.len(), all.len() - 1);
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_is_there_after_kill_9() {
    let stage = Stage::set("").await;
    let program = Program::start(&stage).await;
    let server = stage.chat_server_of(program.address, "chat.selfhosted.test");
    server.register().await;
    let answered = std::sync::Mutex::new(BTreeSet::new());
    let asking = join_all((0..16).map(async |user: u32| {
        for number in 0.. {
            let token = format!("phone{user}x{number}");
            let user = User::number(user.into());
            server.register_phone(user, &Phone::android(&token)).await;
            answered.lock().unwrap().insert(token);
        }
    }));
    let enough = until("some are registered", async || {
        (answered.lock().unwrap().len() >= 200).then_some(())
    });
    tokio::select! {
        _ = asking => panic!("there is no end"),
        () = enough => {}
    }
    // It is killed with requests under way.
    drop(program);

    let rows = stage.devices().await;
    let stored: BTreeSet<_> = rows.into_iter().map(|row| row.token.0).collect();
    let answered = answered.into_inner().unwrap();
    let lost: Vec<_> = answered.difference(&stored).collect();
    assert!(lost.is_empty(), "{lost:?}");
    stage.drop_database().await;
}
