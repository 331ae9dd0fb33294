//! Other keys and certificates for apps that go on.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, PoisonError},
};

use super::{
    Apns, app::App, authentication_token::AuthenticationTokens, generation::Generation,
    token_key::Source,
};
use crate::{
    config::ApnsAppConfig,
    metrics::CredentialKind,
    providers::{
        ProvidersError,
        credential::{Contents, Seen},
    },
};

impl Apns {
    pub(super) fn apps(&self) -> &[App] {
        &self.apps
    }

    /// Takes the credentials of this configuration over, for the next look; gives the apps that need a restart.
    pub(in crate::providers) fn want(
        &self,
        config: &BTreeMap<String, ApnsAppConfig>,
    ) -> Vec<String> {
        let gone = self.apps.iter().map(App::name).filter(|name| !config.contains_key(*name));
        let mut restart: Vec<String> = gone.map(|name| format!("apns.{name}")).collect();
        for (name, wanted) in config {
            let app = self.apps.iter().find(|app| app.name() == name);
            if !app.is_some_and(|app| app.want(wanted)) {
                restart.push(format!("apns.{name}"));
            }
        }
        restart
    }

    /// The files of all apps, in their order.
    pub(in crate::providers) fn files(&self) -> impl Iterator<Item = PathBuf> {
        self.apps().iter().map(App::file)
    }

    /// Looks at what the file of the app in this place holds now.
    pub(in crate::providers) fn look(
        &self,
        app: usize,
        read: Result<Contents, ProvidersError>,
    ) -> (CredentialKind, Seen) {
        let tokens = self.tokens();
        let app = &self.apps[app];
        let mut watched = app.watched.lock().unwrap_or_else(PoisonError::into_inner);
        let kind = match watched.wanted {
            Source::Key { .. } => CredentialKind::ApnsJwt,
            Source::Certificate { .. } => CredentialKind::ApnsCert,
        };
        let seen = watched.look(read, |source, contents| app.take(source, contents, &tokens));
        drop(watched);
        if let Seen::Renewed = seen {
            self.warn_of_two_keys();
        }
        (kind, seen)
    }

    /// The tokens of all keys in use.
    pub(super) fn tokens(&self) -> Vec<Arc<AuthenticationTokens>> {
        self.apps.iter().filter_map(|app| app.generations.load().current.tokens.clone()).collect()
    }

    /// "One token per team": Apple counts the changes of a team's tokens whatever key they are signed with.
    pub(super) fn warn_of_two_keys(&self) {
        let mut teams: BTreeMap<String, String> = BTreeMap::new();
        for tokens in self.tokens() {
            let (team, key) = (tokens.key().team_id(), tokens.key().key_id());
            let known = teams.entry(team.to_owned()).or_insert_with(|| key.to_owned());
            if known != key {
                tracing::warn!(event = "credential.two_keys", team, keys = ?[&known[..], key], "apps use two keys of one team: Apple may refuse their tokens with `TooManyProviderTokenUpdates`");
            }
        }
    }
}

impl App {
    /// Whether nothing needs a restart.
    fn want(&self, config: &ApnsAppConfig) -> bool {
        let mut known = self.config.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(source) = Source::of(config).filter(|_| config.is_same_app(&known)) else {
            return false;
        };
        *known = config.clone();
        self.watched.lock().unwrap_or_else(PoisonError::into_inner).wanted = source;
        true
    }

    fn file(&self) -> PathBuf {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner).wanted.file().clone()
    }

    /// Checks a credential and takes it into use.
    fn take(
        &self,
        source: &Source,
        contents: &Contents,
        known: &[Arc<AuthenticationTokens>],
    ) -> Result<(), ProvidersError> {
        let generation = Generation::new(source, contents, &self.place, known)?;
        if generation.tokens.is_none()
            && generation.ends_at().is_some_and(|end| end <= self.place.tools().clock.now())
        {
            return Err(ProvidersError::credential(
                &contents.path,
                "holds a certificate that has ended",
            ));
        }
        self.renew(generation);
        Ok(())
    }
}
