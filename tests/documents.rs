//! The documents: their links lead somewhere, and every vector of the protocol and every case of the push
//! services is a test.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// How many vectors the protocol has.
const VECTORS: u16 = 151;

/// How many cases of what a push service may answer there are.
const CASES: u16 = 28;

#[test]
fn links_between_documents_and_files_lead_somewhere() {
    let mut checked = 0;
    let mut broken = Vec::new();
    for document in files(root(), "md") {
        let text = fs::read_to_string(&document).unwrap();
        for target in links(&text) {
            checked += 1;
            let file = target.split('#').next().unwrap_or_default();
            if !file.is_empty() && !document.parent().unwrap().join(file).exists() {
                broken.push(format!("{}: {target}", document.display()));
            }
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
    assert!(checked > 40, "the links are found: {checked}");
}

#[test]
fn every_vector_is_one_test() {
    let mut tests: BTreeMap<u16, Vec<String>> = BTreeMap::new();
    for file in files(&root().join("tests/integration/vectors"), "rs") {
        let text = fs::read_to_string(&file).unwrap();
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for (number, line) in lines.iter().enumerate() {
            let Some(name) = line.strip_prefix("async fn v").or(line.strip_prefix("fn v")) else {
                continue;
            };
            let Some(vector) = name.get(..3).and_then(|digits| digits.parse().ok()) else {
                continue;
            };
            let is_test = lines[..number].last().is_some_and(|line| line.contains("test"));
            assert!(is_test, "v{name} is a test");
            tests.entry(vector).or_default().push(name.to_owned());
        }
    }
    let missing: Vec<u16> = (1..=VECTORS).filter(|vector| !tests.contains_key(vector)).collect();
    assert!(missing.is_empty(), "without a test: {missing:?}");
    let twice: Vec<_> = tests.values().filter(|names| names.len() > 1).collect();
    assert!(twice.is_empty(), "with two tests: {twice:?}");
    assert_eq!(tests.len(), usize::from(VECTORS), "no other vector");
}

#[test]
fn every_case_of_the_push_services_has_a_test() {
    let mut tests: BTreeMap<u16, Vec<String>> = BTreeMap::new();
    for directory in ["src", "tests"] {
        for file in files(&root().join(directory), "rs") {
            for (name, is_test) in functions(&fs::read_to_string(&file).unwrap()) {
                let Some(rest) = name.strip_prefix("case_") else { continue };
                let case = rest.split('_').next().and_then(|digits| digits.parse().ok());
                let case = case.filter(|case| (1..=CASES).contains(case));
                assert!(is_test && case.is_some(), "{name} is a test of a case there is");
                tests.entry(case.unwrap_or_default()).or_default().push(name);
            }
        }
    }
    let missing: Vec<u16> = (1..=CASES).filter(|case| !tests.contains_key(case)).collect();
    assert!(missing.is_empty(), "without a test: {missing:?}");
    // Several may look at one case; each says what it looks at.
    for names in tests.values_mut() {
        names.sort_unstable();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all, "two tests of one name: {names:?}");
    }
}

/// The tests that a document names are there: it names them with their module.
#[test]
fn the_tests_that_prove_the_promises_are_there() {
    let text = fs::read_to_string(root().join("docs/DELIVERY.md")).unwrap();
    let mut named = 0;
    for word in text.split('`').skip(1).step_by(2) {
        let Some((module, test)) = word.rsplit_once("::") else { continue };
        if word.contains(char::is_whitespace) {
            continue;
        }
        let file = root().join("tests/integration").join(module.replace("::", "/") + ".rs");
        let code = fs::read_to_string(&file).unwrap_or_default();
        let is_there = functions(&code).iter().any(|(name, is_test)| name == test && *is_test);
        assert!(is_there, "{word} is no test");
        named += 1;
    }
    assert!(named > 30, "the tests are found: {named}");
}

/// The functions of a file, and whether each is a test.
fn functions(code: &str) -> Vec<(String, bool)> {
    let lines: Vec<&str> = code.lines().map(str::trim).collect();
    let named = lines.iter().enumerate().filter_map(|(number, line)| {
        let rest = line.strip_prefix("async fn ").or(line.strip_prefix("fn "))?;
        let name = rest.split(['(', '<']).next()?;
        let is_test = lines[..number].last().is_some_and(|line| line.contains("test"));
        Some((name.to_owned(), is_test))
    });
    named.collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files below `directory` with this ending, but for what is built.
fn files(directory: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut directories = vec![directory.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && name != "target" && !name.starts_with('.') {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == ending) {
                found.push(path);
            }
        }
    }
    found
}

/// The targets of links that are no addresses on the web.
fn links(text: &str) -> Vec<&str> {
    text.split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'))
        .map(|(target, _)| target)
        .filter(|target| !target.contains("://") && !target.starts_with("mailto:"))
        .collect()
}
