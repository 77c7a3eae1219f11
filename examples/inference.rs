//! What scripts/inference/fit.py asks of the library. Built with the feature `training`.
//!
//! ```sh
//! inference samples STAGE VOCABULARY_FOLDER WEIGHTS CORPUS OUT   # rows of f32: label, weight, evidence
//! inference score VOCABULARY_FOLDER WEIGHTS CORPUS               # GA, FGA and FTA
//! inference explain VOCABULARY_FOLDER WEIGHTS CORPUS PATTERN     # how the segments below a pattern are judged
//! inference names                                                # the names of the evidence, one a line
//! ```
//!
//! A corpus is a file of JSON lines with method, url, status and truth.

use std::error::Error;
use std::fs;
use std::io::{self, Write};
use std::path::Path;

#[path = "support/score.rs"]
#[allow(dead_code, reason = "shared with the accuracy example")]
mod measures;

use api_patterns::training::{AnyModel, explain, feature_names, model, read, samples, templates};

use measures::{Labelled, score};

fn load(folder: &str, weights: &str) -> Result<AnyModel, Box<dyn Error>> {
    let file = |name: &str| fs::read_to_string(Path::new(folder).join(name));
    Ok(model(&file("vocabulary.tsv")?, &file("characters.tsv")?, &fs::read_to_string(weights)?))
}

fn println_all(text: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{text}")
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["names"] => println_all(&feature_names().join("\n"))?,
        ["samples", stage, folder, weights, corpus, out] => {
            let requests = read(&fs::read_to_string(corpus)?)?;
            let mut bytes = Vec::new();
            for row in samples(&requests, &load(folder, weights)?, stage.parse()?) {
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "the fit needs no more digits"
                )]
                bytes.extend(row.into_iter().flat_map(|number| (number as f32).to_le_bytes()));
            }
            fs::write(out, bytes)?;
        }
        ["score", folder, weights, corpus] => {
            let requests = read(&fs::read_to_string(corpus)?)?;
            let templates = templates(&requests, &load(folder, weights)?);
            let labelled: Vec<Labelled> = requests
                .into_iter()
                .zip(templates)
                .filter_map(|(request, template)| {
                    let after = request.url.split_once("://").map_or("", |parts| parts.1);
                    let end = after.find(['/', '?', '#']).unwrap_or(after.len());
                    let path = after[end..].split(['?', '#']).next().unwrap_or_default().to_owned();
                    let host = after[..end].to_ascii_lowercase();
                    let template = template.unwrap_or_default();
                    Some(Labelled {
                        method: request.method,
                        host,
                        path,
                        truth: request.truth?,
                        template,
                    })
                })
                .collect();
            let score = score(&labelled);
            let line = format!("{} {} {}\n", score.grouping, score.group_f1, score.template_f1);
            println_all(line.trim_end())?;
        }
        ["explain", folder, weights, corpus, place] => {
            let requests = read(&fs::read_to_string(corpus)?)?;
            println_all(&explain(&requests, &load(folder, weights)?, place).join("\n"))?;
        }
        _ => return Err("see the head of examples/inference.rs".into()),
    }
    Ok(())
}
