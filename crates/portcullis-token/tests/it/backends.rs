//! What a program makes of the crate with each choice of features that the tests themselves, being one program, cannot make.

use std::path::Path;
use std::process::{Command, Output};

#[test]
fn both_backends_and_another_crates_provider_disturb_nobody() {
    let said = cargo("run", "both");
    let errors = String::from_utf8_lossy(&said.stderr);
    assert!(said.status.success(), "{errors}");
    assert_eq!(String::from_utf8_lossy(&said.stdout), "EdDSA\nES256\nRS256\nHS256\n");
}

#[test]
fn without_a_backend_the_compiler_says_what_to_do() {
    let said = cargo("check", "neither");
    let errors = String::from_utf8_lossy(&said.stderr);
    assert!(!said.status.success());
    let advice = "portcullis-token needs its feature `aws_lc_rs` (the default; needs a C compiler) or `rust_crypto` \
                  (needs none)";
    assert!(errors.contains(&format!("error: {advice}")), "{errors}");
}

/// Cargo's answer about one of the programs of `tests/backends`, which are workspaces of their own.
fn cargo(command: &str, program: &str) -> Output {
    let manifest =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/backends").join(program).join("Cargo.toml");
    Command::new(env!("CARGO"))
        .args([command, "--quiet", "--locked", "--color", "never", "--manifest-path"])
        .arg(manifest)
        .arg("--target-dir")
        .arg(Path::new(env!("CARGO_TARGET_TMPDIR")).join("backends").join(program))
        .output()
        .unwrap()
}
