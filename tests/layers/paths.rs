//! Which modules and crates a Rust text names, without comments and strings.

/// The top-level modules that the paths in `text` lead to, from `crate`, from this crate's name or
/// up through `super`; a `*` or `self` at the root counts as one.
///
/// `depth` is how many modules the file lies below the root.
pub(crate) fn root_modules_named(text: &str, depth: usize) -> Vec<String> {
    let tokens = tokens(text);
    let mut named = Vec::new();
    let mut braces = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let inline_modules = braces.iter().filter(|&&is_module| is_module).count();
        match tokens[at].as_str() {
            "{" => braces.push(at >= 2 && tokens[at - 2] == "mod"),
            "}" => drop(braces.pop()),
            "crate" | "super" | "self" | "push_bouncer"
                if is_path(&tokens, at) && !is_visibility(&tokens, at) =>
            {
                let start = Place::Below(depth + inline_modules);
                at = follow(&tokens, at, start, &mut named);
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    named
}

/// Those of `crates` that `text` names at the start of a path, each once.
pub(crate) fn crates_named<'a>(text: &str, crates: &[&'a str]) -> Vec<&'a str> {
    let tokens = tokens(text);
    let is_named = |wanted: &&&str| {
        (0..tokens.len()).any(|at| {
            let before = |back: usize| at.checked_sub(back).map_or("", |at| tokens[at].as_str());
            let after = tokens.get(at + 1).map_or("", String::as_str);
            // A `::` before it is another crate's path, unless it is the very first.
            let continues = before(1) == "::" && is_word(before(2)) && before(2) != "use";
            let is_import = matches!(after, ";" | "as" | "," | "}") && is_imported(&tokens, at);
            tokens[at] == **wanted && !continues && (after == "::" || is_import)
        })
    };
    crates.iter().filter(is_named).copied().collect()
}

/// Whether the word at `at` stands in a `use` or an `extern crate`.
fn is_imported(tokens: &[String], at: usize) -> bool {
    let is_between = |token: &&String| is_word(token) || matches!(token.as_str(), "{" | "," | "::");
    let before = tokens[..at].iter().rev().take_while(is_between);
    before.into_iter().any(|token| token == "use" || token == "extern")
}

/// Where a path has led so far.
#[derive(Clone, Copy)]
enum Place {
    /// This many modules below the root of the crate.
    Below(usize),
    /// The root, by `crate` or by this crate's name.
    Root,
}

/// Follows the path or the tree of paths at `at`, and returns where it ends.
fn follow(tokens: &[String], mut at: usize, mut place: Place, named: &mut Vec<String>) -> usize {
    loop {
        let word = tokens.get(at).map_or("", String::as_str);
        match (word, place) {
            ("{", _) => {
                at += 1;
                while at < tokens.len() && tokens[at] != "}" {
                    let end = end_of_branch(tokens, at);
                    follow(tokens, at, place, named);
                    at = end + usize::from(tokens.get(end).is_some_and(|token| token == ","));
                }
                return at + 1;
            }
            ("crate" | "push_bouncer", _) => place = Place::Root,
            ("super", Place::Below(depth)) => place = Place::Below(depth.saturating_sub(1)),
            ("self", Place::Below(_)) if is_path(tokens, at) => {}
            (_, Place::Below(0) | Place::Root) => {
                named.push(word.to_owned());
                return at + 1;
            }
            _ => return at + 1,
        }
        at += 1;
        if tokens.get(at).is_none_or(|token| token != "::") {
            return at;
        }
        at += 1;
    }
}

/// Where the branch at `at` of a tree of paths ends: at its comma or at the brace behind it.
fn end_of_branch(tokens: &[String], at: usize) -> usize {
    let mut depth = 0;
    for (index, token) in tokens.iter().enumerate().skip(at) {
        match token.as_str() {
            "," | "}" if depth == 0 => return index,
            "{" => depth += 1,
            "}" => depth -= 1,
            _ => {}
        }
    }
    tokens.len()
}

fn is_path(tokens: &[String], at: usize) -> bool {
    tokens.get(at + 1).is_some_and(|token| token == "::")
        && (at == 0 || tokens[at - 1] != "::" || (at > 1 && tokens[at - 2] == "use"))
}

/// `pub(in crate::x)` tells who may name, and names nobody.
fn is_visibility(tokens: &[String], at: usize) -> bool {
    at > 1 && tokens[at - 1] == "in" && tokens[at - 2] == "("
}

fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| c == '_' || c.is_alphabetic())
}

/// Words, `::` and single signs; comments, strings, character literals and blanks left out.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment(rest)
        } else if let Some(length) = string(rest) {
            tokens.push("\"".to_owned());
            length
        } else if first == '\'' {
            character_or_lifetime(rest)
        } else if first == '_' || first.is_alphanumeric() {
            let word = rest.strip_prefix("r#").unwrap_or(rest);
            let end = word.find(|c: char| c != '_' && !c.is_alphanumeric()).unwrap_or(word.len());
            tokens.push(word[..end].to_owned());
            rest.len() - word.len() + end
        } else if rest.starts_with("::") {
            tokens.push("::".to_owned());
            2
        } else {
            if !first.is_whitespace() {
                tokens.push(first.to_string());
            }
            first.len_utf8()
        };
        rest = &rest[length..];
    }
    tokens
}

fn block_comment(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        if rest.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                break;
            }
        } else {
            at += 1;
        }
    }
    at
}

/// The length of the string literal at the start of `text`, when there is one.
fn string(text: &str) -> Option<usize> {
    let prefix = ["br", "cr", "b", "c", "r", ""].into_iter().find(|prefix| {
        let rest = text.strip_prefix(prefix);
        rest.is_some_and(|rest| rest.trim_start_matches('#').starts_with('"'))
    })?;
    let raw = prefix.ends_with('r');
    let hashes = text[prefix.len()..].bytes().take_while(|&byte| byte == b'#').count();
    if hashes > 0 && !raw {
        return None;
    }
    let start = prefix.len() + hashes + 1;
    if raw {
        let end = format!("\"{}", "#".repeat(hashes));
        return Some(text[start..].find(&end).map_or(text.len(), |at| start + at + end.len()));
    }
    Some(start + end_of_quoted(&text[start..], b'"'))
}

/// `'a'` and `'\''` are characters, `'a` is a lifetime.
fn character_or_lifetime(text: &str) -> usize {
    let mut inside = text[1..].chars();
    match (inside.next(), inside.next()) {
        (Some('\\'), _) => 1 + end_of_quoted(&text[1..], b'\''),
        (Some(c), Some('\'')) => c.len_utf8() + 2,
        _ => 1,
    }
}

/// The length up to and with the next `quote` that no backslash precedes.
fn end_of_quoted(text: &str, quote: u8) -> usize {
    let mut escaped = false;
    let end = text.bytes().position(|byte| {
        let ends = byte == quote && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    });
    end.map_or(text.len(), |end| end + 1)
}
