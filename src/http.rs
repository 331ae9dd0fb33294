//! What every endpoint has in common: who calls, what the body says, how an answer looks.

mod answer;
mod authenticated;
mod authentication;
mod body;
mod client_address;
mod document;
mod error;
mod open;
mod page;
mod parameters;
mod realm;

pub use answer::{Answer, Success};
pub use authenticated::{AuthenticatedRequest, Endpoint, Requester, authenticated};
pub use document::{Document, parse_uuid};
pub use error::ApiError;
pub use open::{OpenEndpoint, OpenRequest, open};
pub use page::{Page, page};
pub use parameters::Parameters;
pub use realm::{find_realm, require_realm};
