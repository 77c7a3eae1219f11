//! The answers in which the values of path parameters stood before.

use serde::{Deserialize, Serialize};

/// An answer in which the values of a path parameter stood: the call that comes before.
///
/// It is known from bodies, so it needs [`Options::bodies`](crate::Options::bodies) or
/// [`Patterns::decide_with_schemas`](crate::Patterns::decide_with_schemas).
///
/// ```
/// use api_patterns::{Captures, InputFormat, Options, analyze};
///
/// let lines = br#"{"method": "GET", "url": "https://h.example/users", "status": 200, "response_body": "[{\"id\": 1001}, {\"id\": 1002}]"}
/// {"method": "GET", "url": "https://h.example/users/1001", "status": 200, "response_body": "{\"id\": 1001}"}
/// {"method": "GET", "url": "https://h.example/users/1002", "status": 200, "response_body": "{\"id\": 1002}"}"#;
/// let captures = Captures::from_bytes("three lines", lines.to_vec(), InputFormat::Detect)?;
/// let mut options = Options::default();
/// options.bodies = true;
/// let report = analyze(&captures, &options, &())?.report;
/// let user = report.patterns.iter().find(|pattern| !pattern.path_params.is_empty()).unwrap();
/// let source = user.parameters[0].source.as_ref().unwrap();
/// assert_eq!((&*source.endpoint, &*source.key), ("GET /users", "[].id"));
/// # Ok::<(), api_patterns::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ParameterSource {
    /// Method and path template of the endpoint that is called before, as in
    /// [`Pattern::endpoint`](crate::Pattern::endpoint).
    pub endpoint: String,
    /// Its id, as in [`Pattern::id`](crate::Pattern::id).
    pub id: String,
    /// Its host, if it is another than that of the parameter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The status of the answer.
    pub status: u16,
    /// The place in the answer: `id`, `[].id`, `items[].owner.login`.
    pub key: String,
    /// The share of the distinct values of the parameter that stood there, 0 to 1, with two
    /// decimals. An estimate where it, or the place in the answer, has more than 48. Where no
    /// answer identifies things with the values of this endpoint, those of all endpoints with the
    /// parameter at this place of their paths are meant.
    pub share: f64,
}

impl ParameterSource {
    /// The source for people: `GET /users answers with them in [].id`.
    pub(crate) fn in_words(&self) -> String {
        let host = self.host.as_ref().map_or_else(String::new, |host| format!(" on {host}"));
        let part = if self.share < 1.0 {
            format!("{:.0} % of them", self.share * 100.0)
        } else {
            "them".to_owned()
        };
        format!("{}{host} answers with {part} in {}", self.endpoint, self.key)
    }
}
