//! Everything a bouncer needs around it: push services, credentials, a certificate, a configuration.

use std::{fs, io, net::SocketAddr, path::PathBuf};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use tempfile::TempDir;

use super::{
    apns::{ApnsOptions, AppleKey, FakeApns},
    authority::Authority,
    fcm::{FakeFcm, FcmOptions, ServiceAccount},
};
use crate::{clock::Clock, random::Random};

/// The name in the bouncer's certificate, besides `localhost` and `127.0.0.1`.
pub const PUBLIC_NAME: &str = "push.sandbox.test";

/// A name in the certificate of Apple's push service, besides the usual ones; only a test's name server knows
/// where it is.
pub const APNS_NAME: &str = "apns.sandbox.test";

/// What may differ from one sandbox to the next.
pub struct SurroundingsOptions {
    /// Where the bouncer listens; port 0 is any.
    pub listen: SocketAddr,
    /// Where the bouncer's operator listens; port 0 is any.
    pub operator: SocketAddr,
    /// The bouncer's database; by default a SQLite file that goes with the sandbox.
    pub database_url: Option<String>,
    /// Bundle ids of the apps on Apple's phones.
    pub topics: Vec<String>,
    /// The Firebase project of the app on Android phones.
    pub project: String,
    /// Its service account, if it was made before; by default a new one is.
    pub account: Option<ServiceAccount>,
    /// Further settings of the bouncer: TOML lines with dotted keys.
    pub settings: String,
    /// How many requests each push service remembers.
    pub log_capacity: usize,
}

impl Default for SurroundingsOptions {
    fn default() -> Self {
        let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
        Self {
            listen: any_port,
            operator: any_port,
            database_url: None,
            topics: vec!["org.example.chat".to_owned()],
            project: "example-chat".to_owned(),
            account: None,
            settings: String::new(),
            log_capacity: 10_000,
        }
    }
}

/// Push services that run, and a directory with all files a bouncer needs to use them.
pub struct Surroundings {
    /// The time of the push services.
    pub clock: Clock,
    /// Apple's push service.
    pub apns: FakeApns,
    /// Google's push service.
    pub fcm: FakeFcm,
    authority: Authority,
    directory: TempDir,
    config: String,
}

impl Surroundings {
    /// Makes keys and certificates, and starts the push services.
    ///
    /// # Errors
    ///
    /// When the system gives no file or no port.
    pub async fn start(options: SurroundingsOptions, clock: Clock) -> io::Result<Self> {
        let directory = tempfile::Builder::new().prefix("push-bouncer-sandbox-").tempdir()?;
        let authority = Authority::new().map_err(io::Error::other)?;
        let apple_key = AppleKey::generate("SANDBOXTEA", "SANDBOXKEY").map_err(io::Error::other)?;
        let account = match options.account.clone() {
            Some(account) => account,
            None => {
                // The search for an RSA key takes a while; others go on meanwhile.
                let project = options.project.clone();
                tokio::task::spawn_blocking(move || ServiceAccount::generate(project))
                    .await
                    .map_err(io::Error::other)?
                    .map_err(io::Error::other)?
            }
        };
        let apple_key_pem = apple_key.private_key_pem();
        let apns_options = ApnsOptions {
            names: vec![APNS_NAME.to_owned()],
            keys: vec![apple_key],
            topics: options.topics.clone(),
            log_capacity: options.log_capacity,
            ..ApnsOptions::default()
        };
        let apns = FakeApns::start(&authority, clock.clone(), apns_options).await?;
        let fcm_options = FcmOptions {
            accounts: vec![account.clone()],
            log_capacity: options.log_capacity,
            ..FcmOptions::default()
        };
        let fcm = FakeFcm::start(&authority, clock.clone(), fcm_options).await?;
        let write = |name: &str, text: &str| {
            let path = directory.path().join(name);
            fs::write(&path, text).map(|()| path)
        };
        let names = [PUBLIC_NAME, "localhost", "127.0.0.1"];
        let (certificate, key) = authority.server_certificate(&names).map_err(io::Error::other)?;
        let files = Files {
            certificate: write("certificate.pem", &certificate)?,
            key: write("certificate-key.pem", &key)?,
            authority: write("authority.pem", &authority.certificate_pem())?,
            apple_key: write("AuthKey_SANDBOXKEY.p8", &apple_key_pem)?,
            account: write("service-account.json", &account.json(&fcm.token_uri()))?,
            secret: write("secret.key", &STANDARD.encode(Random::default().bytes::<32>()))?,
            database: directory.path().join("push-bouncer.sqlite"),
        };
        let config = files.config(&options, &apns, &fcm);
        write("push-bouncer.toml", &config)?;
        Ok(Self { clock, apns, fcm, authority, directory, config })
    }

    /// The bouncer's settings, as TOML.
    #[must_use]
    pub fn config(&self) -> &str {
        &self.config
    }

    /// The file that holds them.
    #[must_use]
    pub fn config_file(&self) -> PathBuf {
        self.directory.path().join("push-bouncer.toml")
    }

    /// The certificate of the authority that vouches for everybody here.
    #[must_use]
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The file that holds it, PEM.
    #[must_use]
    pub fn authority_file(&self) -> PathBuf {
        self.directory.path().join("authority.pem")
    }
}

struct Files {
    certificate: PathBuf,
    key: PathBuf,
    authority: PathBuf,
    apple_key: PathBuf,
    account: PathBuf,
    database: PathBuf,
    secret: PathBuf,
}

impl Files {
    fn config(&self, options: &SurroundingsOptions, apns: &FakeApns, fcm: &FakeFcm) -> String {
        let Self { certificate, key, authority, apple_key, account, database, secret } = self;
        let sqlite = format!("sqlite://{}", database.display());
        let database_url = options.database_url.as_deref().unwrap_or(&sqlite);
        let SurroundingsOptions { listen, operator, topics, settings, .. } = options;
        let (apns, fcm) = (apns.address(), fcm.address());
        format!(
            r#"public_url = "https://{PUBLIC_NAME}"
secret_key_file = {secret:?}
http.listen = ["{listen}"]
http.tls.cert_file = {certificate:?}
http.tls.key_file = {key:?}
internal.listen = ["{operator}"]
database.url = {database_url:?}
outbound.ca_file = {authority:?}
apns.sandbox.topics = {topics:?}
apns.sandbox.environment = "production"
apns.sandbox.key_file = {apple_key:?}
apns.sandbox.key_id = "SANDBOXKEY"
apns.sandbox.team_id = "SANDBOXTEA"
apns.sandbox.endpoint = "https://{apns}"
fcm.sandbox.service_account_file = {account:?}
fcm.sandbox.endpoint = "https://{fcm}"
{settings}
"#
        )
    }
}
