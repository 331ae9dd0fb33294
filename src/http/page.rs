//! The way of every request for a page that a person opens in a browser, and how a page looks.

use std::{future::Future, sync::Arc};

use axum::{body::Body, extract::Request};
use http::{HeaderValue, Method, Response, StatusCode, header};

use super::{Answer, ApiError, client_address::client_address, open::check_address};
use crate::app::App;

/// No page loads, runs or sends anything, and none may be framed.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A page: a heading and paragraphs, all of it plain text.
pub struct Page {
    /// The status it is answered with.
    pub status: StatusCode,
    /// The heading.
    pub title: &'static str,
    /// What it says.
    pub paragraphs: Vec<String>,
}

/// Answers one request for a page; `rest` is the path behind what the page is named by.
pub async fn page<H, F>(app: Arc<App>, request: Request, named: &str, handle: H) -> Answer
where
    H: FnOnce(String, Arc<App>) -> F,
    F: Future<Output = Page>,
{
    let (parts, _body) = request.into_parts();
    // HEAD would open a link that is good once, for nobody to see.
    if parts.method != Method::GET {
        return ApiError::MethodNotAllowed(&["GET"]).into_answer();
    }
    let checked = client_address(&parts, &app).and_then(|address| check_address(&app, address));
    if let Err(error) = checked {
        return error.into_answer();
    }
    let rest = parts.uri.path().strip_prefix(named).unwrap_or_default().to_owned();
    handle(rest, app).await.into_answer()
}

impl Page {
    fn into_answer(self) -> Answer {
        let mut answer = Response::new(Body::from(self.html()));
        *answer.status_mut() = self.status;
        let headers = answer.headers_mut();
        for (name, value) in [
            (header::CONTENT_TYPE, "text/html; charset=utf-8"),
            (header::CACHE_CONTROL, "no-store"),
            (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
            (header::REFERRER_POLICY, "no-referrer"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::X_FRAME_OPTIONS, "DENY"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        answer
    }

    fn html(&self) -> String {
        let title = escaped(self.title);
        let paragraphs: String =
            self.paragraphs.iter().map(|text| format!("<p>{}</p>\n", escaped(text))).collect();
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n\
             <style>:root {{ color-scheme: light dark }} body {{ font: 1.1rem/1.5 system-ui, sans-serif; \
             max-width: 36rem; margin: 4rem auto; padding: 0 1rem }}</style>\n</head>\n<body>\n\
             <main>\n<h1>{title}</h1>\n{paragraphs}</main>\n</body>\n</html>\n"
        )
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_text() {
        let page = Page {
            status: StatusCode::OK,
            title: "A & B",
            paragraphs: vec!["<script>alert(\"x\")</script>".to_owned()],
        };
        let html = page.html();
        assert!(html.contains("<h1>A &amp; B</h1>"), "{html}");
        assert!(html.contains("&lt;script&gt;alert(&quot;x&quot;)"), "{html}");
    }
}
