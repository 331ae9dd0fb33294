//! What the word of a push service does to the row of a device.
//!
//! A token in the clear stands in a row for each user and server that registered it, and the word is about all of
//! them; whoever else has the token of an encrypted device finds out himself (protocol, 4.5).

use entities::{
    devices, e2ee_devices,
    redacted::{RedactedBytes, RedactedText},
};
use sea_orm::{
    ActiveValue::{self, NotSet, Set},
    ColumnTrait as _, Condition, EntityTrait as _, QueryFilter as _, QuerySelect as _, Value,
};

use super::{Registry, RegistryError};
use crate::{
    clock::Timestamp,
    domain::device::{Row, Target},
};

/// How sure it is that a device is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Burial {
    /// It is gone for good: of its token only the digest is kept.
    Certain,
    /// The word may be our own fault: the row keeps all it takes to come back. Only rows of the same app go, since
    /// the word is about the token and the app together.
    InDoubt,
}

impl Registry {
    /// Whether a device is still registered, and not gone.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn is_live(&self, row: Row) -> Result<bool, RegistryError> {
        let database = &self.inner.database;
        match row {
            Row::Device(id) => {
                let query = devices::Entity::find_by_id(id)
                    .select_only()
                    .column(devices::Column::Id)
                    .filter(devices::Column::GoneAt.is_null());
                let found = self.ask(|| query.clone().into_tuple::<i64>().one(database)).await?;
                Ok(found.is_some())
            }
            Row::E2ee(id) => {
                let query = e2ee_devices::Entity::find_by_id(id)
                    .select_only()
                    .column(e2ee_devices::Column::Id)
                    .filter(e2ee_devices::Column::ExpiredAt.is_null());
                let found = self.ask(|| query.clone().into_tuple::<i64>().one(database)).await?;
                Ok(found.is_some())
            }
        }
    }

    /// Notes that a device is gone, where it was registered no later than `since`. How many rows went.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn bury(
        &self,
        row: Row,
        target: &Target,
        since: Timestamp,
        burial: Burial,
    ) -> Result<u64, RegistryError> {
        let by_app = burial == Burial::InDoubt;
        let change = Change {
            gone_at: Some(Some(self.inner.clock.now().unix_millis())),
            in_doubt: by_app.then_some(true),
            suspected_at: Some(None),
            token: (!by_app).then(String::new),
            ..Change::default()
        };
        self.change(row, target, Which::Registered { until: since, by_app }, change).await
    }

    /// Notes that a device is under suspicion, where it was registered no later than `since` and was no suspect;
    /// how many rows became suspects.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn suspect(
        &self,
        row: Row,
        target: &Target,
        since: Timestamp,
    ) -> Result<u64, RegistryError> {
        let now = self.inner.clock.now().unix_millis();
        let change = Change { suspected_at: Some(Some(now)), ..Change::default() };
        self.change(row, target, Which::Unsuspected { until: since }, change).await
    }

    /// Notes that a suspect is none any more; how many rows were suspects.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn trust(&self, row: Row, target: &Target) -> Result<u64, RegistryError> {
        let change = Change { suspected_at: Some(None), ..Change::default() };
        self.change(row, target, Which::Suspected, change).await
    }

    /// Notes which Firebase project reaches a device.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn remember_project(
        &self,
        row: Row,
        target: &Target,
        project: &str,
    ) -> Result<(), RegistryError> {
        let change = Change { fcm_app: Some(project.to_owned()), ..Change::default() };
        self.change(row, target, Which::OfOtherProject(project), change).await.map(|_| ())
    }

    /// Changes the live rows of a device; how many there were.
    async fn change(
        &self,
        row: Row,
        target: &Target,
        which: Which<'_>,
        change: Change,
    ) -> Result<u64, RegistryError> {
        match row {
            Row::Device(_) => {
                let statement = devices::Entity::update_many()
                    .set(change.of_device())
                    .filter(of_token(target))
                    .filter(devices::Column::GoneAt.is_null())
                    .filter(which.devices(target));
                let changed =
                    self.ask(|| statement.clone().exec_with_returning(&self.inner.database)).await;
                Ok(self.forget_rows(&changed?))
            }
            Row::E2ee(id) => {
                let statement = e2ee_devices::Entity::update_many()
                    .set(change.of_e2ee_device())
                    .filter(e2ee_devices::Column::Id.eq(id))
                    .filter(e2ee_devices::Column::ExpiredAt.is_null())
                    .filter(which.e2ee_devices());
                let changed = self.ask(|| statement.clone().exec(&self.inner.database)).await?;
                Ok(changed.rows_affected)
            }
        }
    }
}

/// Which of the live rows of a device.
#[derive(Clone, Copy)]
enum Which<'a> {
    Registered { until: Timestamp, by_app: bool },
    Unsuspected { until: Timestamp },
    Suspected,
    OfOtherProject(&'a str),
}

impl Which<'_> {
    fn devices(self, target: &Target) -> Condition {
        use devices::Column;
        let of_app = || match &target.app_id {
            Some(app) => Condition::all().add(Column::IosAppId.eq(app.as_str())),
            None => Condition::all(),
        };
        match self {
            Self::Registered { until, by_app } => if by_app { of_app() } else { Condition::all() }
                .add(Column::RegisteredAt.lte(until.unix_millis())),
            Self::Unsuspected { until } => of_app()
                .add(Column::RegisteredAt.lte(until.unix_millis()))
                .add(Column::SuspectedAt.is_null()),
            Self::Suspected => of_app().add(Column::SuspectedAt.is_not_null()),
            Self::OfOtherProject(project) => {
                Condition::any().add(Column::FcmApp.is_null()).add(Column::FcmApp.ne(project))
            }
        }
    }

    fn e2ee_devices(self) -> Condition {
        use e2ee_devices::Column;
        let all = Condition::all();
        match self {
            Self::Registered { until, .. } => {
                all.add(Column::RegisteredAt.lte(until.unix_millis()))
            }
            Self::Unsuspected { until } => all
                .add(Column::RegisteredAt.lte(until.unix_millis()))
                .add(Column::SuspectedAt.is_null()),
            Self::Suspected => all.add(Column::SuspectedAt.is_not_null()),
            Self::OfOtherProject(project) => {
                Condition::any().add(Column::FcmApp.is_null()).add(Column::FcmApp.ne(project))
            }
        }
    }
}

fn of_token(target: &Target) -> Condition {
    Condition::all()
        .add(devices::Column::TokenDigest.eq(RedactedBytes(target.token.digest().to_vec())))
        .add(devices::Column::Kind.eq(target.provider.token_kind()))
}

/// What changes in a row of either table; nothing where it is `None`.
#[derive(Clone, Default)]
pub(super) struct Change {
    /// When it went; `expired_at` of an encrypted device.
    pub(super) gone_at: Option<Option<i64>>,
    pub(super) in_doubt: Option<bool>,
    pub(super) suspected_at: Option<Option<i64>>,
    pub(super) fcm_app: Option<String>,
    pub(super) token: Option<String>,
}

impl Change {
    pub(super) fn of_device(self) -> devices::ActiveModel {
        devices::ActiveModel {
            gone_at: set(self.gone_at),
            in_doubt: set(self.in_doubt),
            suspected_at: set(self.suspected_at),
            fcm_app: set(self.fcm_app.map(Some)),
            token: set(self.token.map(RedactedText)),
            ..devices::ActiveModel::default()
        }
    }

    pub(super) fn of_e2ee_device(self) -> e2ee_devices::ActiveModel {
        e2ee_devices::ActiveModel {
            expired_at: set(self.gone_at),
            in_doubt: set(self.in_doubt),
            suspected_at: set(self.suspected_at),
            fcm_app: set(self.fcm_app.map(Some)),
            token: set(self.token.map(RedactedText)),
            ..e2ee_devices::ActiveModel::default()
        }
    }
}

/// A column that changes; nothing where it stays.
fn set<V: Into<Value>>(value: Option<V>) -> ActiveValue<V> {
    value.map_or(NotSet, Set)
}
