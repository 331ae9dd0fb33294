//! The report as a person reads it.

use std::io::{self, Write};

use serde_json::Value;

use super::report::Report;

/// Writes what happened.
pub(super) fn write(output: &mut impl Write, report: &Report) -> io::Result<()> {
    writeln!(
        output,
        "A bouncer, fake push services and a fake chat server; all of it goes when it ends."
    )?;
    writeln!(output, "\n  bouncer     {}", report.bouncer_url)?;
    if let Some(metrics) = &report.metrics_url {
        writeln!(output, "  metrics     {metrics}")?;
    }
    if let Some(control) = &report.control_url {
        writeln!(output, "  control     {control}/apns/ and /fcm/, see docs/SANDBOX.md")?;
    }
    writeln!(output, "  public key  {}, for apps that encrypt", report.public_key)?;
    writeln!(output)?;
    for (number, step) in (1..).zip(&report.steps) {
        let mark = if step.ok { "ok" } else { "FAILED" };
        writeln!(
            output,
            "{number:>2}. {:<39} POST {:<22} {} in {} ms  {mark}",
            step.title, step.path, step.status, step.milliseconds
        )?;
        for received in &step.received {
            writeln!(
                output,
                "      {:<14} {:<8} {}",
                received.phone, received.event, received.text
            )?;
            if let Some(data) = received.payload["encrypted_data"].as_str() {
                writeln!(
                    output,
                    "      {:<14} {:<8} push_key_id {} and {} unreadable characters",
                    "",
                    "sent as",
                    plain(&received.payload["push_key_id"]),
                    data.len()
                )?;
            }
        }
        if !step.ok {
            writeln!(output, "      the bouncer answered: {}", step.answer)?;
        }
    }
    let verdict = if report.ok { "Everything arrived." } else { "Something went wrong." };
    writeln!(output, "\n{verdict}")
}

/// A number as Apple delivers it, or the text Google makes of it.
fn plain(id: &Value) -> String {
    id.as_str().map_or_else(|| id.to_string(), str::to_owned)
}

/// Writes how to go on with the bouncer that serves now.
pub(super) fn write_invitation(output: &mut impl Write, report: &Report) -> io::Result<()> {
    let Report { bouncer_url, authority_file, org_id, org_key, .. } = report;
    writeln!(
        output,
        r#"
To use it from a real Zulip server on this machine, in /etc/zulip/settings.py:

  ZULIP_SERVICE_PUSH_NOTIFICATIONS = True
  ZULIP_SERVICES_URL = "{bouncer_url}"

and trust its authority (REQUESTS_CA_BUNDLE={authority_file}).

To play the chat server yourself:

  curl --cacert {authority_file} -u {org_id}:{org_key} \
    {bouncer_url}/api/v1/remotes/push/register \
    -d user_id=8 -d token=my-android-phone -d token_kind=2

  curl --cacert {authority_file} -u {org_id}:{org_key} \
    {bouncer_url}/api/v1/remotes/push/notify \
    -H 'Content-Type: application/json' \
    -d '{{"user_id": 8, "gcm_payload": {{"event": "message", "content": "Hello"}}}}'

A token with `dead` in it is one Google says is gone; `slow` takes two seconds, `unavail` fails.

Serving until Ctrl-C."#
    )
}
