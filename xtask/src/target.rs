//! The platforms that a release is built for.

use std::fmt;
use std::str::FromStr;

use anyhow::{Context as _, bail};

/// A platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Target {
    /// The name that Rust has for it.
    pub(crate) triple: &'static str,
    /// The name that bundles have for its system.
    pub(crate) bundle_system: &'static str,
    /// Whether bundles are made for it: one for each system and processor.
    pub(crate) has_bundle: bool,
    /// The name in files of its processor.
    pub(crate) processor: &'static str,
}

/// All of them. Bundles and containers have the program that needs no libraries.
pub(crate) const TARGETS: [Target; 7] = [
    target("x86_64-unknown-linux-gnu", "linux", false, "x86_64"),
    target("aarch64-unknown-linux-gnu", "linux", false, "aarch64"),
    target("x86_64-unknown-linux-musl", "linux", true, "x86_64"),
    target("aarch64-unknown-linux-musl", "linux", true, "aarch64"),
    target("x86_64-apple-darwin", "darwin", true, "x86_64"),
    target("aarch64-apple-darwin", "darwin", true, "aarch64"),
    target("x86_64-pc-windows-msvc", "win32", true, "x86_64"),
];

const fn target(
    triple: &'static str,
    bundle_system: &'static str,
    has_bundle: bool,
    processor: &'static str,
) -> Target {
    Target { triple, bundle_system, has_bundle, processor }
}

impl Target {
    /// The platform of this machine.
    pub(crate) const HOST: &'static str = if cfg!(windows) {
        "x86_64-pc-windows-msvc"
    } else if cfg!(target_os = "macos") {
        if cfg!(target_arch = "aarch64") { "aarch64-apple-darwin" } else { "x86_64-apple-darwin" }
    } else if cfg!(target_arch = "aarch64") {
        "aarch64-unknown-linux-gnu"
    } else {
        "x86_64-unknown-linux-gnu"
    };

    /// The platform of this machine.
    pub(crate) fn host() -> Self {
        Self::HOST.parse().expect("it is among them")
    }

    pub(crate) fn is_windows(self) -> bool {
        self.bundle_system == "win32"
    }

    /// The file name of the program.
    pub(crate) fn program_name(self) -> &'static str {
        if self.is_windows() { "api-patterns.exe" } else { "api-patterns" }
    }

    /// The file name of the archive of a version.
    pub(crate) fn archive_name(self, version: &str) -> String {
        let end = if self.is_windows() { "zip" } else { "tar.gz" };
        format!("api-patterns-{version}-{}.{end}", self.triple)
    }

    /// The file name of the bundle of a version.
    pub(crate) fn bundle_name(self, version: &str) -> String {
        format!("api-patterns-{version}-{}-{}.mcpb", self.bundle_system, self.processor)
    }
}

impl FromStr for Target {
    type Err = anyhow::Error;

    fn from_str(triple: &str) -> anyhow::Result<Self> {
        let found = TARGETS.into_iter().find(|target| target.triple == triple);
        found.with_context(|| {
            let names: Vec<&str> = TARGETS.iter().map(|target| target.triple).collect();
            format!("{triple} is not a platform of releases; they are {}", names.join(", "))
        })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.triple)
    }
}

/// Fails where a program is not for a platform, by the first bytes of its file.
pub(crate) fn check_program(program: &std::path::Path, target: Target) -> anyhow::Result<()> {
    let bytes = std::fs::read(program)
        .with_context(|| format!("cannot read the program {}", program.display()))?;
    let machine = |at: usize| bytes.get(at..at + 2).map(|two| u16::from_le_bytes([two[0], two[1]]));
    // ELF has the machine at 18, Mach-O the processor at 4, PE says where its header is at 60.
    let fits = match target.bundle_system {
        "linux" => {
            let expected = if target.processor == "aarch64" { 183 } else { 62 };
            bytes.starts_with(b"\x7fELF") && machine(18) == Some(expected)
        }
        "darwin" => {
            let expected: u32 =
                if target.processor == "aarch64" { 0x0100_000c } else { 0x0100_0007 };
            bytes.starts_with(&[0xcf, 0xfa, 0xed, 0xfe]) && bytes[4..8] == expected.to_le_bytes()
        }
        _ => bytes.starts_with(b"MZ"),
    };
    if !fits {
        bail!("{} is not a program for {target}", program.display());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_one_for_each_platform() {
        let mut archives: Vec<String> =
            TARGETS.iter().map(|target| target.archive_name("1.2.3")).collect();
        archives.sort();
        archives.dedup();
        assert_eq!(archives.len(), TARGETS.len());
        let mut bundles: Vec<String> = TARGETS
            .iter()
            .filter(|target| target.has_bundle)
            .map(|target| target.bundle_name("1.2.3"))
            .collect();
        bundles.sort();
        bundles.dedup();
        assert_eq!(bundles.len(), 5);
    }

    #[test]
    fn a_program_of_another_platform_is_refused() {
        let this = std::env::current_exe().unwrap();
        check_program(&this, Target::host()).unwrap();
        let other = if cfg!(windows) { "x86_64-apple-darwin" } else { "x86_64-pc-windows-msvc" };
        assert!(check_program(&this, other.parse().unwrap()).is_err());
    }
}
