//! A page beside a report's page, in which a viewer of the user's own shows the OpenAPI descriptions.

use std::io::{self, Write};

use askama::Template;
use serde_json::Value;

use crate::output::page::hash_source;

/// Writes a page with OpenAPI descriptions and a script that shows them: Redoc (`redoc.standalone.js`), Swagger UI
/// (`swagger-ui-bundle.js`) or Scalar (`standalone.js`).
///
/// The script is the user's, so it is trusted: its policy allows inline styles, which these viewers need. The page is a file of its
/// own because the policy of a report's page allows none of that. Neither loads anything.
///
/// ```
/// use api_patterns::output::PageViewer;
///
/// let viewer = PageViewer { script: "window.Redoc = { init() {} }".to_owned(), style: String::new() };
/// let description = serde_json::json!({ "openapi": "3.1.0", "info": { "title": "</script>" } });
/// let mut page = Vec::new();
/// viewer.write(&[("api.example.com".to_owned(), description)], &mut page).unwrap();
/// let page = String::from_utf8(page).unwrap();
/// assert_eq!(page.matches("</script>").count(), 3);
/// ```
#[derive(Clone, Debug, Default)]
pub struct PageViewer {
    /// The script of the viewer.
    pub script: String,
    /// The style sheet of the viewer, for those that have one. Empty for none.
    pub style: String,
}

/// The file behind the page; the fields are what the template needs.
#[derive(Template)]
#[template(path = "viewer.html")]
struct ViewerTemplate<'v> {
    hosts: Vec<&'v str>,
    /// The descriptions by host, as JSON that can stand in a script element.
    descriptions: String,
    style: String,
    script: String,
    start: &'static str,
    policy: String,
}

impl PageViewer {
    /// Whether the script is one of the viewers that the page can start.
    ///
    /// ```
    /// use api_patterns::output::PageViewer;
    ///
    /// assert!(!PageViewer { script: "alert(1)".to_owned(), style: String::new() }.is_known());
    /// ```
    pub fn is_known(&self) -> bool {
        ["Redoc", "SwaggerUIBundle", "Scalar"].iter().any(|name| self.script.contains(name))
    }

    /// Writes the page for the descriptions of some hosts.
    ///
    /// # Errors
    ///
    /// Returns an error if `out` cannot be written to.
    pub fn write(&self, described: &[(String, Value)], out: &mut dyn Write) -> io::Result<()> {
        let by_host: serde_json::Map<String, Value> = described.iter().cloned().collect();
        let script = inside_element(&self.script);
        let start = include_str!("viewer.js");
        let page = ViewerTemplate {
            hosts: described.iter().map(|(host, _)| &**host).collect(),
            // No `<` begins an element or ends this one (RFC 8259, section 7, allows any character to be written so).
            descriptions: serde_json::to_string(&by_host)?.replace('<', "\\u003c"),
            // A style sheet has no need of an end of its element.
            style: self.style.replace("</", "<\\/"),
            policy: format!(
                "default-src 'none'; script-src '{}' '{}'; style-src 'unsafe-inline'; img-src data: blob:; font-src data:; \
                 worker-src blob:; base-uri 'none'; form-action 'none'",
                hash_source(&script),
                hash_source(start),
            ),
            script,
            start,
        };
        out.write_all(page.render().map_err(io::Error::other)?.as_bytes())?;
        out.write_all(b"\n")
    }
}

/// A script in which nothing ends its element or begins a comment of HTML (HTML, section 4.12.1.3). Both can only be in strings,
/// regular expressions and comments, where the text that replaces them means what it meant.
fn inside_element(script: &str) -> String {
    let script = script.replace("<!--", "\\x3c!--").replace("</script", "<\\/script");
    script.replace("</SCRIPT", "<\\/SCRIPT").replace("<script", "\\x3cscript")
}
