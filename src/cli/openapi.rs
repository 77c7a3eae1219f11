//! The command `openapi`.

use std::io::{self, Write};
use std::path::Path;
use std::time::Instant;

use serde_json::Value;

use crate::cli::arguments::{DescriptionFormat, OpenApiArgument, OpenApiArguments};
use crate::cli::exit::Exit;
use crate::cli::messages::{Messages, complain};
use crate::cli::progress::ProgressMonitor;
use crate::cli::{Failure, open, options, refuse_captures};
use crate::engine;
use crate::error::Error;
use crate::flow::text;
use crate::openapi::merge::EditedDescription;
use crate::openapi::{OpenApiOptions, OpenApiVersion, openapi_descriptions};

/// Writes the descriptions of all hosts.
pub(super) fn openapi(arguments: &OpenApiArguments) -> Result<Exit, Failure> {
    let input = &arguments.input;
    let mut options = options(input)?;
    options.bodies = true;
    let start = Instant::now();
    let captures = open(input)?;
    if let Some(output) = &arguments.output {
        refuse_captures("--output", output, &input.source.captures)?;
    }
    let edited = match &arguments.merge {
        Some(file) => Some(read_edited(file, arguments.output.as_deref())?),
        None => None,
    };
    let monitor = ProgressMonitor::new(input.progress, input.source.selection.quiet);
    let analysis = engine::analyze(&captures, &options, &monitor)?;
    monitor.finish();
    if let Some(schemas) = &analysis.schemas {
        let version = match (&edited, arguments.openapi) {
            (Some(edited), _) => edited.version,
            (None, OpenApiArgument::V3_0) => OpenApiVersion::V3_0,
            (None, OpenApiArgument::V3_1) => OpenApiVersion::V3_1,
        };
        let options = OpenApiOptions {
            version,
            evidence: arguments.evidence,
            synthetic_examples: arguments.examples.is_some(),
            observations: edited.is_some(),
        };
        let mut described = openapi_descriptions(&analysis.report, schemas, &options);
        // A domain has subdomains; where one description is written, that of the host with this name is meant.
        if let [domain] = &*input.source.selection.domain
            && !arguments.output.as_ref().is_some_and(|output| is_folder(output))
            && described.iter().any(|(host, _)| host == domain)
        {
            described.retain(|(host, _)| host == domain);
        }
        match edited {
            Some(edited) => merge(edited, &described, arguments)?,
            None => write(&described, arguments)?,
        }
    }
    Ok(Messages::new(&captures, input.source.selection.quiet)
        .report_analysis(&analysis, start.elapsed()))
}

/// Reads the description to merge with.
fn read_edited(file: &Path, output: Option<&Path>) -> Result<EditedDescription, Error> {
    if let Some(folder) = output.filter(|output| is_folder(output)) {
        let what =
            format!("--output {}: with --merge one file is written; name a file", folder.display());
        return Err(Error::usage(text::printable(what.as_bytes())));
    }
    EditedDescription::read(file)
}

/// Writes an edited description with what the captures add, and says what they contradict.
fn merge(
    edited: EditedDescription,
    described: &[(String, Value)],
    arguments: &OpenApiArguments,
) -> Result<(), Failure> {
    if described.is_empty() {
        return Ok(());
    }
    let is_chosen = !arguments.input.source.selection.domain.is_empty();
    let (host, api) = edited.host_of(described, is_chosen)?;
    let merged = edited.merged_with(host, api)?;
    if let Some(file) = &arguments.output {
        save(file, &merged.text)?;
    } else {
        let mut out = io::stdout().lock();
        out.write_all(merged.text.as_bytes())?;
        out.flush()?;
    }
    merged.conflicts.iter().for_each(|conflict| complain(conflict));
    if !arguments.input.source.selection.quiet {
        complain(&merged.summary());
    }
    Ok(())
}

fn write(described: &[(String, Value)], arguments: &OpenApiArguments) -> Result<(), Failure> {
    let written = |api: &Value| in_format(api, arguments.format);
    match (&arguments.output, described) {
        (_, []) => Ok(()),
        (None, [(_, api)]) => {
            let mut out = io::stdout().lock();
            out.write_all(written(api)?.as_bytes())?;
            Ok(out.flush()?)
        }
        (None, several) => {
            let hosts: Vec<&str> = several.iter().take(5).map(|(host, _)| &**host).collect();
            let more = if several.len() > hosts.len() { ", ..." } else { "" };
            let what = format!(
                "the captures have {} hosts ({}{more}), and each has a description of its own: choose one with --domain, or write \
                 all to a folder with --output DIR",
                several.len(),
                hosts.join(", ")
            );
            Err(Error::usage(text::printable(what.as_bytes())).into())
        }
        (Some(file), [(_, api)]) if !is_folder(file) => Ok(save(file, &written(api)?)?),
        (Some(file), several) if names_description(file) && !is_folder(file) => {
            let what = format!(
                "--output {}: the captures have {} hosts, and each has a description of its own: choose one with --domain, or name a \
                 folder",
                file.display(),
                several.len()
            );
            Err(Error::usage(text::printable(what.as_bytes())).into())
        }
        (Some(folder), several) => {
            std::fs::create_dir_all(folder)
                .map_err(|error| Error::io(&folder.display().to_string(), "create", error))?;
            for (host, api) in several {
                let extension =
                    if arguments.format == DescriptionFormat::Json { "json" } else { "yaml" };
                let name = format!("{}.{extension}", file_name(host));
                save(&folder.join(name), &written(api)?)?;
            }
            Ok(())
        }
    }
}

/// True for a path that ends as a file with a description.
fn names_description(path: &Path) -> bool {
    path.extension().is_some_and(|end| end == "yaml" || end == "yml" || end == "json")
}

/// True for a folder that is there, and for a path that ends as one.
fn is_folder(path: &Path) -> bool {
    path.is_dir() || path.as_os_str().as_encoded_bytes().ends_with(b"/")
}

fn in_format(api: &Value, format: DescriptionFormat) -> io::Result<String> {
    let mut text = match format {
        DescriptionFormat::Json => serde_json::to_string_pretty(api)?,
        DescriptionFormat::Yaml => serde_saphyr::to_string(api).map_err(io::Error::other)?,
    };
    if !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(text)
}

fn save(path: &Path, text: &str) -> Result<(), Error> {
    std::fs::write(path, text)
        .map_err(|error| Error::io(&path.display().to_string(), "write", error))
}

/// The name of the file for a host, in which nothing leads to another folder.
fn file_name(host: &str) -> String {
    let plain = |letter: char| {
        if letter.is_ascii_alphanumeric() || ".-".contains(letter) { letter } else { '_' }
    };
    let name: String = host.chars().map(plain).take(200).collect();
    let name = name.trim_start_matches('.');
    if name.is_empty() { "host".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_stay_in_their_folder() {
        assert_eq!(file_name("api.example.com:8080"), "api.example.com_8080");
        assert_eq!(file_name("../../etc/passwd"), "_.._etc_passwd");
        assert_eq!(file_name(""), "host");
    }
}
