//! The layers of the crate: a module names only modules of rows below its own.
//!
//! Read from `use` lines and inline `crate::` paths, so the picture in `docs/ARCHITECTURE.md`
//! stays true without anybody minding it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use self::paths::{crates_named, root_modules_named};

#[path = "layers/paths.rs"]
mod paths;

/// Every top-level module and its row; two modules of one row do not name each other.
const ROWS: [(u8, &[&str]); 16] = [
    (0, &["clock", "random"]),
    (1, &["domain"]),
    (2, &["config", "metrics", "telemetry", "shares", "secret_key", "names"]),
    (3, &["outbound", "listener", "registry", "shared_state"]),
    (4, &["providers", "rate_limit"]),
    (5, &["brake", "entitlement", "import", "retention"]),
    (6, &["delivery"]),
    (7, &["dispatch", "registration", "transfer", "analytics", "push_registration", "links"]),
    (8, &["app"]),
    (9, &["http"]),
    (10, &["endpoints", "pages"]),
    (11, &["router"]),
    (12, &["server"]),
    (13, &["sandbox"]),
    (14, &["cli"]),
    (15, &["main"]),
];

/// A file this long has a second idea in it.
const LONGEST_FILE: usize = 400;
/// Half of the files are at most this long.
const LONGEST_MEDIAN: usize = 150;

#[test]
fn modules_name_only_modules_of_lower_rows() {
    let faults: Vec<String> =
        sources("src").iter().flat_map(|(path, text)| faults_of_bouncer_file(path, text)).collect();
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn tables_and_their_history_know_nothing_of_the_bouncer_nor_of_each_other() {
    let mut faults = Vec::new();
    for (directory, strangers) in
        [("migrations", ["entities", "push_bouncer"]), ("entities", ["migrations", "push_bouncer"])]
    {
        for (path, text) in sources(&format!("{directory}/src")) {
            for named in crates_named(&text, &strangers) {
                faults.push(format!("{}: names `{named}`", path.display()));
            }
        }
        let manifest = root().join(directory).join("Cargo.toml");
        let manifest = fs::read_to_string(manifest).unwrap();
        for stranger in strangers {
            let name = stranger.replace('_', "-");
            if manifest.lines().any(|line| line.trim_start().starts_with(&name)) {
                faults.push(format!("{directory}/Cargo.toml: depends on `{name}`"));
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn files_are_short() {
    let mut sizes: Vec<(usize, PathBuf)> =
        sources("src").into_iter().map(|(path, text)| (text.lines().count(), path)).collect();
    sizes.sort();
    let (longest, path) = &sizes[sizes.len() - 1];
    assert!(*longest <= LONGEST_FILE, "{} has {longest} lines", path.display());
    let (median, _) = &sizes[sizes.len() / 2];
    assert!(*median <= LONGEST_MEDIAN, "the median file has {median} lines");
}

#[test]
fn a_name_of_a_higher_row_is_seen() {
    for text in [
        "use crate::server::Server;",
        "use crate::{clock::Clock, server};",
        "use crate::{\n    domain::{device::Device, user},\n    cli::{self, run},\n};",
        "pub(crate) use crate :: server;",
        "fn f() { crate::server::start(); }",
        "fn f() -> Vec<crate::server::Server> { vec![] }",
        "macro_rules! m { () => { $crate::server::start() } }",
        "use super::server;",
        "mod inner { use super::super::server; }",
        "mod inner { mod deeper { } use super::{super::server, f}; }",
        "use self::super::server;",
        "fn f<'a>(c: char) { if c == '\"' { crate::server::f('\\'', b'\"', \"\\\"\") } }",
        "const A: &str = r#\"\"quoted\"#; use crate::server;",
        "/* /* nested */ use crate::clock; */ use crate::server;",
        "use crate::{r#server};",
        "use push_bouncer::server;",
    ] {
        let faults = faults_of_bouncer_file(Path::new("src/registry.rs"), text);
        assert_eq!(faults.len(), 1, "{text}\n{faults:?}");
    }
}

#[test]
fn names_of_lower_rows_and_of_the_module_itself_are_allowed() {
    for text in [
        "use crate::clock::Clock;",
        "use crate::{clock::Clock, domain::{self, server}, registry::server};",
        "use super::clock; mod inner { use super::server; }",
        "// use crate::server;\n/// [`crate::server`]\nfn f() {}",
        "/* use crate::server; */",
        "const A: &str = \"use crate::server;\"; const B: &str = r##\"crate::server \"# \"##;",
        "pub(crate) fn server() {} pub(in crate::registry) fn f() {}",
        "use entities::{self, server}; use other::server; use ::server::x; use self::server;",
        "fn f() { other::crate_server::x(); }",
        "use a::b; fn f(entities: u8) -> S { S { entities, b: g(1, entities) } }",
    ] {
        let faults = faults_of_bouncer_file(Path::new("src/registry.rs"), text);
        assert!(faults.is_empty(), "{text}\n{faults:?}");
    }
    let text = "use super::super::clock; use super::server; use crate::registry::x;";
    assert!(faults_of_bouncer_file(Path::new("src/registry/devices.rs"), text).is_empty());
}

#[test]
fn neighbours_strangers_and_the_root_itself_are_refused() {
    for (path, text) in [
        ("src/registry/devices.rs", "use crate::outbound::Client;"),
        ("src/registry/devices.rs", "use super::super::outbound::Client;"),
        ("src/registry/devices.rs", "use crate::Registry;"),
        ("src/registry/devices.rs", "use crate::*;"),
        ("src/registry/devices.rs", "use crate::{self as root};"),
        ("src/unknown.rs", ""),
        ("src/unknown/thing.rs", ""),
        ("src/dispatch.rs", "use entities::remote_server;"),
        ("src/dispatch.rs", "use {clock::Clock, entities as tables};"),
        ("src/dispatch.rs", "extern crate entities;"),
        ("src/dispatch.rs", "fn f() { ::entities::remote_server::f() }"),
    ] {
        let faults = faults_of_bouncer_file(Path::new(path), text);
        assert_eq!(faults.len(), 1, "{path}: {text}\n{faults:?}");
    }
}

/// What a file under `src/` names and must not, in words.
fn faults_of_bouncer_file(path: &Path, text: &str) -> Vec<String> {
    let place: Vec<String> = path
        .with_extension("")
        .components()
        .skip(1)
        .map(|component| component.as_os_str().to_string_lossy().into_owned())
        .collect();
    if place == ["lib"] {
        return Vec::new();
    }
    let rows: BTreeMap<&str, u8> = ROWS
        .iter()
        .flat_map(|(row, modules)| modules.iter().map(|module| (*module, *row)))
        .collect();
    let module = place[0].as_str();
    let Some(row) = rows.get(module) else {
        return vec![format!("{}: `{module}` has no row in tests/layers.rs", path.display())];
    };
    let mut faults = Vec::new();
    // `main` is the root of a crate of its own.
    let depth = if module == "main" { 0 } else { place.len() };
    for named in root_modules_named(text, depth) {
        let allowed = named == module || rows.get(named.as_str()).is_some_and(|other| other < row);
        if !allowed {
            let other =
                rows.get(named.as_str()).map_or("no row".to_owned(), |r| format!("row {r}"));
            faults.push(format!("{}: row {row} names `{named}` of {other}", path.display()));
        }
    }
    if module != "registry" {
        for named in crates_named(text, &["entities"]) {
            faults.push(format!("{}: only `registry` names `{named}`", path.display()));
        }
    }
    faults
}

/// Every Rust file below `directory`, by its path from the project's root.
fn sources(directory: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut directories = vec![PathBuf::from(directory)];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(root().join(&directory)).unwrap() {
            let path = directory.join(entry.unwrap().file_name());
            if root().join(&path).is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(root().join(&path)).unwrap();
                found.push((path, text));
            }
        }
    }
    assert!(!found.is_empty(), "there is no Rust file in {directory}");
    found
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
