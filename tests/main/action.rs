//! The step of the action for GitHub: what it writes, and what it refuses.

use std::path::Path;
use std::process::{Command, Output};

use crate::support::{fixture, program};

/// Runs the step in a folder as the runner does, with inputs as variables.
fn step(folder: &Path, inputs: &[(&str, &str)]) -> Output {
    let bin = Path::new(env!("CARGO_BIN_EXE_api-patterns")).parent().unwrap();
    let path = std::env::var("PATH").unwrap();
    let mut command = Command::new("bash");
    command
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/drift_action.sh"))
        .current_dir(folder)
        .env("PATH", format!("{}:{path}", bin.display()))
        .env("VERSION", "none")
        .env("SARIF", "drift.sarif")
        .env("REPORT", folder.join("report.md"))
        .env("GITHUB_OUTPUT", folder.join("outputs"))
        .env("GITHUB_STEP_SUMMARY", folder.join("summary"));
    for name in ["CAPTURES", "API", "AGAINST", "BASELINE", "FAIL_ON", "ARGUMENTS"] {
        command.env(name, "");
    }
    command.envs(inputs.iter().copied()).output().unwrap()
}

fn read(folder: &Path, name: &str) -> String {
    std::fs::read_to_string(folder.join(name)).unwrap()
}

/// A folder with a capture, and a description of its reads alone.
fn workshop() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    std::fs::copy(fixture("demo.mitm"), path.join("run with spaces.mitm")).unwrap();
    let capture = path.join("run with spaces.mitm");
    let (capture, api) = (capture.to_str().unwrap(), path.join("api.yaml"));
    let run = program(&[
        "openapi",
        capture,
        "--domain",
        "api.shop.example",
        "--method",
        "GET",
        "--output",
        api.to_str().unwrap(),
    ]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    folder
}

#[test]
fn findings_are_reported_and_counted() {
    let folder = workshop();
    let inputs = [("CAPTURES", "run with spaces.mitm\n"), ("API", "  api.yaml  \n\n")];
    let output = step(folder.path(), &inputs);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(read(folder.path(), "outputs"), "sarif=drift.sarif\nfound=true\n");
    assert!(read(folder.path(), "summary").contains("undocumented-method"));
    let sarif: serde_json::Value =
        serde_json::from_str(&read(folder.path(), "drift.sarif")).unwrap();
    assert_eq!(sarif["version"], "2.1.0");
}

#[test]
fn options_narrow_what_is_compared_and_what_fails() {
    let folder = workshop();
    let capture = ("CAPTURES", "run with spaces.mitm");
    let inputs =
        [capture, ("API", "api.yaml"), ("ARGUMENTS", "--method\nGET\n--domain\napi.shop.example")];
    assert!(step(folder.path(), &inputs).status.success());
    assert!(read(folder.path(), "outputs").ends_with("found=false\n"));
    let inputs = [capture, ("API", "api.yaml"), ("FAIL_ON", "never")];
    assert!(step(folder.path(), &inputs).status.success());
    assert!(read(folder.path(), "outputs").ends_with("found=false\n"));
    let twice = "run with spaces.mitm\nrun with spaces.mitm";
    let inputs = [("CAPTURES", twice), ("AGAINST", twice)];
    assert!(step(folder.path(), &inputs).status.success());
    assert!(read(folder.path(), "outputs").ends_with("found=false\n"));
}

#[test]
fn what_cannot_be_compared_is_a_fault_and_no_input_is_run() {
    let folder = workshop();
    let fault = |inputs: &[(&str, &str)]| {
        let output = step(folder.path(), inputs);
        assert_eq!(output.status.code(), Some(2));
        assert!(!folder.path().join("outputs").exists());
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(fault(&[("CAPTURES", "run with spaces.mitm")]).contains("both are empty"));
    assert!(fault(&[("CAPTURES", " \n"), ("API", "api.yaml")]).contains("names no capture"));
    let capture = ("CAPTURES", "run with spaces.mitm");
    assert!(fault(&[capture, ("API", "api.yaml\napi.yaml")]).contains("one description"));
    assert!(
        fault(&[capture, ("API", "api.yaml"), ("ARGUMENTS", "--method GET")])
            .contains("on each line")
    );
    assert!(fault(&[("CAPTURES", "missing.mitm"), ("API", "api.yaml")]).contains("missing.mitm"));
    let evil = "$(touch evil)\n`touch evil`\n; touch evil";
    fault(&[("CAPTURES", evil), ("API", "api.yaml"), ("BASELINE", "$(touch evil)")]);
    fault(&[("CAPTURES", "--output=evil"), ("API", "api.yaml")]);
    assert!(!folder.path().join("evil").exists());
}
