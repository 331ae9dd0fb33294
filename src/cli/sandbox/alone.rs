//! `push-bouncer sandbox apns` and `… fcm`: one fake push service, for clients of any kind.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    io::Write as _,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use serde_json::{Value, json};

use super::{
    End,
    directory::{Directory, KEY_ID, TEAM_ID},
};
use crate::{
    clock::Clock,
    sandbox::{
        apns::{ApnsOptions, FakeApns},
        control::Control,
        fcm::{FakeFcm, FcmOptions},
    },
};

/// One fake alone.
#[derive(clap::Subcommand)]
pub(super) enum Fake {
    /// Serve a fake of Apple's push service until Ctrl-C
    Apns(ApnsArguments),
    /// Serve a fake of Google's push service until Ctrl-C
    Fcm(FcmArguments),
}

#[derive(clap::Args)]
pub(super) struct Common {
    /// Where it listens: a port of 127.0.0.1; port 0 is any
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0", value_parser = own_address)]
    listen: SocketAddr,
    /// Where it is controlled: an address of loopback (see docs/SANDBOX.md); nowhere by default
    #[arg(long, value_name = "ADDRESS")]
    control: Option<SocketAddr>,
    /// Where its files are kept for the next time; by default they go when it ends
    #[arg(long, value_name = "DIRECTORY")]
    directory: Option<PathBuf>,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
pub(super) struct ApnsArguments {
    #[command(flatten)]
    common: Common,
    /// Topics it lets through, with all below them; any by default
    #[arg(long, value_name = "TOPIC", value_delimiter = ',')]
    topics: Vec<String>,
    /// How many seconds a team must keep its provider token; 0 suits clients that make one for each connection
    #[arg(long, value_name = "SECONDS", default_value_t = 1200)]
    token_update_interval: u64,
}

#[derive(clap::Args)]
pub(super) struct FcmArguments {
    #[command(flatten)]
    common: Common,
    /// A project it knows, with a service account of its own; may be given several times
    #[arg(long, value_name = "PROJECT", default_value = "example-chat", value_parser = project_id)]
    project: Vec<String>,
}

/// Serves it.
pub(super) async fn run(fake: &Fake) -> anyhow::Result<ExitCode> {
    match fake {
        Fake::Apns(arguments) => apns(arguments).await?,
        Fake::Fcm(arguments) => fcm(arguments).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn apns(arguments: &ApnsArguments) -> anyhow::Result<()> {
    let ApnsArguments { common, topics, token_update_interval } = arguments;
    let directory = Directory::open(common.directory.as_deref())?;
    let (authority, authority_file) = directory.authority()?;
    let (key, key_file) = directory.apple_key()?;
    let options = ApnsOptions {
        port: common.listen.port(),
        keys: vec![key],
        topics: topics.clone(),
        client_certificates: true,
        token_update_interval: Duration::from_secs(*token_update_interval),
        ..ApnsOptions::default()
    };
    let apns = FakeApns::start(&authority, Clock::default(), options).await?;
    let control = match common.control {
        Some(address) => Some(Control::of_apns(address, &apns).await?),
        None => None,
    };
    let told = json!({
        "url": format!("https://{}", apns.address()),
        "control_url": control_url(control.as_ref()),
        "authority_file": authority_file,
        "key_file": key_file,
        "key_id": KEY_ID,
        "team_id": TEAM_ID,
        "topics": topics,
    });
    let end = End::listen()?;
    tell("Apple's push service", &told, common.json)?;
    end.come().await;
    if let Some(control) = control {
        control.shutdown().await;
    }
    apns.shutdown().await;
    Ok(())
}

async fn fcm(FcmArguments { common, project: projects }: &FcmArguments) -> anyhow::Result<()> {
    let directory = Directory::open(common.directory.as_deref())?;
    let (authority, authority_file) = directory.authority()?;
    let projects: BTreeSet<&String> = projects.iter().collect();
    let accounts = projects.into_iter().map(|project| directory.account(project));
    let accounts = accounts.collect::<anyhow::Result<Vec<_>>>()?;
    let options = FcmOptions {
        port: common.listen.port(),
        accounts: accounts.clone(),
        ..FcmOptions::default()
    };
    let fcm = FakeFcm::start(&authority, Clock::default(), options).await?;
    let files = accounts
        .iter()
        .map(|account| {
            let file = directory.write_account(account, &fcm.token_uri())?;
            Ok((account.project_id().to_owned(), json!(file)))
        })
        .collect::<anyhow::Result<serde_json::Map<_, _>>>()?;
    let control = match common.control {
        Some(address) => Some(Control::of_fcm(address, &fcm).await?),
        None => None,
    };
    let told = json!({
        "url": format!("https://{}", fcm.address()),
        "token_uri": fcm.token_uri(),
        "control_url": control_url(control.as_ref()),
        "authority_file": authority_file,
        "service_account_files": files,
    });
    let end = End::listen()?;
    tell("Google's push service", &told, common.json)?;
    end.come().await;
    if let Some(control) = control {
        control.shutdown().await;
    }
    fcm.shutdown().await;
    Ok(())
}

/// Says where everything is, as soon as it serves.
fn tell(what: &str, told: &Value, as_json: bool) -> std::io::Result<()> {
    let mut output = std::io::stdout().lock();
    if as_json {
        writeln!(output, "{told}")?;
    } else {
        writeln!(output, "A fake of {what}.\n\n{}\nServing until Ctrl-C.", table(told, ""))?;
    }
    output.flush()
}

fn table(told: &Value, indent: &str) -> String {
    let mut text = String::new();
    for (name, value) in told.as_object().into_iter().flatten() {
        let name = name.replace('_', " ");
        let value = match value {
            Value::Null => continue,
            Value::Array(list) if list.is_empty() => continue,
            Value::Object(_) => format!("\n{}", table(value, "  ").trim_end()),
            Value::String(value) => value.clone(),
            other => other.to_string(),
        };
        // A `String` takes whatever is written.
        let _ = writeln!(text, "{indent}  {name:<16} {value}");
    }
    text
}

fn control_url(control: Option<&Control>) -> Option<String> {
    control.map(|control| format!("http://{}", control.address()))
}

fn own_address(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr = text.parse().map_err(|_| "write it like 127.0.0.1:8443")?;
    if address.ip() == Ipv4Addr::LOCALHOST {
        Ok(address)
    } else {
        Err("the fakes listen on 127.0.0.1 only".to_owned())
    }
}

/// The id goes into the name of a file.
fn project_id(text: &str) -> Result<String, String> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '-';
    if !text.is_empty() && text.len() <= 63 && text.chars().all(plain) {
        Ok(text.to_owned())
    } else {
        Err("a project id is letters, digits and hyphens".to_owned())
    }
}
