//! Noise: traffic without information about an API, which users can leave out.

use crate::flow::Flow;
use crate::flow::media_type::{MediaKind, media_type};
use crate::flow::trackers::is_tracker;
use crate::skip::SkipReason;

/// A kind of noise that can be left out of an analysis. Nothing is left out unless requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Noise {
    /// Files of a web page: style sheets, scripts, fonts, images, videos and sounds, by the ending of the path or the content
    /// type.
    Static,
    /// CORS preflights, which a browser sends before the request: they have an `Access-Control-Request-Method` (Fetch standard,
    /// 3.2.2).
    Preflight,
    /// Hosts of analytics, crash reports and advertising, and paths to which their scripts post on
    /// any host.
    Telemetry,
    /// Endpoints that answered only with 404, as for guessed or scanned paths.
    ErrorsOnly404,
}

impl Noise {
    /// The noise to which this flow belongs, among `kinds`. [`Noise::ErrorsOnly404`] is never
    /// returned, because one flow does not suffice to detect it.
    pub(crate) fn of(flow: &Flow<'_>, kinds: &[Self]) -> Option<SkipReason> {
        kinds.iter().find_map(|kind| match kind {
            Self::Static => is_static(flow).then_some(SkipReason::Static),
            Self::Preflight => is_preflight(flow).then_some(SkipReason::Preflight),
            Self::Telemetry => is_telemetry(flow).then_some(SkipReason::Telemetry),
            Self::ErrorsOnly404 => None,
        })
    }
}

const ENDINGS: [&[u8]; 28] = [
    b"css",
    b"js",
    b"mjs",
    b"cjs",
    b"map",
    b"png",
    b"jpg",
    b"jpeg",
    b"gif",
    b"svg",
    b"ico",
    b"webp",
    b"avif",
    b"bmp",
    b"cur",
    b"woff",
    b"woff2",
    b"ttf",
    b"otf",
    b"eot",
    b"mp4",
    b"webm",
    b"mp3",
    b"ogg",
    b"wav",
    b"m4s",
    b"wasm",
    b"webmanifest",
];

fn is_static(flow: &Flow<'_>) -> bool {
    if !flow.method.eq_ignore_ascii_case(b"GET") && !flow.method.eq_ignore_ascii_case(b"HEAD") {
        return false;
    }
    if has_static_ending(flow.path()) {
        return true;
    }
    let content_type = flow.response.as_ref().and_then(|response| response.content_type());
    let media_type = content_type.and_then(media_type);
    media_type
        .is_some_and(|name| MediaKind::of(&String::from_utf8_lossy(&name)) == MediaKind::Asset)
}

/// Returns `true` if the last segment of a path has the ending of an asset.
pub(crate) fn has_static_ending(path: &[u8]) -> bool {
    let name = memchr::memrchr(b'/', path).map_or(path, |slash| &path[slash + 1..]);
    memchr::memrchr(b'.', name).is_some_and(|dot| {
        ENDINGS.iter().any(|ending| name[dot + 1..].eq_ignore_ascii_case(ending))
    })
}

/// Returns `true` for a CORS preflight, which names the method of the request that follows. A bare OPTIONS
/// is one whose headers were not recorded.
pub(crate) fn is_preflight(flow: &Flow<'_>) -> bool {
    let headers = flow.request_headers;
    headers.get(b"access-control-request-method").is_some()
        || (flow.method.eq_ignore_ascii_case(b"OPTIONS") && headers.iter().next().is_none())
}

/// Paths on the site's own host to which widely used scripts post.
const PATHS: [&[u8]; 9] = [
    b"/cdn-cgi/rum",
    b"/cdn-cgi/challenge-platform/",
    b"/_vercel/insights/",
    b"/_vercel/speed-insights/",
    b"/g/collect",
    b"/j/collect",
    b"/r/collect",
    b"/csp-report",
    b"/.well-known/rum",
];

fn is_telemetry(flow: &Flow<'_>) -> bool {
    is_tracker(&flow.host.to_ascii_lowercase())
        || PATHS.iter().any(|path| flow.path().starts_with(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::{Headers, Response};

    #[test]
    fn noise_is_told_from_calls() {
        let all = [Noise::Static, Noise::Preflight, Noise::Telemetry, Noise::ErrorsOnly404];
        let of = |method: &str, url: &str| Noise::of(&Flow::new(method, url).expect(url), &all);
        for url in ["https://h/app.JS?v=1", "https://h/a/b.woff2", "https://h/favicon.ico"] {
            assert_eq!(of("GET", url), Some(SkipReason::Static), "{url}");
        }
        for url in ["https://h/users/1.json", "https://h/js", "https://h/", "https://h/a.js/b"] {
            assert_eq!(of("GET", url), None, "{url}");
        }
        assert_eq!(of("POST", "https://h/app.js"), None);
        assert_eq!(of("OPTIONS", "https://h/users"), Some(SkipReason::Preflight));
        for url in [
            "https://www.Google-Analytics.com/x",
            "https://o1.ingest.sentry.io/api/1/envelope/",
            "https://h/cdn-cgi/rum?",
        ] {
            assert_eq!(of("POST", url), Some(SkipReason::Telemetry), "{url}");
        }
        assert_eq!(of("POST", "https://notsegment.io/x"), None);

        let mut flow = Flow::new("OPTIONS", "https://h/users").expect("an URL");
        flow.request_headers = Headers::new(&[(b"accept", None)]);
        assert_eq!(Noise::of(&flow, &all), None, "a client that asks what is allowed");
        let mut flow = Flow::new("GET", "https://h/theme").expect("an URL");
        flow.response =
            Some(Response { content_type: Some(b"Text/CSS; charset=x"), ..Response::default() });
        assert_eq!(Noise::of(&flow, &all), Some(SkipReason::Static));
        assert_eq!(Noise::of(&flow, &[]), None);
    }
}
