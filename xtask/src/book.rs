//! The book: the documents and the reference, as mdBook shows them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use regex::{Captures, Regex};

use crate::project::{command, make_empty, output_of, root};
use crate::{owner, reference};

/// Writes the book and returns its folder.
pub(crate) fn make(program: Option<&Path>) -> Result<PathBuf> {
    let source = root().join("target/book-source");
    let pages = source.join("docs");
    make_empty(&source)?;
    fs::copy(root().join("book.toml"), source.join("book.toml"))?;
    copy(&root().join("docs"), &pages, &format!("{}/blob/main", owner::value("repository")?))?;
    let program = match program {
        Some(program) => fs::canonicalize(program)?,
        None => build_program()?,
    };
    let reference = pages.join("reference");
    fs::create_dir_all(&reference)?;
    fs::write(reference.join("commands.md"), reference::commands(&program)?)?;
    fs::write(reference.join("server-tools.md"), reference::server_tools(&program)?)?;
    let book = root().join("target/book");
    output_of(command("mdbook").arg("build").arg(&source).arg("--dest-dir").arg(&book))?;
    Ok(book)
}

fn build_program() -> Result<PathBuf> {
    output_of(command("cargo").args(["build", "--locked", "--quiet", "--bin", "api-patterns"]))?;
    let name = if cfg!(windows) { "api-patterns.exe" } else { "api-patterns" };
    Ok(root().join("target/debug").join(name))
}

/// Copies a folder of documents. Links that leave the documents become links to the repository.
fn copy(from: &Path, to: &Path, repository: &str) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        let copied = to.join(path.file_name().context("a file has a name")?);
        if path.is_dir() {
            copy(&path, &copied, repository)?;
        } else if path.extension().is_some_and(|extension| extension == "md") {
            let folder = from.strip_prefix(root()).context("documents stand in the project")?;
            fs::write(&copied, with_links(&fs::read_to_string(&path)?, folder, repository))?;
        } else {
            fs::copy(&path, &copied)?;
        }
    }
    Ok(())
}

/// A document of a folder, in which links to outside of `docs` lead to the repository.
fn with_links(text: &str, folder: &Path, repository: &str) -> String {
    let links = Regex::new(r"\]\((\.\./[^)]+)\)").expect("the pattern is valid");
    links
        .replace_all(text, |captures: &Captures<'_>| {
            let mut place: Vec<&str> = folder.iter().filter_map(|part| part.to_str()).collect();
            for part in captures[1].split('/') {
                if part == ".." {
                    place.pop();
                } else {
                    place.push(part);
                }
            }
            match place.first() {
                Some(&"docs") => captures[0].to_owned(),
                _ => format!("]({repository}/{})", place.join("/")),
            }
        })
        .into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_out_of_the_documents_lead_to_the_repository() {
        let shown =
            |text| with_links(text, Path::new("docs/tutorials"), "https://r.example/blob/main");
        assert_eq!(shown("[a](../usage.md#x)"), "[a](../usage.md#x)");
        assert_eq!(shown("[a](../../README.md)"), "[a](https://r.example/blob/main/README.md)");
        assert_eq!(
            shown("[a](../../fixtures/README.md#y) b"),
            "[a](https://r.example/blob/main/fixtures/README.md#y) b"
        );
    }
}
