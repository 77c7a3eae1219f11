use std::io::{self, Write};

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use crate::finding::{FindingReport, Severity};
use crate::output::findings::{FindingsOutput, frequency};

/// Writes findings as XML of `JUnit`, one test for each: errors and warnings fail, notes and known findings are skipped.
#[derive(Clone, Copy, Debug, Default)]
pub struct FindingsJunit;

impl FindingsOutput for FindingsJunit {
    fn write(&self, report: &FindingReport, out: &mut dyn Write) -> io::Result<()> {
        let mut suite = TestSuite::new(report.comparison.clone());
        for finding in &report.findings {
            let fails = !finding.known && finding.severity >= Severity::Warning;
            let mut status = if fails {
                TestCaseStatus::non_success(NonSuccessKind::Failure)
            } else {
                TestCaseStatus::skipped()
            };
            let mut message = finding.message.clone();
            if let Some(frequency) = frequency(finding) {
                message = format!("{message} ({frequency})");
            }
            status.set_message(message).set_type(finding.severity.name());
            let name: Vec<&str> = [&*finding.rule, &*finding.operation, &*finding.place]
                .into_iter()
                .filter(|part| !part.is_empty())
                .collect();
            let mut case = TestCase::new(name.join(" "), status);
            case.set_classname(report.comparison.clone());
            suite.add_test_case(case);
        }
        if report.findings.is_empty() {
            suite.add_test_case(TestCase::new(report.summary.clone(), TestCaseStatus::success()));
        }
        let mut junit = Report::new("api-patterns");
        junit.add_test_suite(suite);
        junit.serialize(&mut *out).map_err(io::Error::other)
    }
}
