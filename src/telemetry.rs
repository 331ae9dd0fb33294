//! The log, and what a panic may say.

use std::panic;

use tracing_subscriber::{EnvFilter, fmt};

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
#[error("`log.level`: {0}")]
pub struct LogError(#[from] tracing_subscriber::filter::ParseError);

/// Below this level h2 writes down whole frames, and with them what a push service says back to us: it may be a token.
const OF_HTTP2: &str = "h2=info";

/// Begins to log on standard error; `RUST_LOG` wins over `level`.
///
/// # Errors
///
/// When the level is none.
pub fn start(level: &str, is_json: bool) -> Result<(), LogError> {
    let directives = std::env::var("RUST_LOG").unwrap_or_else(|_| level.to_owned());
    let filter = EnvFilter::try_new(directives)?.add_directive(OF_HTTP2.parse()?);
    let builder = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if is_json {
        builder.json().flatten_event(true).init();
    } else {
        let is_plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        builder.with_ansi(!is_plain && std::io::IsTerminal::is_terminal(&std::io::stderr())).init();
    }
    Ok(())
}

/// From now on a panic says where it happened, and nothing else: its text may hold what it was about.
pub fn quiet_panics() {
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(event = "panic", place, "a fault in push-bouncer; please report the place");
    }));
}
