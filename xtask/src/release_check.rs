//! All that a release needs and that can be checked without uploading.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use crate::project::{self, command, is_installed, make_empty, output_of, root};
use crate::target::{TARGETS, Target};
use crate::wheel::Arguments as WheelArguments;
use crate::{
    Source, archive, book, bundle, changelog, container, formula, owner, package, registry,
    version, wheel, workflows,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The version, as in 0.2.0
    version: String,
    /// The program for this machine, built for a release [default: one that is built with the profile dist]
    #[arg(long)]
    program: Option<PathBuf>,
    /// The program that needs no libraries, for the container
    #[arg(long)]
    static_program: Option<PathBuf>,
    /// Profile that the module for Python is built with
    #[arg(long, default_value = "wheel")]
    profile: String,
    /// Allows a changelog without this section, and values that no owner has confirmed
    #[arg(long)]
    unreleased: bool,
    /// Treats skipped checks as failed, except the comparison with an earlier release
    #[arg(long)]
    all: bool,
    /// Only these checks
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
}

/// How a check ended, if it did not fail.
enum Outcome {
    Passed(String),
    /// The check was not made, because this is missing on the machine.
    Skipped(String),
}

use Outcome::{Passed, Skipped};

type Check = fn(&Arguments) -> Result<Outcome>;

const CHECKS: [(&str, Check); 14] = [
    ("version", check_version),
    ("changelog", check_changelog),
    ("owner", check_owner),
    ("workflows", check_workflows),
    ("package", check_package),
    ("licences", check_licences),
    ("msrv", check_msrv),
    ("docs", check_docs),
    ("semver", check_semver),
    ("archive", check_archive),
    ("bundle", check_bundle),
    ("wheel", check_wheel),
    ("container", check_container),
    ("book", check_book),
];

/// Runs the checks and prints a line for each.
pub(crate) fn check(arguments: &Arguments) -> Result<ExitCode> {
    for name in &arguments.only {
        let names: Vec<&str> = CHECKS.iter().map(|(name, _)| *name).collect();
        ensure!(
            names.contains(&name.as_str()),
            "there is no check {name}; they are {}",
            names.join(", ")
        );
    }
    let mut failed = 0;
    for (name, check) in CHECKS {
        if !arguments.only.is_empty() && !arguments.only.iter().any(|only| only == name) {
            continue;
        }
        match check(arguments) {
            Ok(Passed(what)) => println!("{name:10} passed: {what}"),
            Ok(Skipped(why)) if arguments.all && name != "semver" => {
                failed += 1;
                println!("{name:10} FAILED: it was skipped: {why}");
            }
            Ok(Skipped(why)) => println!("{name:10} skipped: {why}"),
            Err(error) => {
                failed += 1;
                println!("{name:10} FAILED: {error:#}");
            }
        }
    }
    if failed > 0 {
        println!("{failed} checks failed: {} is not ready", arguments.version);
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

fn check_version(arguments: &Arguments) -> Result<Outcome> {
    let count = version::check(&arguments.version)?;
    Ok(Passed(format!("{} in {count} places", arguments.version)))
}

fn check_changelog(arguments: &Arguments) -> Result<Outcome> {
    match changelog::check(&arguments.version) {
        Err(_) if arguments.unreleased => {
            changelog::section("Unreleased")?;
            Ok(Passed("what is unreleased has a section".to_owned()))
        }
        checked => checked.map(|()| Passed("the version has its section".to_owned())),
    }
}

fn check_owner(arguments: &Arguments) -> Result<Outcome> {
    let left = owner::check()?;
    registry::check(&arguments.version, &owner::value("repository")?)?;
    let list = left.join("\n             ");
    if left.is_empty() {
        Ok(Passed("an owner has confirmed every value".to_owned()))
    } else if arguments.unreleased {
        Ok(Passed(format!(
            "files agree; {} values are left to an owner:\n             {list}",
            left.len()
        )))
    } else {
        bail!(
            "packaging/owner.toml has {} values that no owner has confirmed:\n             {list}",
            left.len()
        )
    }
}

fn check_workflows(arguments: &Arguments) -> Result<Outcome> {
    let mut said = format!("{} actions are pinned", workflows::check()?);
    let linters: [(&str, &[&str]); 2] = [
        ("zizmor", &["--offline", "--no-progress", ".github/workflows", "action.yml"]),
        ("actionlint", &[]),
    ];
    for (linter, options) in linters {
        if is_installed(linter) {
            output_of(command(linter).args(options))?;
            write!(said, ", {linter} finds nothing")?;
        } else {
            ensure!(!arguments.all, "{linter} is not installed");
            write!(said, ", {linter} is not installed")?;
        }
    }
    Ok(Passed(said))
}

fn check_package(_: &Arguments) -> Result<Outcome> {
    package::check().map(Passed)
}

fn check_licences(_: &Arguments) -> Result<Outcome> {
    if !is_installed("cargo-deny") {
        return Ok(Skipped("cargo-deny is not installed".to_owned()));
    }
    let mut kinds = vec!["bans", "licenses", "sources"];
    // The list of advisories comes over the network: without it the rest is checked, with it every advisory counts.
    let fetched = command("cargo").args(["deny", "fetch", "db"]).output();
    let has_advisories = fetched.is_ok_and(|output| output.status.success());
    if has_advisories {
        kinds.push("advisories");
    }
    let mut cargo = command("cargo");
    output_of(cargo.args(["deny", "--workspace", "check", "--hide-inclusion-graph"]).args(&kinds))?;
    Ok(Passed(kinds.join(", ")))
}

fn check_msrv(_: &Arguments) -> Result<Outcome> {
    let manifest: toml::Table = project::read("Cargo.toml")?.parse()?;
    let stated = manifest["workspace"]["package"]["rust-version"]
        .as_str()
        .context("Cargo.toml has no rust-version")?
        .to_owned();
    let used = output_of(command("rustc").arg("--version"))?;
    let is_used =
        used.split_whitespace().nth(1).is_some_and(|used| used.starts_with(&format!("{stated}.")));
    let mut cargo = command(if is_used { "cargo" } else { "rustup" });
    if !is_used {
        if !output_of(command("rustup").args(["toolchain", "list"]))?.contains(&stated) {
            return Ok(Skipped(format!(
                "Rust {stated} is not installed: `rustup toolchain install {stated}`"
            )));
        }
        cargo.args(["run", &stated, "cargo"]);
    }
    output_of(cargo.args(["check", "--locked", "--quiet", "--bins", "--lib"]))?;
    Ok(Passed(format!("the program builds with Rust {stated}")))
}

fn check_docs(_: &Arguments) -> Result<Outcome> {
    let mut cargo = command("cargo");
    output_of(
        cargo.args(["doc", "--locked", "--no-deps", "--quiet"]).env("RUSTDOCFLAGS", "-D warnings"),
    )?;
    Ok(Passed("rustdoc has no warnings".to_owned()))
}

fn check_semver(arguments: &Arguments) -> Result<Outcome> {
    let tags = output_of(command("git").args(["tag", "--list", "v*", "--sort=-v:refname"]))?;
    // The newest release below this version; prereleases are not a baseline.
    let number = |tag: &str| -> Option<Vec<u64>> {
        tag.trim_start_matches('v').split('.').map(|part| part.parse().ok()).collect()
    };
    let own = arguments.version.split('-').next().and_then(number);
    let is_before = |tag: &&str| number(tag).is_some_and(|found| Some(found) < own);
    let Some(before) = tags.lines().find(is_before) else {
        return Ok(Skipped("there is no release before this one to compare with".to_owned()));
    };
    if !is_installed("cargo-semver-checks") {
        return Ok(Skipped("cargo-semver-checks is not installed".to_owned()));
    }
    output_of(command("cargo").args([
        "semver-checks",
        "--baseline-rev",
        before,
        "--default-features",
    ]))?;
    Ok(Passed(format!("what the library offers is compatible with {before}")))
}

/// The program for this machine.
fn program(arguments: &Arguments) -> Result<PathBuf> {
    if let Some(program) = &arguments.program {
        return fs::canonicalize(program)
            .with_context(|| format!("cannot find {}", program.display()));
    }
    output_of(command("cargo").args([
        "build",
        "--locked",
        "--quiet",
        "--profile",
        "dist",
        "--bin",
        "api-patterns",
    ]))?;
    Ok(root().join("target/dist").join(Target::host().program_name()))
}

fn source(arguments: &Arguments, output: &Path) -> Result<Source> {
    let program = program(arguments)?;
    Ok(Source { target: Target::host(), program, helper: None, output: output.to_owned() })
}

/// What the program of an artefact answers to the first command of the README.
fn try_first_command(program: &Path) -> Result<()> {
    let said =
        output_of(command(program).args(["analyze", "fixtures/demo.mitm", "--format", "table"]))?;
    ensure!(
        said.contains("/v1/users/{user_id}/orders"),
        "{} finds no endpoints",
        program.display()
    );
    Ok(())
}

fn check_archive(arguments: &Arguments) -> Result<Outcome> {
    let folder = tempfile::tempdir()?;
    let made = archive::make(&source(arguments, folder.path())?)?;
    let unpacked = archive::unpack(&made, folder.path())?;
    try_first_command(&unpacked.join(Target::host().program_name()))?;
    for (_, name) in archive::COMPLETIONS {
        ensure!(
            unpacked.join("completions").join(name).metadata()?.len() > 1000,
            "{name} is empty"
        );
    }
    ensure!(unpacked.join("man/api-patterns.1").metadata()?.len() > 1000, "the man page is empty");
    let bytes = made.metadata()?.len();
    // A formula needs an archive of each platform: here each is a copy of the one that was made.
    for target in TARGETS {
        let copied = folder.path().join(target.archive_name(&arguments.version));
        if copied != made {
            fs::copy(&made, copied)?;
        }
    }
    let formula = formula::make(folder.path())?;
    if is_installed("ruby") {
        output_of(command("ruby").arg("-c").arg(&formula))?;
    }
    Ok(Passed(format!("{bytes} bytes, its program runs, and the formula has checksums")))
}

fn check_bundle(arguments: &Arguments) -> Result<Outcome> {
    let folder = tempfile::tempdir()?;
    // Here the program of this machine stands for that of each platform.
    for target in TARGETS.into_iter().filter(|target| target.has_bundle) {
        let manifest = bundle::manifest(target)?;
        let command = manifest["server"]["mcp_config"]["command"].as_str().unwrap_or_default();
        let entry = manifest["server"]["entry_point"].as_str().unwrap_or_default();
        ensure!(
            command == format!("${{__dirname}}/{entry}"),
            "the bundle for {target} starts {command}"
        );
        fs::write(folder.path().join(target.bundle_name(&arguments.version)), target.triple)?;
    }
    let entry: Value = serde_json::from_str(&fs::read_to_string(registry::make(folder.path())?)?)?;
    let zeros = "0".repeat(64);
    let packages = entry["packages"].as_array().context("server.json has no packages")?;
    ensure!(packages.iter().all(|package| package["fileSha256"] != zeros), "a checksum is missing");
    let Some(program) = &arguments.static_program else {
        return Ok(Passed(
            "manifests and the entry agree; without --static-program no bundle was made".to_owned(),
        ));
    };
    let target = Target::host().triple.replace("-gnu", "-musl").parse()?;
    let source =
        Source { target, program: program.clone(), helper: None, output: folder.path().to_owned() };
    let made = bundle::make(&source)?;
    let mut archive = zip::ZipArchive::new(fs::File::open(&made)?)?;
    archive.extract(folder.path().join("unpacked"))?;
    try_first_command(&folder.path().join("unpacked/server/api-patterns"))?;
    Ok(Passed(format!("{} bytes, and its program runs", made.metadata()?.len())))
}

fn check_wheel(arguments: &Arguments) -> Result<Outcome> {
    if !is_installed("maturin") {
        return Ok(Skipped("maturin is not installed".to_owned()));
    }
    let folder = tempfile::tempdir()?;
    let sdist = wheel::make_sdist(folder.path())?;
    let source = source(arguments, folder.path())?;
    let program = source.program.clone();
    let made =
        wheel::make(&WheelArguments { source, profile: arguments.profile.clone(), zig: false })?;
    try_wheel(&made, &folder.path().join("wheel"), None)?;
    // The archive of sources is what other platforms install: it is built with the program that is there, which takes minutes less.
    let target = root().join("target/sdist-check");
    try_wheel(&sdist, &folder.path().join("sdist"), Some((&program, &target, &arguments.profile)))?;
    let bytes = made.metadata()?.len();
    Ok(Passed(format!(
        "{bytes} bytes; wheel and sources are installed, the program runs and the module loads"
    )))
}

/// Installs a file in a new environment, and runs the program and the module that it brings.
fn try_wheel(file: &Path, environment: &Path, build: Option<(&Path, &Path, &str)>) -> Result<()> {
    let python = if cfg!(windows) { "python" } else { "python3" };
    output_of(Command::new(python).args(["-m", "venv"]).arg(environment))?;
    let bin = environment.join(if cfg!(windows) { "Scripts" } else { "bin" });
    let mut pip = Command::new(bin.join("python"));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).arg(file);
    if let Some((program, target, profile)) = build {
        pip.env("API_PATTERNS_PROGRAM", program).env("CARGO_TARGET_DIR", target);
        // With the platform named, as for the wheel, what was built for that is found.
        let options = format!("--profile {profile} --target {}", Target::HOST);
        pip.arg(format!("--config-settings=build-args={options}"));
    }
    output_of(&mut pip)?;
    try_first_command(&bin.join(Target::host().program_name()))?;
    let code = "import api_patterns, sys; print(len(api_patterns.analyze(sys.argv[1]).patterns))";
    let demo = root().join("fixtures/demo.mitm");
    let said = output_of(Command::new(bin.join("python")).args(["-c", code]).arg(demo))?;
    ensure!(said.trim() == "21", "the module finds {} endpoints, not 21", said.trim());
    let addon = output_of(Command::new(bin.join(Target::host().program_name())).arg("addon"))?;
    ensure!(Path::new(addon.trim()).is_file(), "the program names no addon");
    Ok(())
}

fn check_container(arguments: &Arguments) -> Result<Outcome> {
    container::check_file()?;
    let Some(program) = &arguments.static_program else {
        return Ok(Skipped(
            "without --static-program the program of the image is not tried".to_owned(),
        ));
    };
    if !cfg!(target_os = "linux") || output_of(Command::new("id").arg("-u"))?.trim() != "0" {
        return Ok(Skipped("only root on Linux can try the program of the image".to_owned()));
    }
    container::try_program(program)?;
    Ok(Passed(
        "the program works alone in an empty root, as a user who may write nothing".to_owned(),
    ))
}

fn check_book(arguments: &Arguments) -> Result<Outcome> {
    if !is_installed("mdbook") {
        return Ok(Skipped("mdbook is not installed".to_owned()));
    }
    let folder = book::make(arguments.program.as_deref())?;
    let page = folder.join("reference/commands.html");
    ensure!(
        fs::read_to_string(&page)?.contains("api-patterns gateway"),
        "{} is not whole",
        page.display()
    );
    let target = folder.join("index.html");
    ensure!(target.is_file(), "the book has no first page");
    make_empty(&root().join("target/book-source"))?;
    Ok(Passed("the book is written, with its reference".to_owned()))
}
