//! The report as a person reads it.

use std::io::{self, Write};

use super::report::Report;

/// Writes what happened.
pub(super) fn write(output: &mut impl Write, report: &Report) -> io::Result<()> {
    writeln!(
        output,
        "A bouncer, fake push services and a fake chat server; all of it goes when it ends."
    )?;
    writeln!(output, "\n  bouncer  {}", report.bouncer_url)?;
    if let Some(metrics) = &report.metrics_url {
        writeln!(output, "  metrics  {metrics}")?;
    }
    writeln!(output)?;
    for (number, step) in (1..).zip(&report.steps) {
        let mark = if step.ok { "ok" } else { "FAILED" };
        writeln!(
            output,
            "{number}. {:<34} POST {:<24} {} in {} ms  {mark}",
            step.title, step.path, step.status, step.milliseconds
        )?;
        for received in &step.received {
            writeln!(
                output,
                "     {:<14} {:<8} {}",
                received.phone, received.event, received.text
            )?;
        }
        if !step.ok {
            writeln!(output, "     the bouncer answered: {}", step.answer)?;
        }
    }
    let verdict = if report.ok { "Everything arrived." } else { "Something went wrong." };
    writeln!(output, "\n{verdict}")
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
