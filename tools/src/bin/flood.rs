//! Cost of many distinct paths: time to observe, time to decide, and size of the state.
//!
//! ```sh
//! cargo xtask tool flood 10000000          # random paths, one in ten of normal traffic
//! cargo xtask tool flood 200000 slugs      # /repos/{owner}/{repo}/issues/{number}, all distinct
//! ```

use std::io::{self, Write};
use std::time::Instant;

use api_patterns::{Flow, Patterns};

/// Generator of pronounceable random words that are in no dictionary.
struct Words(u64);

impl Words {
    fn word(&mut self, syllables: usize) -> String {
        const ONSETS: [&str; 16] =
            ["b", "c", "d", "f", "g", "k", "l", "m", "n", "p", "r", "s", "t", "v", "st", "tr"];
        const VOWELS: [&str; 6] = ["a", "e", "i", "o", "u", "ea"];
        let mut draw = |bound: u64| {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            usize::try_from((self.0 >> 33) % bound).unwrap_or(0)
        };
        (0..syllables).map(|_| [ONSETS[draw(16)], VOWELS[draw(6)]].concat()).collect()
    }
}

fn path(i: u64, slugs: bool, words: &mut Words) -> String {
    if slugs {
        return format!("/repos/{}/{}/issues/{}", words.word(3), words.word(4), i % 5000);
    }
    match i % 40 {
        0 => format!("/v1/users/{}", 1000 + i),
        10 => "/v1/users".to_owned(),
        20 => format!("/v1/orders/{}/refunds", 10_000 + i),
        30 => "/v1/search?q=x".to_owned(),
        _ => format!("/{}/{}/{}", words.word(3), words.word(4), words.word(3)),
    }
}

fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let flows: u64 = arguments.next().and_then(|n| n.parse().ok()).unwrap_or(1_000_000);
    let slugs = arguments.next().is_some();
    let mut words = Words(7);
    let mut patterns = Patterns::new();
    let start = Instant::now();
    for i in 0..flows {
        let url = format!("https://api.example.com{}", path(i, slugs, &mut words));
        if let Some(flow) = Flow::new("GET", &url) {
            patterns.observe(&flow);
        }
    }
    let observed = start.elapsed().as_secs_f64();
    let start = Instant::now();
    let report = patterns.report();
    let decided = start.elapsed().as_secs_f64();
    let mut out = io::stdout().lock();
    writeln!(
        out,
        "{flows} flows observed in {observed:.2} s, decided in {decided:.3} s; the state takes {} bytes",
        patterns.size()
    )?;
    for pattern in report.patterns.iter().take(10) {
        writeln!(out, "{:>10}  {}", pattern.request_count, pattern.endpoint)?;
    }
    writeln!(out, "{} endpoints in all", report.patterns.len())
}
