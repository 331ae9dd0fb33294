//! `GET /remote-billing-login/{token}`: where Zulip's menu "Plan management" leads.

use std::sync::Arc;

use http::StatusCode;

use crate::{
    app::App,
    domain::{remote_realm::RemoteRealm, remote_server::RemoteServer},
    http::Page,
    links::{LinkError, Visitor},
    registry::RegistryError,
};

/// The path before the token.
pub use crate::links::LOGIN_PATH as PATH;

/// Tells whether the organization may push; there is nothing to be managed here yet.
pub async fn handle(token: String, app: Arc<App>) -> Page {
    let visitor = match app.links.open(&token) {
        Ok(visitor) => visitor,
        Err(error) => return refused(error),
    };
    match find(&app, visitor).await {
        Ok(Some((server, realm))) => standing(&app, &server, &realm),
        Ok(None) => refused(LinkError::Invalid),
        Err(error) => {
            tracing::error!(event = "database.failed", %error, "a page could not be shown");
            Page {
                status: StatusCode::SERVICE_UNAVAILABLE,
                title: "Please try again",
                paragraphs: vec!["This page cannot be shown at the moment.".to_owned()],
            }
        }
    }
}

async fn find(
    app: &App,
    visitor: Visitor,
) -> Result<Option<(Arc<RemoteServer>, Arc<RemoteRealm>)>, RegistryError> {
    let Some(server) = app.registry.find_server(visitor.server).await? else { return Ok(None) };
    let realm = app.registry.find_realm(visitor.realm).await?;
    Ok(realm.filter(|realm| realm.server_id == server.id).map(|realm| (server, realm)))
}

fn standing(app: &App, server: &RemoteServer, realm: &RemoteRealm) -> Page {
    let entitlement = app.entitlement.decide(server, Some(realm));
    let may = match (server.deactivated, entitlement.can_push) {
        (true, _) => "The registration of this server was deactivated.".to_owned(),
        (false, true) => "Mobile push notifications are on for this organization.".to_owned(),
        (false, false) => format!(
            "Mobile push notifications are off for this organization. The reason: {}",
            entitlement.reason
        ),
    };
    let mut paragraphs = vec![format!("Server: {}", server.hostname), may];
    if let Some(end) = entitlement.expected_end {
        let days = end.since(app.clock.now()).as_secs() / (24 * 60 * 60);
        paragraphs.push(format!("They end with the plan, in {days} days."));
    }
    paragraphs.push(
        "Plans of this service are managed by its operator; this page does not do that yet."
            .to_owned(),
    );
    Page { status: StatusCode::OK, title: "Mobile push notifications", paragraphs }
}

fn refused(error: LinkError) -> Page {
    // Zulip's own words for the first two.
    let text = match error {
        LinkError::Invalid => "Invalid billing access token.",
        LinkError::Expired => "Billing access token expired.",
        LinkError::Opened => "This link was opened before; it is good once.",
    };
    Page {
        status: StatusCode::BAD_REQUEST,
        title: "This link leads nowhere",
        paragraphs: vec![
            text.to_owned(),
            "Please open the page again from your Zulip organization.".to_owned(),
        ],
    }
}
