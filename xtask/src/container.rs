//! The container image: one program and its licences. Where no container can run, the program is tried in an empty folder as its
//! root.

use std::path::Path;

use anyhow::{Result, ensure};

use crate::project::read;

/// The user of the image, which has no name in it.
const USER: &str = "65532:65532";

/// Checks what the image is made from.
pub(crate) fn check_file() -> Result<()> {
    let text = read("packaging/Dockerfile")?;
    for line in ["FROM scratch", &format!("USER {USER}"), "ENTRYPOINT [\"/api-patterns\"]"] {
        ensure!(
            text.lines().any(|found| found == line),
            "packaging/Dockerfile has no line `{line}`"
        );
    }
    Ok(())
}

/// Runs a program as the image does: alone in a folder that is its root, as a user who may write nothing.
#[cfg(unix)]
pub(crate) fn try_program(program: &Path) -> Result<()> {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;
    use std::process::Command;

    use crate::project::{output_of, root};

    let folder = tempfile::tempdir()?;
    let path = folder.path();
    fs::copy(program, path.join("api-patterns"))?;
    fs::copy(root().join("fixtures/demo.mitm"), path.join("demo.mitm"))?;
    fs::set_permissions(path.join("api-patterns"), fs::Permissions::from_mode(0o555))?;
    fs::set_permissions(path.join("demo.mitm"), fs::Permissions::from_mode(0o444))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o555))?;
    let run = |arguments: &[&str]| {
        let mut chroot = Command::new("chroot");
        chroot.arg(format!("--userspec={USER}")).arg(path).arg("/api-patterns").args(arguments);
        output_of(chroot.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"))
    };
    let report = run(&["analyze", "/demo.mitm", "--format", "json"])?;
    ensure!(
        report.contains("/v1/users/{user_id}"),
        "the program in an empty root finds no endpoints"
    );
    let description = run(&["openapi", "/demo.mitm", "--domain", "api.shop.example"])?;
    ensure!(
        description.starts_with("openapi:"),
        "the program in an empty root writes no description"
    );
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
    Ok(())
}

/// Fails: only Unix has another root for a program.
#[cfg(not(unix))]
pub(crate) fn try_program(program: &Path) -> Result<()> {
    anyhow::bail!("{} cannot be tried in an empty root on this system", program.display())
}
