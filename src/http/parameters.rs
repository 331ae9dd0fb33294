//! The parameters of a form endpoint, from the body and from the query.

use std::collections::BTreeSet;

use bytes::Bytes;
use futures_util::FutureExt as _;
use http::{HeaderMap, header};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::{ApiError, document::parse_uuid};

/// Fields of one form at most; Zulip's own forms have a dozen.
const MAX_FIELDS: usize = 1000;

/// A longer form of either kind takes more than a millisecond; others are served while it is decoded.
const LONG_FORM_BYTES: usize = 512 * 1024;

/// The parameters of one request. The body is consulted first, then the query; of a repeated parameter
/// the last value counts. It does not print itself: it holds keys and tokens.
#[derive(Default)]
pub struct Parameters {
    body: Vec<(String, String)>,
    query: Vec<(String, String)>,
}

impl Parameters {
    /// The parameters in a request.
    pub(super) async fn read(headers: &HeaderMap, query: Option<&str>, body: &Bytes) -> Self {
        let body = match content_type(headers) {
            Some(content_type) if body.len() > LONG_FORM_BYTES => {
                let body = body.clone();
                let decoded = tokio::task::spawn_blocking(move || content_type.decode(&body)).await;
                decoded.expect("decoding a form does not panic")
            }
            Some(content_type) => content_type.decode(body),
            None => Vec::new(),
        };
        Self { body, query: form(query.unwrap_or_default().as_bytes()) }
    }

    /// The parameter, if it was given.
    #[must_use]
    pub fn optional(&self, name: &str) -> Option<&str> {
        let last =
            |fields: &'_ Vec<(String, String)>| fields.iter().rposition(|(field, _)| field == name);
        match (last(&self.body), last(&self.query)) {
            (Some(index), _) => Some(&self.body[index].1),
            (None, Some(index)) => Some(&self.query[index].1),
            (None, None) => None,
        }
    }

    /// The parameter.
    ///
    /// # Errors
    ///
    /// When it was not given.
    pub fn required(&self, name: &'static str) -> Result<&str, ApiError> {
        self.optional(name).ok_or(ApiError::MissingParameter(name))
    }

    /// The parameter, which must have so many characters.
    ///
    /// # Errors
    ///
    /// When it was not given, or has another length.
    pub fn required_of_length(
        &self,
        name: &'static str,
        length: usize,
    ) -> Result<String, ApiError> {
        let value = self.required(name)?;
        of_length(name, value, length)
    }

    /// The parameter, which must have no more characters than these.
    ///
    /// # Errors
    ///
    /// When it was not given, or is longer.
    pub fn required_up_to(&self, name: &'static str, length: usize) -> Result<String, ApiError> {
        let value = self.required(name)?;
        if value.chars().count() <= length {
            return Ok(value.to_owned());
        }
        Err(ApiError::Invalid(format!("{name} is too long (limit: {length} characters)").into()))
    }

    /// The parameter, if it was given, which must have so many characters then.
    ///
    /// # Errors
    ///
    /// When it has another length.
    pub fn optional_of_length(
        &self,
        name: &'static str,
        length: usize,
    ) -> Result<Option<String>, ApiError> {
        self.optional(name).map(|value| of_length(name, value, length)).transpose()
    }

    /// The parameter, a number written as JSON, if it was given.
    ///
    /// # Errors
    ///
    /// When it is not JSON, or no 64-bit number.
    pub fn optional_integer(&self, name: &'static str) -> Result<Option<i64>, ApiError> {
        let Some(text) = self.optional(name) else { return Ok(None) };
        if let Ok(integer) = serde_json::from_str(text) {
            return Ok(Some(integer));
        }
        // The reference's parser knows these three words beyond JSON.
        let is_json = matches!(text.trim(), "NaN" | "Infinity" | "-Infinity")
            || serde_json::from_str::<&RawValue>(text).is_ok();
        let problem = if is_json { "an integer" } else { "valid JSON" };
        Err(ApiError::Invalid(format!("{name} is not {problem}").into()))
    }

    /// The parameter, a number written as JSON.
    ///
    /// # Errors
    ///
    /// When it was not given, is not JSON, or no 64-bit number.
    pub fn required_integer(&self, name: &'static str) -> Result<i64, ApiError> {
        self.optional_integer(name)?.ok_or(ApiError::MissingParameter(name))
    }

    /// The parameter, a UUID in any of its forms, if it was given.
    ///
    /// # Errors
    ///
    /// When it is no UUID.
    pub fn optional_uuid(&self, name: &'static str) -> Result<Option<Uuid>, ApiError> {
        self.optional(name).map(parse_uuid).transpose()
    }

    /// The names of all parameters but these, sorted.
    #[must_use]
    pub fn other_than(&self, known: &[&str]) -> Vec<String> {
        let names: BTreeSet<&str> = self
            .body
            .iter()
            .chain(&self.query)
            .map(|(name, _)| name.as_str())
            // Every endpoint of the reference takes an undocumented `client`.
            .filter(|name| !known.contains(name) && *name != "client")
            .collect();
        names.into_iter().map(str::to_owned).collect()
    }
}

fn of_length(name: &str, value: &str, length: usize) -> Result<String, ApiError> {
    if value.chars().count() == length {
        return Ok(value.to_owned());
    }
    Err(ApiError::Invalid(format!("{name} is not length {length}").into()))
}

/// Whether the body is a form, so that a field of it may override the method.
pub(super) fn is_form(headers: &HeaderMap) -> bool {
    content_type(headers).is_some()
}

enum ContentType {
    Form,
    Multipart(String),
}

impl ContentType {
    fn decode(self, body: &Bytes) -> Vec<(String, String)> {
        match self {
            Self::Form => form(body),
            // All of the body is there: nothing is waited for.
            Self::Multipart(boundary) => {
                multipart(boundary, body).now_or_never().unwrap_or_default()
            }
        }
    }
}

fn content_type(headers: &HeaderMap) -> Option<ContentType> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let essence = value.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Some(ContentType::Form);
    }
    multer::parse_boundary(value).ok().map(ContentType::Multipart)
}

fn form(text: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(text)
        .take(MAX_FIELDS)
        .map(|(name, value)| (name.into(), value.into()))
        .collect()
}

/// The text fields of a multipart body, up to where it breaks off.
async fn multipart(boundary: String, body: &Bytes) -> Vec<(String, String)> {
    let whole = body.clone();
    let stream =
        futures_util::stream::once(async move { Ok::<_, std::convert::Infallible>(whole) });
    let mut parts = multer::Multipart::new(stream, boundary);
    let mut fields = Vec::new();
    // Parts that are no fields cost as much time as those that are.
    for _ in 0..MAX_FIELDS {
        let Ok(Some(field)) = parts.next_field().await else { break };
        let (Some(name), None) = (field.name().map(str::to_owned), field.file_name()) else {
            continue;
        };
        let Ok(value) = field.bytes().await else { break };
        fields.push((name, String::from_utf8_lossy(&value).into_owned()));
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(query: &str, body: &str) -> Parameters {
        let mut headers = HeaderMap::new();
        let form = "application/x-www-form-urlencoded; charset=utf-8";
        headers.insert(header::CONTENT_TYPE, form.parse().unwrap());
        Parameters::read(&headers, Some(query), &Bytes::copy_from_slice(body.as_bytes())).await
    }

    #[tokio::test]
    async fn the_body_comes_before_the_query_and_the_last_value_counts() {
        let parameters = read("a=1&b=2&c=3", "a=4&a=5").await;
        assert_eq!(parameters.optional("a"), Some("5"));
        assert_eq!(parameters.optional("b"), Some("2"));
        assert_eq!(parameters.other_than(&["a", "b"]), ["c"]);
    }

    #[tokio::test]
    async fn parts_of_a_multipart_body_count_also_where_they_are_no_fields() {
        let mut headers = HeaderMap::new();
        let multipart = "multipart/form-data; boundary=b";
        headers.insert(header::CONTENT_TYPE, multipart.parse().unwrap());
        let field = "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n";
        let file = "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"f\"\r\n\r\n\r\n";
        for (part, bytes) in [("--b\r\n\r\n\r\n\r\n", 0), (file, 0), (file, LONG_FORM_BYTES)] {
            for (parts, found) in [(MAX_FIELDS - 1, Some("1")), (MAX_FIELDS, None)] {
                let end = format!("--b--{}", " ".repeat(bytes));
                let body = Bytes::from(part.repeat(parts) + field + &end);
                let parameters = Parameters::read(&headers, None, &body).await;
                assert_eq!(parameters.optional("a"), found, "{parts} of {part}, {bytes} bytes");
            }
        }
    }

    #[tokio::test]
    async fn numbers_are_json_numbers_of_64_bits() {
        let parameters =
            read("", "a=+5+&b=5.0&c=%225%22&d=5x&e=NaN&f=9223372036854775808&g=null").await;
        assert_eq!(parameters.optional_integer("a").unwrap(), Some(5));
        for name in ["b", "c", "e", "f", "g"] {
            let error = parameters.optional_integer(name).unwrap_err();
            assert!(
                matches!(error, ApiError::Invalid(text) if text.ends_with("is not an integer"))
            );
        }
        let error = parameters.optional_integer("d").unwrap_err();
        assert!(matches!(error, ApiError::Invalid(text) if text == "d is not valid JSON"));
        assert!(parameters.optional_integer("h").unwrap().is_none());
    }
}
