//! Moving: what is chosen in each pane, by keys and by the mouse.

use ratatui::crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::Position;

use crate::explorer::app::{Explorer, Pane};
use crate::explorer::tree_rows::NodeKey;

/// Rows that a turn of the wheel moves.
const WHEEL: isize = 3;

impl Explorer {
    /// Rows of the pane that keys go to.
    pub(super) fn page(&self) -> isize {
        let area = match self.pane {
            Pane::Tree => self.areas.tree,
            Pane::Table => self.areas.table,
            Pane::Detail => self.areas.detail,
        };
        isize::try_from(area.height.saturating_sub(3).max(1)).unwrap_or(1)
    }

    /// Moves what is chosen in the pane that keys go to.
    pub(super) fn step(&mut self, by: isize) {
        let pane = self.pane;
        self.step_in(pane, by);
    }

    pub(super) fn step_in(&mut self, pane: Pane, by: isize) {
        let moved =
            |at: usize, count: usize| at.saturating_add_signed(by).min(count.saturating_sub(1));
        match pane {
            Pane::Tree => {
                let at = moved(self.row(), self.rows.len());
                if let Some(row) = self.rows.get(at) {
                    self.node = row.key.clone();
                }
                self.refresh();
            }
            Pane::Table => {
                let at = moved(self.table_row(), self.table.len());
                if let Some(pattern) = self.table.get(at) {
                    self.endpoint = self.session.analysis.report.patterns[*pattern].id.clone();
                }
                self.scroll = 0;
            }
            Pane::Detail => {
                let room = usize::from(self.areas.detail.height.saturating_sub(2));
                let most = self.areas.detail_lines.saturating_sub(room);
                self.scroll = self.scroll.saturating_add_signed(by).min(most);
            }
        }
    }

    pub(super) fn go_right(&mut self) {
        match self.pane {
            Pane::Tree => {
                let row = self.rows.get(self.row());
                match row {
                    Some(row) if row.has_children && !row.is_open => {
                        self.open.insert(self.node.clone());
                        self.refresh();
                    }
                    Some(row) if row.has_children => self.step(1),
                    _ => self.pane = Pane::Table,
                }
            }
            Pane::Table => self.pane = Pane::Detail,
            Pane::Detail => {}
        }
    }

    pub(super) fn go_left(&mut self) {
        match self.pane {
            Pane::Tree => {
                let is_open = self.rows.get(self.row()).is_some_and(|row| row.is_open);
                if is_open && self.open.remove(&self.node) {
                    self.refresh();
                } else if let Some(parent) = self.node.parent(&self.session.analysis.report) {
                    self.node = parent;
                    self.refresh();
                }
            }
            Pane::Table => self.pane = Pane::Tree,
            Pane::Detail => self.pane = Pane::Table,
        }
    }

    pub(super) fn enter(&mut self) {
        match self.pane {
            Pane::Tree => self.toggle(),
            Pane::Table => self.pane = Pane::Detail,
            Pane::Detail => {}
        }
    }

    /// Opens or closes the node that is chosen.
    pub(super) fn toggle(&mut self) {
        let has_children = self.rows.get(self.row()).is_some_and(|row| row.has_children);
        if self.node == NodeKey::All {
            return;
        }
        if !has_children {
            self.pane = Pane::Table;
        } else if !self.open.remove(&self.node) {
            self.open.insert(self.node.clone());
        }
        self.refresh();
    }

    pub(super) fn handle_mouse(&mut self, mouse: MouseEvent) {
        let at = Position { x: mouse.column, y: mouse.row };
        let areas = self.areas;
        let panes =
            [(Pane::Tree, areas.tree), (Pane::Table, areas.table), (Pane::Detail, areas.detail)];
        let Some((pane, area)) = panes.into_iter().find(|(_, area)| area.contains(at)) else {
            return;
        };
        match mouse.kind {
            MouseEventKind::ScrollUp => self.step_in(pane, -WHEEL),
            MouseEventKind::ScrollDown => self.step_in(pane, WHEEL),
            MouseEventKind::Down(MouseButton::Left) => {
                let was_there = self.pane == pane;
                self.pane = pane;
                // The first line is the border.
                let Some(line) = usize::from(at.y).checked_sub(usize::from(area.y) + 1) else {
                    return;
                };
                self.click(pane, line, was_there);
            }
            _ => {}
        }
    }

    fn click(&mut self, pane: Pane, line: usize, was_there: bool) {
        match pane {
            Pane::Tree => {
                let Some(row) = self.rows.get(self.areas.tree_start + line) else { return };
                let is_again = was_there && row.key == self.node;
                self.node = row.key.clone();
                self.refresh();
                if is_again {
                    self.toggle();
                }
            }
            Pane::Table => {
                // Below the border are the titles of the columns.
                let Some(line) = line.checked_sub(1) else { return };
                let Some(at) = self.table.get(self.areas.table_start + line) else { return };
                self.endpoint = self.session.analysis.report.patterns[*at].id.clone();
                self.scroll = 0;
            }
            Pane::Detail => {}
        }
    }
}
