//! Styles of the explorer, with and without colours.

use std::borrow::Cow;

use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Span;

use crate::explorer::app::Explorer;

/// A text with a style, or without one where there are no colours. What is bold stays bold.
pub(super) fn styled<'t>(
    explorer: &Explorer,
    text: impl Into<Cow<'t, str>>,
    style: Style,
) -> Span<'t> {
    if explorer.is_colored {
        return Span::styled(text, style);
    }
    Span::styled(text, Style { fg: None, bg: None, ..style })
}

/// The style of a class of statuses: 1xx to 5xx, and none.
pub(super) fn status_style(class: usize) -> Style {
    let colors =
        [Color::Gray, Color::Green, Color::Blue, Color::Yellow, Color::Red, Color::DarkGray];
    colors.get(class).map_or_else(Style::new, |color| Style::new().fg(*color))
}

/// The style of a method.
pub(super) fn method_style(method: &str) -> Style {
    let color = match method {
        "GET" | "HEAD" => Color::Green,
        "DELETE" => Color::Red,
        "POST" | "PUT" | "PATCH" => Color::Yellow,
        _ => Color::Gray,
    };
    Style::new().fg(color).add_modifier(Modifier::BOLD)
}
