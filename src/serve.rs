//! A page served to browsers on this machine: the page itself, and an event whenever there is a newer one.

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Channel, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONTENT_TYPE, HOST, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// The most connections at once; more wait.
const MAX_CONNECTIONS: usize = 256;

/// The most browsers that wait for events at once; more are told to come back, so that the page itself is always answered.
const MAX_EVENT_STREAMS: usize = 32;

/// Time in which the head of a request must have come.
const MAX_HEAD_TIME: Duration = Duration::from_secs(5);

/// Time after which a browser that waits is sent a comment, by which connections that are gone are noticed.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// The body of an answer.
pub(crate) type AnswerBody = BoxBody<Bytes, Infallible>;

/// Serves the newest version of a page until the process ends.
///
/// `GET /` is the page, and `GET /events` a stream of server-sent events, one for each version. Nothing else is answered, nothing
/// can be changed, and a request whose `Host` is not the address of the server is refused, so that no page of another site
/// can read it by giving its name our address (DNS rebinding).
#[derive(Debug)]
pub(crate) struct PageServer {
    page: watch::Sender<Bytes>,
    address: SocketAddr,
}

impl PageServer {
    /// Listens on an address of this machine and serves a first page from a thread.
    ///
    /// # Errors
    ///
    /// Fails if the address is not a loopback address or cannot be listened on.
    pub(crate) fn start(address: SocketAddr, page: Vec<u8>) -> io::Result<Self> {
        if !address.ip().is_loopback() {
            let why = "a page is served to this machine alone; give a loopback address, as in 127.0.0.1:0";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let (sender, receiver) = watch::channel(Bytes::from(page));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        thread::Builder::new().name("page".to_owned()).spawn(move || {
            let streams = Arc::new(Semaphore::new(MAX_EVENT_STREAMS));
            let site = Site { address, page: receiver, streams };
            runtime.block_on(accept(listener, MAX_CONNECTIONS, MAX_HEAD_TIME, move |request| {
                std::future::ready(answer(&request, &site))
            }));
        })?;
        Ok(Self { page: sender, address })
    }

    /// The address, with the port that was given.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Replaces the page, and tells the browsers that show it.
    pub(crate) fn replace(&self, page: Vec<u8>) {
        self.page.send_replace(Bytes::from(page));
    }
}

/// The state that all connections to a served page share.
#[derive(Clone)]
struct Site {
    address: SocketAddr,
    page: watch::Receiver<Bytes>,
    /// A permit for each stream of events.
    streams: Arc<Semaphore>,
}

/// Accepts connections, each of which is served by a task.
pub(crate) async fn accept<Answer: Future<Output = Response<AnswerBody>> + Send + 'static>(
    listener: TcpListener,
    max_connections: usize,
    max_head_time: Duration,
    answer: impl Fn(Request<Incoming>) -> Answer + Clone + Send + Sync + 'static,
) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    let connections = Arc::new(Semaphore::new(max_connections));
    loop {
        let Ok(permit) = Arc::clone(&connections).acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            // Too many files are open, for one; others are closed in the meantime.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        // Answers are small and waited for; without that, the next packet would wait for an acknowledgement.
        stream.set_nodelay(true).unwrap_or_default();
        let answer = answer.clone();
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let answer = answer(request);
                async move { Ok::<_, Infallible>(answer.await) }
            });
            let served = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(max_head_time)
                .serve_connection(TokioIo::new(stream), service)
                .await;
            // A connection that breaks is the client's matter.
            drop((served, permit));
        });
    }
}

fn answer(request: &Request<Incoming>, site: &Site) -> Response<AnswerBody> {
    if !is_own_host(request, site.address) {
        return refusal(StatusCode::FORBIDDEN, "the host is not the address of this page\n");
    }
    if request.method() != Method::GET && request.method() != Method::HEAD {
        let mut refused = refusal(StatusCode::METHOD_NOT_ALLOWED, "this page can only be read\n");
        refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refused;
    }
    match request.uri().path() {
        "/" => {
            let body = Full::new(site.page.borrow().clone()).boxed();
            response(StatusCode::OK, "text/html; charset=utf-8", body)
        }
        "/events" if request.method() == Method::GET && is_own_page(request) => {
            match Arc::clone(&site.streams).try_acquire_owned() {
                Ok(permit) => {
                    let body = events(site.page.clone(), permit);
                    response(StatusCode::OK, "text/event-stream", body)
                }
                Err(_) => refusal(StatusCode::SERVICE_UNAVAILABLE, "too many browsers wait\n"),
            }
        }
        _ => refusal(StatusCode::NOT_FOUND, "there is nothing here but the page at /\n"),
    }
}

/// A stream with an event for each version of the page after the one that is there. It holds a permit until the browser is gone.
fn events(mut page: watch::Receiver<Bytes>, permit: OwnedSemaphorePermit) -> AnswerBody {
    let (mut sender, body) = Channel::<Bytes, Infallible>::new(1);
    page.mark_unchanged();
    tokio::spawn(async move {
        let _permit = permit;
        let mut text: &'static [u8] = b"retry: 2000\n\n";
        loop {
            if sender.send_data(Bytes::from_static(text)).await.is_err() {
                return;
            }
            text = match tokio::time::timeout(HEARTBEAT, page.changed()).await {
                Ok(Ok(())) => b"data: new\n\n",
                Ok(Err(_)) => return,
                Err(_) => b": still here\n\n",
            };
        }
    });
    body.boxed()
}

/// True if the one `Host`, and the target if it names a host, is the address itself or `localhost` with its port.
fn is_own_host(request: &Request<Incoming>, address: SocketAddr) -> bool {
    let is_own = |host: &str| {
        // Browsers leave out the port that is usual.
        let host = if address.port() == 80 && !host.ends_with(":80") {
            format!("{host}:80")
        } else {
            host.to_owned()
        };
        host == address.to_string()
            || host.eq_ignore_ascii_case(&format!("localhost:{}", address.port()))
    };
    let mut hosts = request.headers().get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
    host.to_str().is_ok_and(is_own)
        && request.uri().authority().is_none_or(|authority| is_own(authority.as_str()))
}

/// False if a browser says that a page of another origin asks (Fetch Metadata).
fn is_own_page(request: &Request<Incoming>) -> bool {
    let site = request.headers().get("sec-fetch-site");
    site.is_none_or(|site| site == "same-origin" || site == "none")
}

fn refusal(status: StatusCode, why: &'static str) -> Response<AnswerBody> {
    response(
        status,
        "text/plain; charset=utf-8",
        Full::new(Bytes::from_static(why.as_bytes())).boxed(),
    )
}

/// An answer with the headers that keep other pages away from it.
pub(crate) fn response(
    status: StatusCode,
    content_type: &'static str,
    body: AnswerBody,
) -> Response<AnswerBody> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
    response
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::TcpStream;

    use super::*;

    fn server() -> PageServer {
        PageServer::start("127.0.0.1:0".parse().unwrap(), b"<p>one</p>".to_vec()).unwrap()
    }

    fn asked(server: &PageServer, head: &str) -> String {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        let head = head.replace("ADDRESS", &server.address().to_string());
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn the_page_is_read_by_its_own_address_and_by_nothing_else() {
        let server = server();
        let get = |rest: &str| asked(&server, &format!("GET {rest}\r\nConnection: close\r\n\r\n"));
        let page = get("/ HTTP/1.1\r\nHost: ADDRESS");
        assert!(page.starts_with("HTTP/1.1 200") && page.ends_with("<p>one</p>"), "{page}");
        let local = format!("/ HTTP/1.1\r\nHost: localhost:{}", server.address().port());
        assert!(get(&local).starts_with("HTTP/1.1 200"));
        for host in
            ["evil.example", "127.0.0.1", "localhost", "localhost:1", "ADDRESS.evil.example"]
        {
            let answer = get(&format!("/ HTTP/1.1\r\nHost: {host}"));
            assert!(answer.starts_with("HTTP/1.1 403"), "{host}: {answer}");
        }
        assert!(get("/ HTTP/1.0").starts_with("HTTP/1.0 403"));
        let foreign = get("http://evil.example/ HTTP/1.1\r\nHost: ADDRESS");
        assert!(foreign.starts_with("HTTP/1.1 403"), "{foreign}");
        let twice = get("/ HTTP/1.1\r\nHost: ADDRESS\r\nHost: evil.example");
        assert!(twice.starts_with("HTTP/1.1 403") || twice.starts_with("HTTP/1.1 400"), "{twice}");
        let other = get("/events HTTP/1.1\r\nHost: ADDRESS\r\nSec-Fetch-Site: same-site");
        assert!(other.starts_with("HTTP/1.1 404"), "{other}");
        assert!(get("/other HTTP/1.1\r\nHost: ADDRESS").starts_with("HTTP/1.1 404"));
        let post =
            "POST / HTTP/1.1\r\nHost: ADDRESS\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
        assert!(asked(&server, post).starts_with("HTTP/1.1 405"));
    }

    #[test]
    fn browsers_are_told_of_every_new_page() {
        let server = server();
        let mut stream = TcpStream::connect(server.address()).unwrap();
        let head = format!("GET /events HTTP/1.1\r\nHost: {}\r\n\r\n", server.address());
        stream.write_all(head.as_bytes()).unwrap();
        let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
        assert!(lines.any(|line| line == "retry: 2000"));
        for text in ["two", "three"] {
            server.replace(text.as_bytes().to_vec());
            assert!(lines.any(|line| line == "data: new"));
            let page = "GET / HTTP/1.1\r\nHost: ADDRESS\r\nConnection: close\r\n\r\n";
            assert!(asked(&server, page).ends_with(text));
        }
    }

    #[test]
    fn browsers_that_wait_do_not_keep_others_from_the_page() {
        let server = server();
        let head = format!("GET /events HTTP/1.1\r\nHost: {}\r\n\r\n", server.address());
        let waiting: Vec<TcpStream> = (0..2 * MAX_EVENT_STREAMS)
            .map(|_| {
                let mut stream = TcpStream::connect(server.address()).unwrap();
                stream.write_all(head.as_bytes()).unwrap();
                stream
            })
            .collect();
        let statuses = waiting.iter().map(|stream| {
            let mut line = String::new();
            BufReader::new(stream).read_line(&mut line).unwrap();
            line.split(' ').nth(1).unwrap().to_owned()
        });
        let told = statuses.filter(|status| status == "503").count();
        assert_eq!(told, MAX_EVENT_STREAMS);
        let page = asked(&server, "GET / HTTP/1.1\r\nHost: ADDRESS\r\nConnection: close\r\n\r\n");
        assert!(page.ends_with("<p>one</p>"), "{page}");
    }

    #[test]
    fn other_machines_are_not_served() {
        let error = PageServer::start("0.0.0.0:0".parse().unwrap(), Vec::new()).unwrap_err();
        assert!(error.to_string().contains("loopback"), "{error}");
    }
}
