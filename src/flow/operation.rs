//! Operations behind one path: GraphQL, Relay, JSON-RPC, tRPC batches, SOAP, AWS targets,
//! `?action=`.

use std::borrow::Cow;

use serde::Deserialize;

use crate::flow::{Flow, graphql};
use crate::limits;

/// Mark of a name from a field that the protocol defines.
const PROTOCOL: u8 = b'p';
/// Mark of a name from a query parameter that may be an operation, such as `?action=`.
const QUERY: u8 = b'q';

/// Query parameters in which APIs with one path name the operation.
const QUERY_NAMES: [&[u8]; 13] = [
    b"action",
    b"method",
    b"op",
    b"operation",
    b"function",
    b"cmd",
    b"command",
    b"do",
    b"act",
    b"r",
    b"route",
    b"request",
    b"func",
];

/// Query parameters without a value that request the description of a SOAP service.
const DESCRIPTIONS: [&[u8]; 3] = [b"wsdl", b"singlewsdl", b"disco"];

/// The key of the operation of a request: a mark, then the name. Empty if there is no operation.
pub(crate) fn operation_key(flow: &Flow<'_>) -> Vec<u8> {
    let (path, query) = flow.path_and_query();
    operation_key_of(flow, path, query)
}

/// As [`operation_key`], if the target was already split.
pub(crate) fn operation_key_of(flow: &Flow<'_>, path: &[u8], query: &[u8]) -> Vec<u8> {
    if let Some(known) = flow.known_operation {
        return known.to_vec();
    }
    let found = in_protocol(flow, path, query).map(|name| (PROTOCOL, name));
    let found = found.or_else(|| Some((QUERY, Cow::Borrowed(query_value(query, &QUERY_NAMES)?))));
    match found {
        Some((mark, name)) if is_plain(&name) => {
            let mut key = vec![mark];
            key.extend_from_slice(&name);
            key
        }
        _ => Vec::new(),
    }
}

/// Splits a key into the name, and whether the protocol defines its field. `None` for an empty key.
pub(crate) fn parse_key(key: &[u8]) -> Option<(bool, &[u8])> {
    let (mark, name) = key.split_first()?;
    Some((*mark == PROTOCOL, name))
}

/// Returns `true` for a short name with the characters of identifiers. Any other text may be a
/// value.
fn is_plain(name: &[u8]) -> bool {
    let is_identifier = |name: &[u8]| {
        name[0].is_ascii_alphabetic()
            && name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"_.-:/$".contains(byte))
    };
    (1..=limits::MAX_OPERATION_BYTES).contains(&name.len())
        && (is_identifier(name) || is_root_fields(name))
}

/// Returns `true` for the root fields of a GraphQL operation without a name: `{orders,users}`.
fn is_root_fields(name: &[u8]) -> bool {
    let inside = name.strip_prefix(b"{").and_then(|rest| rest.strip_suffix(b"}"));
    let is_field = |field: &[u8]| {
        field.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
            && field.first().is_some_and(|first| !first.is_ascii_digit())
    };
    inside.is_some_and(|inside| inside.split(|byte| *byte == b',').all(is_field))
}

fn in_protocol<'a>(flow: &Flow<'a>, path: &[u8], query: &'a [u8]) -> Option<Cow<'a, [u8]>> {
    if !query.is_empty()
        && let Some(name) = in_query(path, query)
    {
        return Some(name);
    }
    if !flow.method.eq_ignore_ascii_case(b"POST") {
        return None;
    }
    let [target, friendly_name, action] = header_values(flow);
    if let Some(name) = target.or(friendly_name) {
        return Some(Cow::Borrowed(name));
    }
    if let Some(action) = action {
        let action = action.trim_ascii();
        let action = action
            .strip_prefix(b"\"")
            .and_then(|action| action.strip_suffix(b"\""))
            .unwrap_or(action);
        let start =
            action.iter().rposition(|byte| matches!(byte, b'/' | b'#')).map_or(0, |at| at + 1);
        return Some(Cow::Borrowed(&action[start..])).filter(|action| !action.is_empty());
    }
    let is_compressed = || flow.request_headers.get(b"content-encoding").is_some();
    let in_bytes = |body: &[u8]| in_form(body).or_else(|| in_body(body)).map(Cow::into_owned);
    flow.request_body.plain(is_compressed).and_then(|body| in_bytes(&body)).map(Cow::Owned)
}

/// The operation that a query names: a GraphQL query that the server stores, the first of a batch
/// of tRPC procedures, or the description of a SOAP service.
fn in_query<'a>(path: &[u8], query: &'a [u8]) -> Option<Cow<'a, [u8]>> {
    if let Some(name) = query_value(query, &[b"operationName"]) {
        let is_graphql = memchr::memmem::find(path, b"graphql").is_some()
            || query_value(query, &[b"extensions", b"queryId", b"doc_id", b"variables"]).is_some();
        return is_graphql.then_some(Cow::Borrowed(name)).filter(|name| !name.is_empty());
    }
    if let Some(extensions) = query_value(query, &[b"extensions"])
        && let Some(name) = persisted_name(extensions)
    {
        return Some(Cow::Owned(name));
    }
    if let Some(document) = query_value(query, &[b"query"])
        && let Some(name) = in_encoded_document(document)
        // Other query languages begin with a brace as well: `query={app="shop"}`.
        && (!name.starts_with('{') || memchr::memmem::find(path, b"graphql").is_some())
    {
        return Some(Cow::Owned(name.into_bytes()));
    }
    if query_value(query, &[b"batch"]) == Some(b"1") {
        let last = memchr::memrchr(b'/', path).map_or(path, |slash| &path[slash + 1..]);
        let first = last.split(|byte| *byte == b',').next()?;
        let is_batch = first.len() < last.len() && first.contains(&b'.');
        return is_batch.then(|| Cow::Owned(first.to_vec()));
    }
    let is_description =
        |name: &&[u8]| DESCRIPTIONS.iter().any(|known| name.eq_ignore_ascii_case(known));
    Some(query).filter(is_description).map(|name| Cow::Owned(name.to_ascii_lowercase()))
}

/// The name of a GraphQL query that only its hash names, as automatic persisted queries do: `persisted:` and the first eight
/// digits of the SHA-256, also where the text is percent-encoded.
fn persisted_name(text: &[u8]) -> Option<Vec<u8>> {
    let after = &text[memchr::memmem::find(text, HASH_KEY)? + HASH_KEY.len()..];
    let mut runs = after.split(|byte| !byte.is_ascii_hexdigit());
    let hash = runs.find(|run| run.len() >= HASH_DIGITS)?;
    // Of a percent-encoded quotation mark the digits stand before the hash: `%2264ec...`.
    let hash = &hash[hash.len() - HASH_DIGITS..];
    Some([PERSISTED, &hash[..SHOWN_DIGITS].to_ascii_lowercase()].concat())
}

/// Returns `true` for the name of a persisted query, which is eight digits of a hash and no secret.
pub(crate) fn is_persisted_name(name: &[u8]) -> bool {
    name.strip_prefix(PERSISTED).is_some_and(|digits| {
        digits.len() == SHOWN_DIGITS && digits.iter().all(u8::is_ascii_hexdigit)
    })
}

const HASH_KEY: &[u8] = b"sha256Hash";
const PERSISTED: &[u8] = b"persisted:";
/// Digits of a SHA-256, and those of them that are shown.
const HASH_DIGITS: usize = 64;
const SHOWN_DIGITS: usize = 8;

/// The operation of a GraphQL document that is the value of a query parameter (GraphQL over HTTP, section 5.1, "GET").
fn in_encoded_document(value: &[u8]) -> Option<String> {
    let has_braces = value.contains(&b'{') || memchr::memmem::find(value, b"%7").is_some();
    if !has_braces || value.len() > limits::MAX_OPERATION_BODY_BYTES {
        return None;
    }
    let spaced: Vec<u8> =
        value.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    let decoded = percent_encoding::percent_decode(&spaced).decode_utf8().ok()?;
    graphql::operation_name(&decoded)
}

/// The name of a query in a form of Relay: its friendly name, otherwise the number of its document.
fn in_form(body: &[u8]) -> Option<Cow<'_, [u8]>> {
    let head = &body[..body.len().min(MAX_FORM_HEAD_BYTES)];
    if !head.first().is_some_and(u8::is_ascii_alphabetic) {
        return None;
    }
    let value_of = |name: &[u8]| {
        let starts = |at: &usize| *at == 0 || head[at - 1] == b'&';
        let at = memchr::memmem::find_iter(head, name).find(starts)?;
        let value = &head[at + name.len()..];
        Some(&value[..memchr::memchr(b'&', value).unwrap_or(value.len())])
    };
    value_of(b"fb_api_req_friendly_name=")
        .filter(|name| !name.is_empty())
        .map(Cow::Borrowed)
        .or_else(|| Some(Cow::Owned([b"doc_id:", value_of(b"doc_id=")?].concat())))
}

/// Number of bytes at the front of a form in which the name of its query is searched.
const MAX_FORM_HEAD_BYTES: usize = 64 << 10;

/// The first `X-Amz-Target`, `X-FB-Friendly-Name` and `SOAPAction`, found in one pass because the
/// headers may have to be decoded.
fn header_values<'a>(flow: &Flow<'a>) -> [Option<&'a [u8]>; 3] {
    const NAMES: [&[u8]; 3] = [b"x-amz-target", b"x-fb-friendly-name", b"soapaction"];
    let mut first = [None, None, None];
    for (name, value) in flow.request_headers.iter() {
        for (wanted, first) in NAMES.iter().zip(&mut first) {
            if name.eq_ignore_ascii_case(wanted) {
                first.get_or_insert(value);
            }
        }
    }
    first.map(Option::flatten)
}

fn query_value<'a>(query: &'a [u8], names: &[&[u8]]) -> Option<&'a [u8]> {
    // An empty query has no pairs.
    if query.is_empty() {
        return None;
    }
    query.split(|byte| *byte == b'&').find_map(|pair| {
        let at = memchr::memchr(b'=', pair)?;
        names.iter().any(|name| pair[..at].eq_ignore_ascii_case(name)).then_some(&pair[at + 1..])
    })
}

/// Fields of GraphQL and JSON-RPC requests that name the operation.
#[derive(Deserialize)]
struct CallBody<'a> {
    #[serde(borrow, default)]
    jsonrpc: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    method: Option<Cow<'a, str>>,
    #[serde(borrow, default, rename = "operationName")]
    operation_name: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    query: Option<Cow<'a, str>>,
}

/// The operation in a JSON body. Parses only JSON with one of the keys near its beginning.
fn in_body(body: &[u8]) -> Option<Cow<'_, [u8]>> {
    const MAX_JSON_HEAD_BYTES: usize = 4096;
    if body.len() > limits::MAX_OPERATION_BODY_BYTES {
        return None;
    }
    let text = body.trim_ascii_start();
    // In a batch of requests, the first stands for all.
    let text = text.strip_prefix(b"[").map_or(text, <[u8]>::trim_ascii_start);
    let head = &text[..text.len().min(MAX_JSON_HEAD_BYTES)];
    let has = |word: &[u8]| memchr::memmem::find(head, word).is_some();
    if !text.starts_with(b"{")
        || !(has(b"\"jsonrpc\"") || has(b"\"query\"") || has(b"\"operationName\"") || has(HASH_KEY))
    {
        return None;
    }
    let mut reader = serde_json::Deserializer::from_slice(text);
    let body = CallBody::deserialize(&mut reader).ok()?;
    let bytes = |text: &str| Cow::Owned(text.as_bytes().to_vec());
    if body.jsonrpc.is_some() {
        return body.method.map(|method| bytes(&method));
    }
    if let Some(name) = body.operation_name.filter(|name| !name.is_empty()) {
        return Some(bytes(&name));
    }
    let Some(query) = body.query else { return persisted_name(head).map(Cow::Owned) };
    graphql::operation_name(&query).map(|name| bytes(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_body(body: &str) -> String {
        let mut flow = Flow::new("POST", "https://h/graphql").unwrap();
        flow.request_body = crate::flow::Body::decoded(body.as_bytes());
        String::from_utf8(operation_key(&flow)).unwrap()
    }

    #[test]
    fn operations_are_found_where_protocols_put_them() {
        assert_eq!(
            of_body(r#"{"operationName":"GetUser","query":"query GetUser { id }"}"#),
            "pGetUser"
        );
        assert_eq!(of_body(r#"{"query":"mutation  AddUser($a: Int) { id }"}"#), "pAddUser");
        assert_eq!(of_body(r#"[{"jsonrpc":"2.0","method":"eth_call","id":1}]"#), "peth_call");
        assert_eq!(of_body(r#"{"query":"{ user { id } }"}"#), "p{user}");
        assert_eq!(of_body(r#"{"query":"query shoes"}"#), "");
        assert_eq!(of_body(r#"{"query":"red shoes","method":"fast"}"#), "");
        let hash = "2CF24DBA".repeat(8);
        let extensions = format!(r#"{{"persistedQuery":{{"version":1,"sha256Hash":"{hash}"}}}}"#);
        assert_eq!(
            of_body(&format!(r#"{{"operationName":null,"extensions":{extensions}}}"#)),
            "ppersisted:2cf24dba"
        );
        assert!(is_persisted_name(b"persisted:2cf24dba") && !is_persisted_name(b"persisted:me"));
        assert_eq!(of_body("not json"), "");
        assert_eq!(
            of_body("av=1&fb_api_req_friendly_name=FeedQuery&variables=%7B%7D&doc_id=77"),
            "pFeedQuery"
        );
        assert_eq!(of_body("variables=%7B%7D&doc_id=7766"), "pdoc_id:7766");
        assert_eq!(of_body("name=x&not_doc_id=7766"), "");
        let of_url =
            |url: &str| String::from_utf8(operation_key(&Flow::new("GET", url).unwrap())).unwrap();
        for (url, operation) in [
            ("https://h/api?operationName=Feed&extensions=%7B%22persistedQuery%22%3A1%7D", "pFeed"),
            (
                "https://h/graphql?extensions=%7B%22persistedQuery%22%3A%7B%22sha256Hash%22%3A%222cf24dba2cf24dba2cf24dba2cf24dba2cf24dba2cf24dba2cf24dba2cf24dba%22%7D%7D",
                "ppersisted:2cf24dba",
            ),
            ("https://h/log?operationName=Feed", ""),
            ("https://h/graphql?query={users{id}}", "p{users}"),
            ("https://h/graphql?query=query+GetTeams%20%7Bteams%7Bid%7D%7D", "pGetTeams"),
            ("https://h/loki/api/v1/query_range?query=%7Bapp%3D%22shop%22%7D", ""),
            ("https://h/find?query=shoes", ""),
            ("https://h/api/trpc/user.me,post.list?batch=1&input=%7B%7D", "puser.me"),
            ("https://h/api/trpc/user.me?batch=1", ""),
            ("https://h/service.asmx?WSDL", "pwsdl"),
            ("https://h/index.php?route=product/category&path=20", "qproduct/category"),
        ] {
            assert_eq!(of_url(url), operation, "{url}");
        }
        let pairs = [(&b"SOAPAction"[..], Some(&b"\"http://tempuri.org/GetPrice\""[..]))];
        let mut flow = Flow::new("POST", "https://h/service").unwrap();
        flow.request_headers = crate::flow::Headers::new(&pairs);
        assert_eq!(operation_key(&flow), b"pGetPrice");
        let flow = Flow::new("GET", "https://h/api.php?format=json&action=query").unwrap();
        assert_eq!(operation_key(&flow), b"qquery");
        let flow = Flow::new("GET", "https://h/api.php?action=eyJhbGci%20x").unwrap();
        assert_eq!(operation_key(&flow), b"");
    }
}
