//! API descriptions that people and programs wrote: OpenAPI 2.0, 3.0 and 3.1, in YAML or JSON, read for comparison with
//! traffic.
//!
//! A description is untrusted input: references in circles, hostile patterns and large files cost a bounded
//! amount of time and memory, and nothing outside of its folder is read.

mod compile;
pub(crate) mod cursor;
mod files;
pub(crate) mod flow_match;
pub(crate) mod format;
pub(crate) mod lines;
pub(crate) mod operation;
pub(crate) mod path_text;
pub(crate) mod pattern;
pub(crate) mod routing;
pub(crate) mod schema;
pub(crate) mod security;
pub(crate) mod server;
mod swagger;

use std::io::Read;
use std::path::Path;

use crate::description::compile::SchemaCompiler;
use crate::description::cursor::DescriptionCursor;
pub(crate) use crate::description::files::decoded;
use crate::description::files::{DescriptionFiles, problem};
use crate::description::operation::ApiOperation;
use crate::description::routing::ApiRoutes;
use crate::description::schema::SchemaSet;
use crate::description::server::{ApiServer, servers};
use crate::error::Error;

/// Bytes at the beginning of a file in which a description says that it is one.
const MAX_VERSION_HEAD_BYTES: u64 = 4096;

/// An API description, read from a file: OpenAPI 2.0, 3.0 or 3.1 in YAML or JSON.
///
/// ```
/// use api_patterns::ApiDescription;
///
/// let yaml = "openapi: 3.1.0\npaths:\n  /users/{id}:\n    get: {responses: {'200': {description: OK}}}\n";
/// let description = ApiDescription::of_text("users.yaml", yaml)?;
/// assert_eq!(description.operations(), 1);
/// # Ok::<(), api_patterns::Error>(())
/// ```
#[derive(Debug)]
pub struct ApiDescription {
    files: DescriptionFiles,
    pub(crate) servers: Vec<ApiServer>,
    pub(crate) operations: Vec<ApiOperation>,
    pub(crate) routes: ApiRoutes,
    pub(crate) schemas: SchemaSet,
    notes: Vec<String>,
}

/// A version of OpenAPI that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DescriptionVersion {
    /// OpenAPI 2.0, also called Swagger.
    V2,
    V3_0,
    /// OpenAPI 3.1, and what 3.2 has in common with it.
    V3_1,
}

impl ApiDescription {
    /// Reads a description, and the files in its folder that references lead to. Nothing is read over a network.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be read, is larger than 64 MB, is neither YAML nor JSON, or is not a description in one of
    /// the versions.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        Self::of_files(DescriptionFiles::open(path.as_ref())?)
    }

    /// Returns `true` for a file that says at its beginning that it is a description.
    ///
    /// ```
    /// use api_patterns::ApiDescription;
    ///
    /// assert!(!ApiDescription::is_at("fixtures/demo.mitm"));
    /// ```
    pub fn is_at(path: impl AsRef<Path>) -> bool {
        let path = path.as_ref();
        let mut head = Vec::new();
        let is_read = path.is_file()
            && std::fs::File::open(path)
                .and_then(|file| file.take(MAX_VERSION_HEAD_BYTES).read_to_end(&mut head))
                .is_ok();
        let head = String::from_utf8_lossy(&head);
        // A capture in JSON may mention a description, and has URLs of requests before it.
        let in_json = head.trim_start().starts_with('{')
            && (head.contains("\"openapi\"") || head.contains("\"swagger\""))
            && !head.contains("\"method\"");
        let is_key = |line: &str| {
            let key = line.trim_start_matches(['"', '\'']);
            key.starts_with("openapi") || key.starts_with("swagger")
        };
        is_read && (in_json || head.lines().any(is_key))
    }

    /// Reads a description from a text. `name` is what messages call it.
    ///
    /// ```
    /// use api_patterns::ApiDescription;
    ///
    /// let error = ApiDescription::of_text("a.json", "{\"openapi\": \"1.2\"}").unwrap_err();
    /// assert!(error.to_string().contains("a.json"));
    /// ```
    ///
    /// # Errors
    ///
    /// Fails as [`open`](Self::open) does.
    pub fn of_text(name: &str, text: &str) -> Result<Self, Error> {
        Self::of_files(DescriptionFiles::of_text(name, text)?)
    }

    fn of_files(files: DescriptionFiles) -> Result<Self, Error> {
        let version = version_of(&files)?;
        let root = DescriptionCursor::root(&files);
        let mut compiler = SchemaCompiler::new(version != DescriptionVersion::V3_1);
        let (mut servers, operations) = if version == DescriptionVersion::V2 {
            (swagger::servers(&root), swagger::operations(&root, &mut compiler))
        } else {
            let listed = root.get("servers").map(|list| servers(&list)).unwrap_or_default();
            (listed, operation::operations(&root, &mut compiler))
        };
        if servers.is_empty() {
            servers.push(ApiServer::any());
        }
        let (schemas, unchecked) = compiler.finish();
        let routes = ApiRoutes::new(&operations);
        let mut notes = files.unresolved.clone();
        let name = &files.files[0].name;
        notes.extend(unchecked.into_iter().map(|note| format!("{name}: {note}")));
        Ok(Self { files, servers, operations, routes, schemas, notes })
    }

    /// The number of operations.
    ///
    /// ```
    /// use api_patterns::ApiDescription;
    ///
    /// let description = ApiDescription::of_text("empty.yaml", "openapi: 3.0.3\npaths: {}\n")?;
    /// assert_eq!(description.operations(), 0);
    /// # Ok::<(), api_patterns::Error>(())
    /// ```
    pub fn operations(&self) -> usize {
        self.operations.len()
    }

    /// Sentences about parts that are not checked: references that lead nowhere, patterns that are not regular.
    ///
    /// ```
    /// use api_patterns::ApiDescription;
    ///
    /// let description = ApiDescription::of_text("empty.yaml", "openapi: 3.0.3\npaths: {}\n")?;
    /// assert!(description.notes().is_empty());
    /// # Ok::<(), api_patterns::Error>(())
    /// ```
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Takes requests to this URL and everything below it for requests to the API, whatever servers the description names.
    ///
    /// # Errors
    ///
    /// Fails if the URL is not one of a server.
    pub fn set_server(&mut self, url: &str) -> Result<(), Error> {
        let server = ApiServer::of_url(url).ok_or_else(|| {
            let shown = crate::flow::text::printable(url.as_bytes());
            Error::usage(format!(
                "--server {shown}: this is not the URL of a server; give one as in --server https://api.example.com/v1"
            ))
        })?;
        self.servers = vec![server];
        for operation in &mut self.operations {
            operation.servers = None;
        }
        Ok(())
    }

    /// Name and text of the file with this index.
    pub(crate) fn file(&self, index: usize) -> (&str, &str) {
        let file = &self.files.files[index];
        (&file.name, &file.text)
    }
}

fn version_of(files: &DescriptionFiles) -> Result<DescriptionVersion, Error> {
    let file = &files.files[0];
    let said = |name: &str| {
        let value = file.value.get(name)?;
        Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    };
    match (said("openapi"), said("swagger")) {
        (Some(version), _) => match version.split('.').collect::<Vec<_>>()[..] {
            ["3", "0", ..] => Ok(DescriptionVersion::V3_0),
            ["3", "1" | "2", ..] => Ok(DescriptionVersion::V3_1),
            _ => Err(problem(
                &file.name,
                &format!("this is OpenAPI {version}; versions 2.0, 3.0, 3.1 and 3.2 are read"),
            )),
        },
        (None, Some(version)) if version.starts_with('2') => Ok(DescriptionVersion::V2),
        _ => Err(problem(
            &file.name,
            "this is not an OpenAPI description: it has no field `openapi` with a version such as 3.1.0",
        )),
    }
}
