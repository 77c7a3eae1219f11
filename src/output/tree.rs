//! Tree output for terminals: hosts and path prefixes, with the endpoints and requests below each.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

use crate::math::format_thousands;
use crate::output::table::{GAP, cut, format_count, styled, write_third_parties};

use crate::output::{Output, OverviewOptions};
use crate::report::Report;
use crate::report::overview::Overview;
use crate::report::path_tree::PathTree;

/// Writes a tree per host: a line for each path prefix, with the methods of the endpoints that end there.
#[derive(Clone, Copy, Debug)]
pub struct Tree {
    /// Maximum width of a line in columns; `None` for unlimited. The middle of long names is left out. Very narrow widths may be
    /// exceeded.
    pub width: Option<usize>,
    /// True if the output contains colour sequences.
    pub color: bool,
    /// Order of hosts and endpoints, and whether third parties are summed up.
    pub overview: OverviewOptions,
}

/// Width of the column of the numbers of requests and of endpoints.
const NUMBER_WIDTH: usize = 9;

/// Minimum width of a name.
const MIN_NAME_WIDTH: usize = 12;

impl Output for Tree {
    fn write(&self, report: &Report, out: &mut dyn Write) -> io::Result<()> {
        let overview = Overview::of(report, self.overview);
        let title = format!("{:>NUMBER_WIDTH$}  {:>NUMBER_WIDTH$}  path", "requests", "endpoints");
        if !overview.hosts.is_empty() {
            writeln!(out, "{}", self.styled(&title, Style::new().dimmed()))?;
        }
        for host in &overview.hosts {
            let tree = PathTree::of(&host.patterns);
            self.write_node(&tree, host.host, 0, out)?;
        }
        write_third_parties(&overview.third_parties, !overview.hosts.is_empty(), out)
    }
}

impl Tree {
    fn write_node(
        self,
        node: &PathTree<'_>,
        name: &str,
        depth: usize,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let mut methods: Vec<&str> = node.patterns.iter().map(|end| end.shown_method()).collect();
        methods.sort_unstable();
        methods.dedup();
        let operations = node.patterns.iter().filter(|end| end.operation.is_some()).count() as u64;
        let methods = methods.join(" ");
        let operations = match operations {
            0 | 1 => String::new(),
            _ => format!(" ({})", format_count(operations, "operation")),
        };
        let indent = 2 * depth;
        let around = 2 * NUMBER_WIDTH + indent + 2 * GAP + methods.len() + operations.len() + GAP;
        let name = match self.width {
            Some(width) => cut(name, width.saturating_sub(around).max(MIN_NAME_WIDTH)),
            None => name.to_owned(),
        };
        let style = if depth == 0 { Style::new().bold() } else { Style::new() };
        let name = self.styled(&name, style);
        let ends = self.styled(&methods, AnsiColor::Green.on_default());
        let line = format!(
            "{:>NUMBER_WIDTH$}  {:>NUMBER_WIDTH$}  {:indent$}{name}  {ends}{operations}",
            format_thousands(node.requests),
            format_thousands(node.endpoints),
            "",
        );
        writeln!(out, "{}", line.trim_end())?;
        for child in &node.children {
            self.write_node(child, &child.segments, depth + 1, out)?;
        }
        Ok(())
    }

    fn styled(self, text: &str, style: Style) -> String {
        styled(text, style, self.color)
    }
}
