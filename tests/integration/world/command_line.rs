//! The operator's command line on the server's settings, with or without the server beside it.

use std::process::Output;

use serde_json::Value;
use tokio::process::Command;

use super::Stage;

/// What a command printed, and how it ended.
#[derive(Debug)]
pub(crate) struct Printed {
    /// How it ended.
    pub(crate) code: i32,
    /// Its standard output.
    pub(crate) text: String,
    /// Its standard error.
    pub(crate) complaint: String,
}

impl Printed {
    /// The one JSON value on standard output.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl Stage {
    /// Runs `push-bouncer` with these arguments on the server's settings.
    pub(crate) async fn command(&self, arguments: &[&str]) -> Printed {
        let output = Command::new(env!("CARGO_BIN_EXE_push-bouncer"))
            .args(arguments)
            .arg("--config")
            .arg(self.surroundings.config_file())
            .env_remove("RUST_LOG")
            .env_remove("SUDO_USER")
            .env("USER", "olivia")
            .output()
            .await
            .expect("the program can be run");
        let Output { status, stdout, stderr } = output;
        Printed {
            code: status.code().expect("it ends by itself"),
            text: String::from_utf8(stdout).expect("it prints text"),
            complaint: String::from_utf8(stderr).expect("it prints text"),
        }
    }

    /// The same for a command that does as it is told; gives its standard output.
    pub(crate) async fn done(&self, arguments: &[&str]) -> String {
        let printed = self.command(arguments).await;
        assert_eq!((printed.code, printed.complaint.as_str()), (0, ""), "{arguments:?}");
        printed.text
    }
}
