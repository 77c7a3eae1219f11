//! Backend of scripts/inference/fit.py.
//!
//! ```sh
//! inference samples STAGE WEIGHTS LIST            # writes rows of f32 for each corpus: label, weight, evidence
//! inference score WEIGHTS LIST                    # GA, FGA, FTA, static endpoints and how many of them are wrong, one corpus a line
//! inference explain VOCABULARY_FOLDER WEIGHTS CORPUS PATTERN   # how the segments below a pattern are judged
//! inference label VOCABULARY_FOLDER WEIGHTS CORPUS   # the template of each request, one a line
//! inference rules                                 # the names of the rules around the model, one a line
//! inference names                                 # the names of the evidence, one a line
//! inference body-names                            # those of the evidence of bodies
//! ```
//!
//! `--without RULE` before the first word switches a rule off.
//!
//! WEIGHTS is a folder with weights.tsv, trees.tsv, and bodies.tsv if the model has been fitted to bodies. LIST has one corpus per line: the folder of its vocabulary, a
//! tab, the corpus, and for `samples` another tab and the output file. A corpus is a file of JSON lines with method,
//! url, status, `content_type`, truth, and `request_body` and `response_body` where they are to be read.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::io::{self, Write};
use std::path::Path;

use api_patterns::training::{
    CustomModel, body_feature_names, explain, feature_names, model, read, rule_names, samples,
    switch_off_rule, templates,
};

use api_patterns_tools::score::{Labelled, score};
use rayon::prelude::*;

type Failure = Box<dyn Error + Send + Sync>;

fn load(folder: &str, weights: &str) -> Result<CustomModel, Failure> {
    let file = |name: &str| fs::read_to_string(Path::new(folder).join(name));
    let weights = |name: &str| fs::read_to_string(Path::new(weights).join(name));
    Ok(model(
        &file("vocabulary.tsv")?,
        &file("characters.tsv")?,
        &weights("weights.tsv")?,
        &weights("trees.tsv")?,
        &weights("bodies.tsv").unwrap_or_default(),
    ))
}

fn println_all(text: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{text}")
}

/// Reads the lines of a list, and loads the model for each of its vocabulary folders.
fn read_list(
    list: &str,
    weights: &str,
) -> Result<(Vec<Vec<String>>, BTreeMap<String, CustomModel>), Failure> {
    let text = fs::read_to_string(list)?;
    let lines: Vec<Vec<String>> =
        text.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect();
    let mut models = BTreeMap::new();
    for line in &lines {
        if !models.contains_key(&line[0]) {
            models.insert(line[0].clone(), load(&line[0], weights)?);
        }
    }
    Ok((lines, models))
}

fn write_samples(stage: usize, weights: &str, list: &str) -> Result<(), Failure> {
    let (lines, models) = read_list(list, weights)?;
    lines.par_iter().try_for_each(|line| {
        let requests = read(&fs::read_to_string(&line[1])?)?;
        let mut bytes = Vec::new();
        for row in samples(&requests, &models[&line[0]], stage) {
            #[expect(clippy::cast_possible_truncation, reason = "the fit needs no more digits")]
            bytes.extend(row.into_iter().flat_map(|number| (number as f32).to_le_bytes()));
        }
        Ok(fs::write(&line[2], bytes)?)
    })
}

fn score_all(weights: &str, list: &str) -> Result<(), Failure> {
    let (lines, models) = read_list(list, weights)?;
    let scores: Vec<String> = lines
        .par_iter()
        .map(|line| -> Result<String, Failure> {
            let requests = read(&fs::read_to_string(&line[1])?)?;
            let templates = templates(&requests, &models[&line[0]]);
            let labelled: Vec<Labelled> = requests
                .into_iter()
                .zip(templates)
                .filter_map(|(request, template)| {
                    let template = template.unwrap_or_default();
                    Some(Labelled::new(request.method, &request.url, request.truth?, template))
                })
                .collect();
            let s = score(&labelled);
            Ok(format!(
                "{} {} {} {} {}",
                s.grouping, s.group_f1, s.template_f1, s.static_groups, s.static_wrong
            ))
        })
        .collect::<Result<_, _>>()?;
    Ok(println_all(&scores.join("\n"))?)
}

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    if let ["--without", rule, ..] = arguments[..] {
        if !switch_off_rule(rule) {
            return Err(
                format!("there is no rule {rule}; they are {}", rule_names().join(", ")).into()
            );
        }
        arguments.drain(..2);
    }
    match arguments[..] {
        ["rules"] => println_all(&rule_names().join("\n"))?,
        ["body-names"] => println_all(&body_feature_names().join("\n"))?,
        ["names"] => println_all(&feature_names().join("\n"))?,
        ["samples", stage, weights, list] => write_samples(stage.parse()?, weights, list)?,
        ["score", weights, list] => score_all(weights, list)?,
        ["label", folder, weights, corpus] => {
            let requests = read(&fs::read_to_string(corpus)?)?;
            let templates = templates(&requests, &load(folder, weights)?);
            let lines: Vec<String> = templates.into_iter().map(Option::unwrap_or_default).collect();
            println_all(&lines.join("\n"))?;
        }
        ["explain", folder, weights, corpus, place] => {
            let requests = read(&fs::read_to_string(corpus)?)?;
            println_all(&explain(&requests, &load(folder, weights)?, place).join("\n"))?;
        }
        _ => return Err("see the head of tools/src/bin/inference.rs".into()),
    }
    Ok(())
}
