//! Fields of access logs that are written as JSON, by the names that servers give them: Envoy, nginx, Kong, Caddy and Traefik.
//!
//! ```json
//! {"start_time":"2026-11-22T14:10:37Z","method":"GET","path":"/users/7","response_code":200,"authority":"api.example.com","duration":26}
//! {"time_iso8601":"2026-11-22T14:10:37Z","request_method":"GET","request_uri":"/users/7","status":200,"host":"api.example.com","request_time":"0.026"}
//! {"started_at":1700000000000,"request":{"method":"GET","uri":"/users/7","url":"https://api.example.com/users/7"},"response":{"status":200,"size":90},"latencies":{"request":26}}
//! {"ts":1700000000.5,"request":{"method":"GET","host":"api.example.com","uri":"/users/7"},"status":200,"size":90,"duration":0.026}
//! {"StartUTC":"2026-11-22T14:10:37Z","RequestMethod":"GET","RequestHost":"api.example.com","RequestPath":"/users/7","DownstreamStatus":200,"Duration":26000000}
//! ```

use crate::capture::access_log::{nanoseconds_of, url_of};
use crate::capture::fields::Text;
use crate::capture::json::{JsonError, JsonReader};
use crate::capture::time;

/// The fields of a line, which may have several names.
#[derive(Default)]
pub(super) struct LogFields<'a> {
    pub(super) method: Text<'a>,
    scheme: Text<'a>,
    host: Text<'a>,
    /// Path and query, or a URL.
    target: Text<'a>,
    pub(super) status: Text<'a>,
    pub(super) bytes: Text<'a>,
    pub(super) time: Text<'a>,
    /// Milliseconds, or seconds with a fraction.
    duration: Text<'a>,
    seconds: Text<'a>,
    nanoseconds: Text<'a>,
    milliseconds: Text<'a>,
}

impl<'a> LogFields<'a> {
    /// Reads the value of a key, if it is one of a log.
    pub(super) fn read(&mut self, key: &[u8], json: &mut JsonReader<'a>) -> Result<(), JsonError> {
        let place = match key {
            b"request_method" | b"RequestMethod" => &mut self.method,
            b"scheme" | b"RequestScheme" => &mut self.scheme,
            b"authority" | b"host" | b"http_host" | b"server_name" | b"RequestHost" => {
                &mut self.host
            }
            b"request" => {
                if let Some(line) = json.scalar()? {
                    self.read_request_line(&line);
                }
                return Ok(());
            }
            b"path" | b"uri" | b"request_uri" | b"RequestPath" => &mut self.target,
            b"response_code" | b"DownstreamStatus" => &mut self.status,
            b"bytes_sent" | b"body_bytes_sent" | b"size" | b"DownstreamContentSize" => {
                &mut self.bytes
            }
            b"start_time" | b"time_iso8601" | b"time_local" | b"started_at" | b"ts" | b"msec"
            | b"StartUTC" | b"@timestamp" | b"time" => &mut self.time,
            b"duration" => &mut self.duration,
            b"request_time" => &mut self.seconds,
            b"Duration" => &mut self.nanoseconds,
            b"latencies" => {
                return json.members(|key, json| {
                    if key == b"request" {
                        self.milliseconds = json.scalar()?;
                    }
                    Ok(())
                });
            }
            _ => return Ok(()),
        };
        // The first name wins: `host` before `server_name`, `request_uri` before `uri`, as nginx users list them.
        if let Some(value) = json.scalar()?
            && place.is_none()
            && !value.is_empty()
            && &*value != b"-"
        {
            *place = Some(value);
        }
        Ok(())
    }

    /// Reads method and target of a request line, as nginx's `$request`: `GET /users/7 HTTP/1.1`.
    fn read_request_line(&mut self, line: &[u8]) {
        let mut words = line.split(|byte| *byte == b' ').map(|word| word.to_vec().into());
        for place in [&mut self.method, &mut self.target] {
            let word = words.next();
            if place.is_none() {
                *place = word;
            }
        }
    }

    /// Returns `true` if there is a path or a URL.
    pub(super) fn has_target(&self) -> bool {
        let is_target = |target: &[u8]| target.starts_with(b"/") || target.starts_with(b"http");
        self.target.as_deref().is_some_and(is_target)
    }

    /// The URL. `log_host` is the host of lines that do not name one.
    pub(super) fn url(&self, log_host: &str) -> Option<Vec<u8>> {
        let target = self.target.as_deref().filter(|_| self.has_target())?;
        if !target.starts_with(b"/") {
            return Some(target.to_vec());
        }
        let host = self.host.as_deref().unwrap_or(log_host.as_bytes());
        Some(url_of(host, self.scheme.as_deref(), target))
    }

    /// In nanoseconds.
    pub(super) fn duration(&self) -> Option<u64> {
        if let Some(nanoseconds) = &self.nanoseconds {
            return std::str::from_utf8(nanoseconds).ok()?.parse().ok();
        }
        if let Some(seconds) = &self.seconds {
            return nanoseconds_of(seconds);
        }
        match self.duration.as_deref() {
            Some(seconds) if seconds.contains(&b'.') => nanoseconds_of(seconds),
            Some(milliseconds) => time::milliseconds(milliseconds),
            None => self.milliseconds.as_deref().and_then(time::milliseconds),
        }
    }
}
