//! Accuracy of the templates on labelled traffic: GA, FGA and FTA for each file of a folder, and their means.
//!
//! ```sh
//! cargo xtask tool accuracy FOLDER
//! ```
//!
//! A file holds one request per line, as JSON lines (`.jsonl`) or gzipped (`.jsonl.gz`), each with its true template
//! under `truth`. If `truth` is null, the template is unknown: the request is analyzed but not counted. The measures
//! are those of LogHub-2.0, over requests keyed by method and host:
//!
//! - GA is the share of requests whose group equals a true group.
//! - FGA is the F1 score over groups.
//! - FTA is the F1 score over groups whose template also has its parameters at the right segments.
//! - `static` counts true endpoints without a path parameter, and `wrong` those of them that are merged with another
//!   endpoint or shown with a parameter.

use std::error::Error;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::{fs, str};

use api_patterns::{Captures, InputFormat, Options, label};
use serde_json::Value;

use api_patterns_tools::score::{Labelled, Score, score};

fn main() -> Result<(), Box<dyn Error>> {
    let Some(folder) = std::env::args().nth(1) else { return Err("usage: accuracy FOLDER".into()) };
    let mut files: Vec<PathBuf> =
        fs::read_dir(&folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    files.retain(|file| name_of(file).is_some());
    files.sort();
    if files.is_empty() {
        return Err(format!("{folder} has no file that ends in .jsonl or .jsonl.gz").into());
    }
    let mut out = io::stdout().lock();
    let columns = ["requests", "true", "found", "static", "wrong", "GA", "FGA", "FTA"]
        .map(|title| format!("{title:>8}"))
        .concat();
    writeln!(out, "{:20}{columns}", "api")?;
    let mut scores = Vec::new();
    for file in &files {
        let score = score_of(file)?;
        let Score { requests, true_groups, groups, grouping, group_f1, template_f1, .. } = score;
        let (statics, wrong) = (score.static_groups, score.static_wrong);
        let name = name_of(file).unwrap_or_default();
        writeln!(
            out,
            "{name:20}{requests:8}{true_groups:8}{groups:8}{statics:8}{wrong:8}{grouping:8.3}{group_f1:8.3}{template_f1:8.3}"
        )?;
        scores.push(score);
    }
    #[expect(clippy::cast_precision_loss, reason = "a count of files")]
    let mean = |of: fn(&Score) -> f64| scores.iter().map(of).sum::<f64>() / scores.len() as f64;
    let means = [mean(|s| s.grouping), mean(|s| s.group_f1), mean(|s| s.template_f1)];
    let total = |of: fn(&Score) -> usize| scores.iter().map(of).sum::<usize>();
    let (statics, wrong) = (total(|s| s.static_groups), total(|s| s.static_wrong));
    writeln!(
        out,
        "{:44}{statics:8}{wrong:8}{:8.3}{:8.3}{:8.3}",
        "mean", means[0], means[1], means[2]
    )?;
    Ok(())
}

fn name_of(file: &Path) -> Option<&str> {
    let name = file.file_name()?.to_str()?;
    name.strip_suffix(".jsonl.gz").or_else(|| name.strip_suffix(".jsonl"))
}

fn score_of(file: &Path) -> Result<Score, Box<dyn Error>> {
    let mut bytes = fs::read(file)?;
    if bytes.starts_with(b"\x1f\x8b") {
        let mut unpacked = Vec::new();
        flate2::read::MultiGzDecoder::new(&bytes[..]).read_to_end(&mut unpacked)?;
        bytes = unpacked;
    }
    let requests: Vec<Value> =
        str::from_utf8(&bytes)?.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let captures =
        Captures::from_bytes(&file.display().to_string(), bytes, InputFormat::JsonLines)?;
    let mut labels = Vec::new();
    label(&captures, &Options::default(), &(), &mut labels)?;
    let labels: Vec<Value> =
        str::from_utf8(&labels)?.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    if labels.len() != requests.len() {
        return Err(format!(
            "{}: {} of {} requests were labelled",
            file.display(),
            labels.len(),
            requests.len()
        )
        .into());
    }
    let labelled: Vec<Labelled> = requests
        .iter()
        .zip(&labels)
        .filter(|(request, _)| request["truth"].is_string())
        .map(|(request, label)| {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let (method, url) = (text(&request["method"]), text(&request["url"]));
            Labelled::new(method, &url, text(&request["truth"]), text(&label["path_pattern"]))
        })
        .collect();
    Ok(score(&labelled))
}
