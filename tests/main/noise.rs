use api_patterns::{Noise, Options};

use crate::support::{analysis_of, program_with_input};

const LINES: &str = r#"{"method":"GET","url":"https://h.example/app.js","status":200}
{"method":"GET","url":"https://h.example/logo.png","status":200}
{"method":"OPTIONS","url":"https://h.example/users","status":204,"request_headers":{"Access-Control-Request-Method":"POST"}}
{"method":"POST","url":"https://www.google-analytics.com/g/collect?v=2","status":204}
{"method":"GET","url":"https://h.example/wp-login.php","status":404}
{"method":"GET","url":"https://h.example/wp-login.php","status":404}
{"method":"GET","url":"https://scanned.example/.env","status":404}
{"method":"GET","url":"https://h.example/users/1001","status":404}
{"method":"GET","url":"https://h.example/users/1002","status":200}
"#;

#[test]
fn noise_is_left_out_only_where_it_is_asked_for_and_counted() {
    let all = analysis_of(LINES.as_bytes(), &Options::default());
    assert_eq!((all.report.totals.used, all.skips.total()), (9, 0));
    let mut options = Options::default();
    options.exclude = vec![Noise::Static, Noise::Preflight, Noise::Telemetry, Noise::ErrorsOnly404];
    let analysis = analysis_of(LINES.as_bytes(), &options);
    let endpoints: Vec<&str> = analysis.report.patterns.iter().map(|p| &*p.endpoint).collect();
    assert_eq!(endpoints, ["GET /users/{user_id}"]);
    let totals = &analysis.report.totals;
    assert_eq!((totals.flows, totals.used, totals.hosts), (9, 2, 1));
    let skipped: Vec<(&str, u64)> = totals.skipped.iter().map(|(name, n)| (&**name, *n)).collect();
    assert_eq!(
        skipped,
        [("errors_only_404", 3), ("preflight", 1), ("static", 2), ("telemetry", 1)]
    );
    assert_eq!(analysis.skips.total(), 7);
}

#[test]
fn the_program_shows_each_drop_and_labels_what_is_left() {
    let noise = "static,preflight,telemetry,errors-only-404";
    let run = program_with_input(&["analyze", "-", "--exclude", noise], LINES.as_bytes());
    assert_eq!(run.code, Some(0));
    assert!(
        run.stderr
            .contains("2 used, 7 skipped (static 2, preflight 1, telemetry 1, errors_only_404 3)"),
        "{}",
        run.stderr
    );
    let run = program_with_input(&["label", "-", "--exclude", noise], LINES.as_bytes());
    assert_eq!(run.stdout.lines().count(), 2, "{}", run.stdout);
    let run = program_with_input(&["analyze", "-", "--exclude", "nonsense"], LINES.as_bytes());
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("errors-only-404"), "{}", run.stderr);
}
