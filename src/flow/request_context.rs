//! What the headers of a request say about the code that sent it: a script, a navigation, or a page that loads its assets.

use serde::{Deserialize, Serialize};

use crate::flow::Headers;

/// The destination of a request, as the Fetch standard defines it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Destination {
    /// The headers do not say.
    #[default]
    Unknown,
    /// A script that reads the answer: fetch, XHR, a websocket, an event stream.
    Script,
    /// A page at the top of a tab.
    Document,
    /// A page, at the top of a tab or in a frame.
    Navigation,
    /// A page in a frame.
    Frame,
    /// A stylesheet, script, image, font or medium of a page.
    Asset,
}

/// How the site that sent a request is related to the host, as browsers say it (`sec-fetch-site`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum SiteRelation {
    /// A person typed the address or opened a bookmark.
    User,
    /// The host belongs to the site that sent the request.
    Same,
    /// The host belongs to another site.
    Cross,
}

/// The sender of a request, from its headers.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RequestContext<'a> {
    pub(crate) destination: Destination,
    pub(crate) relation: Option<SiteRelation>,
    /// The host, with its port, of the page that sent the request.
    pub(crate) initiator: Option<&'a [u8]>,
}

/// Returns `true` for the names of headers that only browsers send.
pub(crate) fn is_browser_header(name: &[u8]) -> bool {
    let is = |known: &[u8]| name.eq_ignore_ascii_case(known);
    match name.len() {
        6 => is(b"origin"),
        7 => is(b"referer"),
        14 => is(b"sec-fetch-dest") || is(b"sec-fetch-mode") || is(b"sec-fetch-site"),
        16 => is(b"x-requested-with"),
        25 => is(b"upgrade-insecure-requests"),
        _ => false,
    }
}

impl<'a> RequestContext<'a> {
    /// Reads the headers once.
    pub(crate) fn of(headers: Headers<'a>) -> Self {
        let mut context = Self::default();
        let (mut by_accept, mut mode) = (Destination::Unknown, Destination::Unknown);
        let (mut by_script, mut is_upgraded) = (false, false);
        let (mut origin, mut referer) = (None, None);
        for (name, value) in headers.iter() {
            let Some(value) = value else { continue };
            let is = |known: &[u8]| name.eq_ignore_ascii_case(known);
            match name.len() {
                6 if is(b"accept") => by_accept = destination_of_accept(value),
                6 if is(b"origin") => origin = host_of(value),
                7 if is(b"referer") => referer = host_of(value),
                14 if is(b"sec-fetch-dest") => context.destination = destination_of(value),
                14 if is(b"sec-fetch-mode") => match value {
                    b"navigate" => mode = Destination::Navigation,
                    b"websocket" => mode = Destination::Script,
                    _ => {}
                },
                14 if is(b"sec-fetch-site") => context.relation = relation_of(value),
                16 if is(b"x-requested-with") => {
                    by_script = value.eq_ignore_ascii_case(b"XMLHttpRequest");
                }
                25 if is(b"upgrade-insecure-requests") => is_upgraded = value == b"1",
                _ => {}
            }
        }
        if context.destination == Destination::Unknown {
            context.destination = if by_script {
                Destination::Script
            } else if mode != Destination::Unknown {
                mode
            } else if is_upgraded {
                Destination::Navigation
            } else {
                by_accept
            };
        }
        context.initiator = origin.or(referer);
        context
    }
}

/// The destination that `sec-fetch-dest` names (Fetch Metadata, 2.1).
fn destination_of(value: &[u8]) -> Destination {
    match value {
        b"" => Destination::Unknown,
        b"empty" => Destination::Script,
        b"document" => Destination::Document,
        b"iframe" | b"frame" | b"embed" | b"object" | b"fencedframe" => Destination::Frame,
        _ => Destination::Asset,
    }
}

/// The destination by the type that a client asks for first. Browsers ask for pages, images and stylesheets by their types.
fn destination_of_accept(value: &[u8]) -> Destination {
    let begins = |start: &[u8]| {
        value.get(..start.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(start))
    };
    if begins(b"text/html") {
        Destination::Navigation
    } else if begins(b"image/") || begins(b"text/css") || begins(b"video/") || begins(b"audio/") {
        Destination::Asset
    } else if begins(b"application/json") || begins(b"application/vnd.") {
        Destination::Script
    } else {
        Destination::Unknown
    }
}

fn relation_of(value: &[u8]) -> Option<SiteRelation> {
    match value {
        b"none" => Some(SiteRelation::User),
        b"same-origin" | b"same-site" => Some(SiteRelation::Same),
        b"cross-site" => Some(SiteRelation::Cross),
        _ => None,
    }
}

/// The host and port in the value of `Origin` or `Referer`; `None` for `null` and for other text.
fn host_of(value: &[u8]) -> Option<&[u8]> {
    let rest = value.strip_prefix(b"https://").or_else(|| value.strip_prefix(b"http://"))?;
    let end = memchr::memchr3(b'/', b'?', b'#', rest).unwrap_or(rest.len());
    let host = &rest[..end];
    (!host.is_empty() && !host.contains(&b'@')).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context<'a>(headers: &'a [(&'a str, &'a str)]) -> (Destination, Option<SiteRelation>) {
        let pairs: Vec<_> =
            headers.iter().map(|(name, value)| (name.as_bytes(), Some(value.as_bytes()))).collect();
        let context = RequestContext::of(Headers::new(&pairs));
        (context.destination, context.relation)
    }

    #[test]
    fn fetch_metadata_comes_before_other_signs() {
        let read = [
            ("Accept", "text/html,*/*"),
            ("Sec-Fetch-Dest", "empty"),
            ("Sec-Fetch-Site", "cross-site"),
        ];
        assert_eq!(context(&read), (Destination::Script, Some(SiteRelation::Cross)));
        assert_eq!(context(&[("sec-fetch-dest", "document")]).0, Destination::Document);
        assert_eq!(context(&[("sec-fetch-dest", "iframe")]).0, Destination::Frame);
        assert_eq!(context(&[("sec-fetch-dest", "font")]).0, Destination::Asset);
        assert_eq!(context(&[("sec-fetch-mode", "navigate")]).0, Destination::Navigation);
    }

    #[test]
    fn older_browsers_are_understood_by_what_they_ask_for() {
        assert_eq!(context(&[("accept", "image/webp,*/*")]).0, Destination::Asset);
        assert_eq!(context(&[("accept", "text/html,*/*")]).0, Destination::Navigation);
        assert_eq!(context(&[("accept", "*/*")]).0, Destination::Unknown);
        let script = [("accept", "text/html"), ("x-requested-with", "xmlhttprequest")];
        assert_eq!(context(&script).0, Destination::Script);
        // Android's web views name the application in every request.
        assert_eq!(context(&[("x-requested-with", "com.example")]).0, Destination::Unknown);
    }

    #[test]
    fn the_initiator_is_the_host_of_the_page() {
        let host = |name, value: &'static str| {
            let pairs = [(name, Some(value.as_bytes()))];
            RequestContext::of(Headers::new(&pairs)).initiator.map(<[u8]>::to_vec)
        };
        let page = "https://shop.example:8443/cart?x=1";
        assert_eq!(host(b"referer", page).as_deref(), Some(&b"shop.example:8443"[..]));
        assert_eq!(host(b"origin", "null"), None);
        assert_eq!(host(b"referer", "https://user@shop.example/"), None);
        assert!(is_browser_header(b"Sec-Fetch-Mode") && !is_browser_header(b"accept"));
    }
}
