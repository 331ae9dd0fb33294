//! What only a look into the server's database shows, or a change of it makes.

use entities::{devices, remote_servers};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, ConnectionTrait as _, DbBackend, EntityTrait as _,
    QueryFilter as _, QueryOrder as _,
};
use uuid::Uuid;

use super::{ChatServer, Stage};

impl Stage {
    /// All rows of devices, the oldest first.
    pub(crate) async fn devices(&self) -> Vec<devices::Model> {
        let rows = devices::Entity::find().order_by_asc(devices::Column::Id);
        rows.all(&self.database().await).await.expect("the rows can be read")
    }

    /// How many rows of devices there are: live ones that are no suspects, suspects, and those that are gone.
    pub(crate) async fn states_of_devices(&self) -> (usize, usize, usize) {
        let rows = self.devices().await;
        let gone = rows.iter().filter(|row| row.gone_at.is_some()).count();
        let suspects =
            rows.iter().filter(|row| row.gone_at.is_none() && row.suspected_at.is_some()).count();
        (rows.len() - gone - suspects, suspects, gone)
    }

    /// Switches a server's registration off behind the bouncer's back.
    pub(crate) async fn deactivate(&self, server: &ChatServer) {
        let id = Uuid::parse_str(&server.org_id).expect("a chat server's id is a UUID");
        let change = remote_servers::ActiveModel { deactivated: Set(true), ..Default::default() };
        self.change_server(id, change).await;
    }

    /// Changes a server's row behind the bouncer's back, and tells it so, as another node does.
    pub(crate) async fn change_server(&self, id: Uuid, change: remote_servers::ActiveModel) {
        let changed = remote_servers::Entity::update_many()
            .set(change)
            .filter(remote_servers::Column::Uuid.eq(id))
            .exec(&self.database().await)
            .await
            .expect("the row can be changed");
        assert_eq!(changed.rows_affected, 1);
        self.announce(&format!("server:{id}")).await;
    }

    /// Says what was changed, as another node does.
    pub(crate) async fn announce(&self, change: &str) {
        let database = self.database().await;
        if database.get_database_backend() == DbBackend::Postgres {
            let announce = format!("SELECT pg_notify('push_bouncer', '{change}')");
            database.execute_unprepared(&announce).await.expect("it can be announced");
        }
    }
}
