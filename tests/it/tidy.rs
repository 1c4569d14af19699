//! The rules of `docs/architecture.md` that can be read off the source.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A source file, without its tests.
struct Source {
    /// From the root of the workspace.
    path: String,
    text: String,
}

impl Source {
    /// Its lines without comments, with their numbers.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate().map(|(number, line)| (number + 1, line));
        lines.filter(|(_, line)| !line.trim_start().starts_with("//"))
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// All files under a folder of the workspace, in order.
fn files(folder: &str, extension: &str) -> Vec<String> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.unwrap().path();
            if path.is_dir() { walk(&path, found) } else { found.push(path) }
        }
    }
    let mut found = Vec::new();
    walk(&root().join(folder), &mut found);
    found.retain(|path| path.extension().is_some_and(|given| given == extension));
    let name = |path: &PathBuf| path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
    let found: BTreeSet<_> = found.iter().map(name).collect();
    assert!(!found.is_empty(), "no .{extension} in {folder}");
    found.into_iter().collect()
}

/// The sources of those crates, without tests.
fn sources(crates: &[&str]) -> Vec<Source> {
    let files = crates.iter().flat_map(|name| files(&format!("crates/{name}/src"), "rs"));
    files
        .map(|path| {
            let whole = read(&path);
            let text = whole.split("\n#[cfg(test)]\nmod ").next().unwrap().to_owned();
            // Tests are the last thing in a file, or they would hide what comes after them.
            let rest = &whole[text.len()..];
            assert!(rest.matches("\n}\n").count() <= 1, "{path}: something stands behind the tests");
            Source { path, text }
        })
        .collect()
}

fn all_sources() -> Vec<Source> {
    let crates = fs::read_dir(root().join("crates")).unwrap();
    let mut crates: Vec<_> = crates.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    crates.retain(|name| root().join("crates").join(name).join("src").is_dir());
    crates.sort();
    sources(&crates.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Whether `word` stands there by itself and not as a part of another one.
fn has_word(line: &str, word: &str) -> bool {
    let part = |char: char| char.is_alphanumeric() || char == '_';
    line.match_indices(word)
        .any(|(at, _)| !line[..at].ends_with(part) && !line[at + word.len()..].starts_with(part))
}

/// Every line of code that holds one of the words, but for those that `excused` knows.
fn lines_with(sources: &[Source], words: &[&str], excused: impl Fn(&Source, &str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources {
        for (number, line) in source.code() {
            if words.iter().any(|word| has_word(line, word)) && !excused(source, line) {
                found.push(format!("{}:{number}: {}", source.path, line.trim()));
            }
        }
    }
    found
}

fn nowhere(sources: &[Source], words: &[&str]) {
    assert_eq!(lines_with(sources, words, |_, _| false), Vec::<String>::new());
}

/// What stands in string literals of the code.
fn literals(source: &Source) -> Vec<String> {
    let code: String = source.code().flat_map(|(_, line)| [line, "\n"]).collect();
    code.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

fn features() -> BTreeSet<String> {
    names("crates/portcullis/src/features", "rs")
}

fn names(folder: &str, extension: &str) -> BTreeSet<String> {
    let stem = |path: &String| Path::new(path).file_stem().unwrap().to_str().unwrap().to_owned();
    files(folder, extension).iter().map(stem).collect()
}

#[test]
fn the_rules_find_what_breaks_them() {
    let text = "// tokio\nuse tokio::time;\nlet tokio_like = 1;\nlet a = \"SELECT 1\";\n".to_owned();
    let source = Source { path: "x.rs".into(), text };
    assert_eq!(
        lines_with(std::slice::from_ref(&source), &["tokio"], |_, _| false),
        ["x.rs:2: use tokio::time;"]
    );
    assert_eq!(literals(&source), ["SELECT 1"]);
}

#[test]
fn every_feature_has_a_page_and_a_suite_and_every_page_a_feature() {
    assert_eq!(names("docs/features", "md"), features());
    let suites = names("tests/suite/http", "rs");
    assert_eq!(features().difference(&suites).collect::<Vec<_>>(), Vec::<&String>::new());
    // What is no feature but concerns all of them.
    let across = ["bodies", "doors", "faults", "identical", "keys", "processes", "quickstart", "verifier"]
        .map(str::to_owned);
    let others: BTreeSet<_> = suites.difference(&features()).cloned().collect();
    assert_eq!(others, BTreeSet::from(across));
}

#[test]
fn every_feature_mounts_its_routes_and_every_suite_runs() {
    let mounted = read("crates/portcullis/src/features.rs");
    let matrix = read("tests/it/main.rs");
    for feature in features() {
        assert!(mounted.contains(&format!("        {feature}::ROUTES,")), "{feature} is mounted");
    }
    for suite in files("tests/suite", "rs") {
        let path = suite.strip_prefix("tests/").unwrap();
        assert_eq!(matrix.matches(&format!("\"../{path}\"")).count(), 1, "{suite} runs");
    }
    for file in names("tests/it", "rs") {
        assert!(
            file == "main"
                || has_word(&matrix, &format!("mod {file};"))
                || matrix.contains(&format!("mod {file};"))
        );
    }
}

#[test]
fn the_core_names_no_framework_database_socket_or_executor() {
    let core = sources(&["portcullis", "portcullis-token"]);
    let foreign = [
        "axum",
        "actix",
        "actix_web",
        "rocket",
        "sqlx",
        "tokio",
        "hyper",
        "reqwest",
        "tower",
        "TcpStream",
        "UdpSocket",
    ];
    nowhere(&core, &foreign);
    for manifest in ["crates/portcullis/Cargo.toml", "crates/portcullis-token/Cargo.toml"] {
        let text = read(manifest);
        let dependencies = text.split("\n[dependencies]").nth(1).unwrap().split("\n[").next().unwrap();
        for line in dependencies.lines() {
            let name = line.split(['.', '=', ' ']).next().unwrap();
            let parts: Vec<_> = name.split('-').collect();
            assert!(!foreign.iter().any(|foreign| parts.contains(foreign)), "{manifest}: {line}");
        }
    }
}

#[test]
fn nobody_but_the_clock_reads_the_time_and_nobody_but_it_takes_randomness() {
    let core = sources(&["portcullis", "portcullis-token"]);
    let elsewhere = |words: &[&str]| {
        lines_with(&core, words, |source, _| source.path == "crates/portcullis/src/clock.rs")
    };
    assert_eq!(elsewhere(&["SystemTime", "Instant", "UNIX_EPOCH", "now_utc"]), Vec::<String>::new());
    // RSA hides what it computes with behind random numbers, which never show; aws-lc-rs takes them by itself.
    let blinding = "crates/portcullis-token/src/crypto/rust_crypto.rs";
    let drawn = lines_with(&core, &["getrandom", "OsRng", "thread_rng", "new_v4", "now_v7"], |source, _| {
        [blinding, "crates/portcullis/src/clock.rs"].contains(&source.path.as_str())
    });
    assert_eq!(drawn, Vec::<String>::new());
}

#[test]
fn the_token_crate_does_no_io_knows_no_time_and_never_waits() {
    let token = sources(&["portcullis-token"]);
    nowhere(&token, &["SystemTime", "Instant", "async", "await", "Future", "thread"]);
    nowhere(&token, &["std::fs", "std::net", "std::io", "std::process", "std::env"]);
}

#[test]
fn these_routes_are_open_and_no_others() {
    let (mut open, mut clients) = (BTreeSet::new(), BTreeSet::new());
    let mut all = 0;
    for source in sources(&["portcullis"]) {
        let code: String = source.code().map(|(_, line)| line).collect();
        for route in code.split("Route::").skip(1).filter(|rest| {
            ["get(", "post(", "delete(", "put(", "patch("].iter().any(|verb| rest.starts_with(verb))
        }) {
            all += 1;
            // Where the path is a constant, the file names the route.
            let name = match route.split(['(', ',']).nth(1).unwrap() {
                "PATH" => source.path.rsplit('/').next().unwrap(),
                path => path.trim_matches('"'),
            };
            if route.contains(".open()") {
                open.insert(name.to_owned());
            }
            if route.contains(".client()") {
                clients.insert(name.to_owned());
            }
        }
    }
    assert!(all >= 10, "all routes are found: {all}");
    let expected =
        ["/register", "/login", "/refresh", "/logout", "jwks.rs", "metadata.rs"].map(str::to_owned);
    assert_eq!(open, BTreeSet::from(expected));
    assert_eq!(clients, BTreeSet::from(["introspect.rs", "revoke.rs"].map(str::to_owned)));
    let words: usize = sources(&["portcullis"])
        .iter()
        .map(|source| source.text.matches(".open()]").count() + source.text.matches(".open(),").count())
        .sum();
    assert_eq!(words, 6, "no loosening was overlooked");
}

#[test]
fn features_hold_no_sql_and_no_header_names() {
    for source in sources(&["portcullis"]).iter().filter(|source| source.path.contains("/features/")) {
        for literal in literals(source) {
            for word in ["SELECT", "INSERT", "UPDATE", "DELETE", "FROM", "WHERE", "portcullis_"] {
                assert!(!literal.to_uppercase().contains(&format!("{word} ")), "{}: {literal}", source.path);
                assert!(!literal.contains(word), "{}: {literal}", source.path);
            }
            for name in ["cookie", "authorization", "set-cookie", "origin", "user-agent", "cache-control"] {
                assert!(!literal.eq_ignore_ascii_case(name), "{}: {literal}", source.path);
            }
        }
        for (number, line) in source.code() {
            let named = ["header::", "HeaderName", "HeaderValue", ".header("]
                .iter()
                .find(|name| line.contains(**name));
            assert_eq!(named, None, "{}:{number}: {line}", source.path);
        }
    }
}

#[test]
fn sql_stands_in_the_store_alone() {
    let others =
        ["portcullis", "portcullis-token", "portcullis-axum", "portcullis-actix", "portcullis-rocket"];
    for source in sources(&others) {
        for literal in literals(&source) {
            for start in ["SELECT ", "INSERT INTO ", "UPDATE portcullis", "DELETE FROM ", "CREATE TABLE "] {
                assert!(!literal.contains(start), "{}: {literal}", source.path);
            }
        }
    }
}

/// An adapter translates and decides nothing; at this size it has started to think. Docs, comments, blank lines, imports
/// and lone brackets do not count.
#[test]
fn an_adapter_is_small() {
    for adapter in ["portcullis-axum", "portcullis-actix", "portcullis-rocket"] {
        let mut lines = 0;
        for source in sources(&[adapter]) {
            let mut importing = false;
            for (_, line) in source.code() {
                let line = line.trim();
                importing |= line.starts_with("use ") || line.starts_with("pub use ");
                let counts = !importing && line.contains(char::is_alphanumeric);
                importing &= !line.ends_with(';');
                lines += usize::from(counts);
            }
        }
        assert!(lines > 40, "{adapter}: its lines are counted");
        assert!(lines < 150, "{adapter} has {lines} lines");
    }
}

#[test]
fn an_adapter_builds_no_answer_and_reads_no_header_of_its_own() {
    let adapters = sources(&["portcullis-axum", "portcullis-actix", "portcullis-rocket"]);
    nowhere(
        &adapters,
        &["json", "Cookie", "serde_json", "set_cookie", "SET_COOKIE", "AUTHORIZATION", "ORIGIN"],
    );
    for source in &adapters {
        for literal in literals(source) {
            for name in ["authorization", "cookie", "bearer", "origin", "sec-fetch-site", "/login", "/logout"]
            {
                assert!(!literal.eq_ignore_ascii_case(name), "{}: {literal}", source.path);
            }
        }
    }
}

#[test]
fn what_ships_does_not_panic_on_purpose_and_leaves_nothing_to_do() {
    let sources = all_sources();
    for source in &sources {
        for (number, line) in source.code() {
            for word in [
                ".unwrap()",
                ".expect(\"",
                ".expect(&",
                ".expect(format",
                "panic!(",
                "todo!(",
                "unimplemented!(",
                "unreachable!(",
                "dbg!(",
            ] {
                assert!(!line.contains(word), "{}:{number}: {line}", source.path);
            }
        }
        for word in ["TODO", "FIXME", "XXX", "HACK"] {
            assert!(!has_word(&source.text, word), "{word} in {}", source.path);
        }
    }
    nowhere(&sources, &["unsafe"]);
    // The macros of wasm-bindgen write `unsafe`, so that crate lists the lints itself: all but this one.
    let own_lints = "crates/portcullis-wasm/Cargo.toml";
    // Programs for cargo-fuzz are tests, and so are those that tests build.
    let ships = |path: &&String| {
        path.ends_with("/Cargo.toml") && !["/fuzz/", "/tests/"].iter().any(|folder| path.contains(folder))
    };
    for manifest in files("crates", "toml").iter().filter(ships) {
        let keeps = read(manifest).contains("[lints]\nworkspace = true");
        assert!(keeps || manifest == own_lints, "{manifest} keeps the lints");
    }
    let root = read("Cargo.toml");
    assert!(root.contains("unsafe_code = \"forbid\""));
    let lints = root.split("[workspace.lints.").skip(1).flat_map(|table| {
        table.lines().take_while(|line| !line.is_empty()).filter(|line| line.contains('=')).map(str::to_owned)
    });
    let own = read(own_lints);
    for lint in lints.filter(|lint| !lint.starts_with("unsafe_code")) {
        assert!(own.lines().any(|line| line == lint), "{own_lints} keeps {lint}");
    }
}

/// What a crate brings with it, by name, as cargo resolves it without its default features.
fn brings(name: &str) -> BTreeSet<String> {
    let tree = std::process::Command::new(env!("CARGO"))
        .args([
            "tree",
            "--locked",
            "--offline",
            "--no-default-features",
            "-e",
            "normal",
            "--prefix",
            "none",
            "-p",
            name,
        ])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let tree = String::from_utf8(tree.stdout).unwrap();
    tree.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

#[test]
fn a_service_that_only_verifies_brings_nothing_that_only_an_issuer_needs() {
    for adapter in ["portcullis-axum", "portcullis-actix", "portcullis-rocket", "portcullis-jwks"] {
        let brought = brings(adapter);
        assert!(brought.contains("portcullis-token"), "{adapter}");
        for needless in ["argon2", "chacha20poly1305", "hkdf", "sqlx", "portcullis-sql", "async-trait"] {
            let rockets = adapter == "portcullis-rocket" && needless == "async-trait";
            assert!(rockets || !brought.contains(needless), "{adapter} brings {needless}");
        }
        for second in ["ring", "openssl", "openssl-sys", "native-tls", "rust-crypto"] {
            assert!(!brought.contains(second), "{adapter} brings a second library of cryptography, {second}");
        }
    }
}

#[test]
fn every_variable_stands_in_the_table_that_documents_it_and_every_one_documented_exists() {
    for (room, at_least) in [("config", 20), ("verifier", 8)] {
        let text = read(&format!("crates/portcullis/src/{room}/environment.rs"));
        variables_stand_in_their_table(text.split("\n#[cfg(test)]\nmod ").next().unwrap(), at_least);
    }
}

fn variables_stand_in_their_table(text: &str, at_least: usize) {
    let variable = |word: &str| {
        let end = word.find(|char: char| !char.is_ascii_uppercase() && !char.is_ascii_digit() && char != '_');
        word[..end.unwrap_or(word.len())].to_owned()
    };
    let is_row = |line: &&str| line.trim_start().starts_with("/// | `PORTCULLIS_");
    let mut documented = BTreeSet::new();
    for row in text.lines().filter(is_row) {
        let cell = row.split('|').nth(1).unwrap();
        let mut last = String::new();
        for name in cell.split('`').skip(1).step_by(2) {
            // `PORTCULLIS_ARGON2_MEMORY_KIB`, `_ITERATIONS`: the tail of the one before.
            let full = if name.starts_with('_') {
                let group: Vec<_> = last.splitn(3, '_').take(2).collect();
                format!("{}{name}", group.join("_"))
            } else {
                name.to_owned()
            };
            last = full.clone();
            documented.insert(full);
        }
    }
    let code: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let used: BTreeSet<_> = code
        .match_indices("\"PORTCULLIS_")
        .map(|(at, _)| variable(&code[at + 1..]))
        .filter(|name| name != "PORTCULLIS_")
        .collect();
    assert!(used.len() > at_least, "all are found: {used:?}");
    assert_eq!(used, documented);
}

#[test]
fn every_code_and_every_event_has_a_name_of_its_own() {
    let error = read("crates/portcullis/src/error.rs");
    let codes = error.split("const fn code(self)").nth(1).unwrap().split("\n    }\n").next().unwrap();
    let mut seen = BTreeMap::new();
    for (at, _) in codes.match_indices("=> \"") {
        let code = codes[at + 4..].split('"').next().unwrap();
        assert_eq!(seen.insert(code, ()), None, "{code} stands twice");
        assert!(code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{code}");
    }
    let variants = error.split("pub enum Denied {").nth(1).unwrap().split("\n}").next().unwrap();
    let is_variant = |line: &&str| line.trim_start().starts_with(char::is_uppercase);
    assert_eq!(seen.len(), variants.lines().filter(is_variant).count(), "each decision has a code");
    assert!(!seen.contains_key("internal_error"), "that is a failure and no decision");

    let event = read("crates/portcullis/src/event.rs");
    let names: Vec<_> = event
        .lines()
        .filter(|line| line.trim_start().starts_with("pub const "))
        .map(|line| line.split('"').nth(1).unwrap())
        .collect();
    assert!(names.len() >= 12);
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "{names:?}");
}

#[test]
fn every_link_of_the_documents_leads_somewhere() {
    let mut documents = files("docs", "md");
    documents.extend(["README.md".to_owned()].into_iter().filter(|path| root().join(path).exists()));
    let mut links = 0;
    for document in documents {
        let text = read(&document);
        let folder = root().join(&document).parent().unwrap().to_owned();
        for (at, _) in text.match_indices("](") {
            let target = text[at + 2..].split([')', ' ']).next().unwrap();
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            links += 1;
            let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
            let file = if path.is_empty() { root().join(&document) } else { folder.join(path) };
            assert!(file.exists(), "{document} links to {target}");
            if !anchor.is_empty() && file.extension().is_some_and(|kind| kind == "md") {
                let there = fs::read_to_string(&file).unwrap();
                let headings = there.lines().filter(|line| line.starts_with('#'));
                let found = headings.map(slug).any(|slug| slug == anchor);
                assert!(found, "{document} links to {target}, which has no such heading");
            }
        }
    }
    assert!(links > 0, "links are found");
}

/// As GitHub names a heading.
fn slug(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text.chars().filter(|char| char.is_alphanumeric() || matches!(char, ' ' | '-' | '_'));
    kept.map(|char| if char == ' ' { '-' } else { char }).collect()
}
