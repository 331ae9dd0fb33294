//! The Python text of JSON values, compared with a real Python.
//!
//! `PUSH_BOUNCER_TEST_PYTHON` names the interpreter; default `python3`.

use std::{
    env,
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    thread,
};

use proptest::{collection::vec, prelude::*, strategy::ValueTree as _, test_runner::TestRunner};
use push_bouncer::domain::python_text::{python_repr, python_str};
use serde_json::value::RawValue;

/// Enough to meet each pair of kinds often, and done in about a second.
const DOCUMENTS: usize = 5000;

/// A running `tests/python/python_text.py`.
struct Python {
    child: Child,
    documents: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    unicode_version: String,
    /// Code points at which `str.isprintable()` becomes another.
    printable_changes: Vec<u32>,
}

impl Python {
    fn start() -> Self {
        let python = env::var("PUSH_BOUNCER_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let mut child = Command::new(&python)
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/python_text.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("`{python}` does not start: {error}"));
        let documents = child.stdin.take();
        let mut answers = BufReader::new(child.stdout.take().unwrap());
        let mut head = String::new();
        answers.read_line(&mut head).unwrap();
        let (unicode_version, printable_changes) = serde_json::from_str(&head).unwrap();
        Self { child, documents, answers, unicode_version, printable_changes }
    }

    /// The `str()` and `repr()` of each document.
    fn texts(&mut self, documents: &[String]) -> Vec<(String, String)> {
        let mut input = self.documents.take().unwrap();
        let all = documents.join("\n") + "\n";
        // Both pipes are short: the documents must be written while the answers are read.
        let writer = thread::spawn(move || input.write_all(all.as_bytes()));
        let texts = (&mut self.answers)
            .lines()
            .map(|line| serde_json::from_str(&line.unwrap()).unwrap())
            .collect();
        writer.join().unwrap().unwrap();
        assert!(self.child.wait().unwrap().success());
        texts
    }

    fn prints(&self, code: u32) -> bool {
        self.printable_changes.partition_point(|&change| change <= code) % 2 == 1
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        // Only a test that failed half-way leaves a child to stop; it may have ended meanwhile.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn random_documents_have_the_text_that_python_gives_them() {
    let mut runner = TestRunner::deterministic();
    let strategy = document();
    let documents: Vec<String> =
        (0..DOCUMENTS).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect();
    let texts = Python::start().texts(&documents);
    assert_eq!(texts.len(), documents.len());
    for (document, (str_text, repr_text)) in documents.iter().zip(&texts) {
        let raw: &RawValue = serde_json::from_str(document).unwrap();
        assert_eq!(&python_str(raw).unwrap(), str_text, "str of {document}");
        assert_eq!(&python_repr(raw).unwrap(), repr_text, "repr of {document}");
    }
}

#[test]
fn every_character_prints_as_in_python() {
    let python = Python::start();
    // What is once assigned stays so: a later Unicode version only prints more.
    let same_version = python.unicode_version == "14.0.0";
    for c in ('\x20'..=char::MAX).filter(|c| !matches!(c, '"' | '\'' | '\\')) {
        let raw = RawValue::from_string(format!("\"{c}\"")).unwrap();
        let kept = python_repr(&raw).unwrap().len() == c.len_utf8() + 2;
        let printed = python.prints(u32::from(c));
        assert!(kept == printed || (printed && !same_version), "{:#x}", u32::from(c));
    }
}

/// The text of a JSON document without line breaks.
fn document() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        1 => prop_oneof![Just("true"), Just("false"), Just("null")].prop_map(str::to_owned),
        3 => number(),
        4 => string(),
    ];
    leaf.prop_recursive(4, 24, 6, |inner| {
        let key_and_value = (string(), blank(), inner.clone())
            .prop_map(|(key, blank, value)| format!("{key}{blank}:{blank}{value}"));
        prop_oneof![
            (vec(inner, 0..6), blank())
                .prop_map(|(items, blank)| format!("[{blank}{}{blank}]", items.join(","))),
            (vec(key_and_value, 0..6), blank())
                .prop_map(|(items, blank)| format!("{{{blank}{}{blank}}}", items.join(", "))),
        ]
    })
}

fn blank() -> impl Strategy<Value = &'static str> {
    prop_oneof![3 => Just(""), 1 => Just(" "), 1 => Just(" \t")]
}

fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<i64>().prop_map(|number| number.to_string()),
        any::<u64>().prop_map(|number| number.to_string()),
        (-1000..1000_i32).prop_map(|number| number.to_string()),
        prop_oneof![Just("-0"), Just("-0.0"), Just("18446744073709551616"), Just("1e-400")]
            .prop_map(str::to_owned),
        "-?[1-9][0-9]{17,24}",
        "-?(0|[1-9][0-9]{0,18})\\.[0-9]{1,20}",
        "-?(0|[1-9][0-9]{0,3})(\\.[0-9]{1,18})?[eE][+-]?[0-2]?[0-9]?[0-9]",
        // Halfway between two texts of the shortest length, where rounding shows.
        (1_i64 << 49..1 << 53).prop_map(|number| format!("{}", number as f64 / 4.0)),
        any::<u64>()
            .prop_map(f64::from_bits)
            .prop_filter_map("JSON has finite numbers", |number| {
                number.is_finite().then(|| format!("{number:e}"))
            }),
    ]
}

/// A JSON string, its characters as they are or escaped.
fn string() -> impl Strategy<Value = String> {
    // Few keys, so that equal ones meet.
    let key = prop_oneof![Just("a"), Just("b"), Just("\\u0061")].prop_map(str::to_owned);
    let text = vec((character(), any::<bool>()), 0..8).prop_map(|characters| {
        characters.into_iter().map(|(c, escape)| in_json(c, escape)).collect::<String>()
    });
    prop_oneof![1 => key, 3 => text].prop_map(|content| format!("\"{content}\""))
}

/// Characters whose printing differs; none that a later Unicode version may assign.
fn character() -> impl Strategy<Value = char> {
    prop_oneof![
        4 => proptest::char::range('\0', '\u{ff}'),
        2 => proptest::sample::select(vec!['\'', '"', '\\', '/', '\n', '\r', '\t', '\x7f']),
        1 => proptest::char::range('\u{2000}', '\u{2064}'),
        1 => proptest::char::range('\u{4e00}', '\u{4fff}'),
        1 => proptest::char::range('\u{e000}', '\u{e0ff}'),
        1 => proptest::char::range('\u{1f600}', '\u{1f64f}'),
        1 => proptest::sample::select(vec![
            '\u{301}', '\u{3000}', '\u{feff}', '\u{fffd}', '\u{ffff}', '\u{e0001}', '\u{10ffff}',
        ]),
    ]
}

fn in_json(c: char, escape: bool) -> String {
    match c {
        _ if escape => {
            c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect()
        }
        '"' | '\\' => format!("\\{c}"),
        '\0'..='\x1f' => format!("\\u{:04x}", u32::from(c)),
        _ => c.to_string(),
    }
}
