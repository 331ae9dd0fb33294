//! What is wrong with a file of settings, told without what stands in it.

use super::ConfigError;

/// The place of an error of syntax, and what is wrong; a line with a password is not shown.
pub(super) fn problem(text: &str, error: &toml::de::Error) -> ConfigError {
    let at = error.span().map_or(0, |span| span.start);
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|letter| *letter != '\n').count() + 1;
    let key = text.lines().nth(line - 1).and_then(|line| Some(line.split_once('=')?.0.trim()));
    ConfigError::Syntax {
        line,
        column,
        key: key.map(str::to_owned),
        problem: without_value(error.message()),
    }
}

/// `serde` says which text it found where something else is expected.
fn without_value(message: &str) -> String {
    let value = message.split_once("string \"").and_then(|(before, rest)| {
        let (_, after) = rest.rsplit_once('"')?;
        Some(format!("{before}string{after}"))
    });
    value.unwrap_or_else(|| message.to_owned())
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    fn told(text: &str) -> String {
        Config::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn the_place_is_named_and_no_value() {
        let with = |line: &str| told(&format!("# a file\n{line}\n"));
        let unclosed = with("database.url = \"postgres://u:SECRET@h/db");
        assert!(unclosed.starts_with("line 2, column "), "{unclosed}");
        let unknown = with("proxy.urll = \"http://u:SECRET@p:1\"");
        let place = "line 2, column 7, at `proxy.urll`: unknown field `urll`";
        assert!(unknown.starts_with(place), "{unknown}");
        let mistyped = with("proxy.url = [\"http://u:SECRET@p:1\"]");
        assert!(mistyped.contains("invalid type"), "{mistyped}");
        let text = with("database.max_connections = \"SECRET\"");
        assert!(text.contains("invalid type: string, expected u32"), "{text}");
        for told in [unclosed, unknown, mistyped, text] {
            assert!(!told.contains("SECRET"), "{told}");
        }
    }
}
