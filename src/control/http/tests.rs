//! The pages asked over real connections on this host, by hand-written requests.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Mutex;
use std::time::Duration;

use tokio::sync::mpsc;

use super::*;
use crate::control::{Call, Row, Status};

const TOKEN: &str = "0123456789abcdef";

/// Pages whose calls are answered here, for as long as it lives.
struct Served {
    at: SocketAddr,
    asked: Arc<Mutex<Vec<Request>>>,
    metrics: crate::metrics::Metrics,
    stop: CancellationToken,
    _runtime: tokio::runtime::Runtime,
}

fn access(is_local: bool) -> Access {
    Access { is_local, token: Some(TOKEN.to_owned()), ..Access::default() }
}

/// What is answered to each request.
fn answer(request: &Request) -> Reply {
    match request {
        Request::Status => Reply::Status(Box::new(Status { pid: 7, ..Status::default() })),
        Request::List(listing) => {
            let reason = listing.reason.clone().unwrap_or_default();
            let row = Row { reason, ..row() };
            Reply::Listed { decisions: vec![row], total: 1, others: 0 }
        }
        Request::Why { target } => {
            let target = target.clone();
            Reply::Why(Box::new(crate::control::Why { target, ..Default::default() }))
        }
        Request::Coverage(asked) => {
            let program = if asked.examples { "with examples" } else { "without" };
            let coverage =
                crate::control::Coverage { program: program.into(), ..Default::default() };
            Reply::Coverage { programs: vec![coverage] }
        }
        _ => panic!("the pages ask nothing else: {request:?}"),
    }
}

fn row() -> Row {
    Row {
        id: 1,
        target: "203.0.113.7".into(),
        family: "ipv4".into(),
        action: "ban".into(),
        origin: "manual".into(),
        reason: String::new(),
        created_at: String::new(),
        until: String::new(),
        remaining_seconds: 60,
        events: 0,
        limited: None,
    }
}

impl Served {
    fn new(access: Access, problems: &[&str]) -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let at = listener.local_addr().unwrap();
        let (judge, mut for_judge) = mpsc::channel::<Call>(1);
        let (daemon, mut for_daemon) = mpsc::channel::<Call>(1);
        let asked = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&asked);
        runtime.spawn(async move {
            loop {
                let call = tokio::select! {
                    Some(call) = for_judge.recv() => call,
                    Some(call) = for_daemon.recv() => call,
                    else => return,
                };
                noted.lock().unwrap().push(call.request.clone());
                let _ = call.reply.send(answer(&call.request));
            }
        });
        let metrics = crate::metrics::Metrics::default();
        let problems: Vec<String> = problems.iter().map(|&problem| problem.to_owned()).collect();
        let pages = Pages {
            metrics: Arc::new(|| "weir_x_total 1\n# EOF\n".to_owned()),
            readiness: Arc::new(move || Readiness {
                problems: problems.clone(),
                remarks: vec!["observe mode".to_owned()],
            }),
            calls: Calls { judge, daemon },
            access,
            counted: metrics.pages.clone(),
        };
        let stop = CancellationToken::new();
        runtime.spawn(run(listener, None, pages, stop.clone()));
        Self { at, asked, metrics, stop, _runtime: runtime }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.at).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }

    /// Sends a request as it is, and gives all that comes back.
    fn say(&self, request: &str) -> String {
        let mut stream = self.connect();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn get(&self, path: &str, more: &str) -> String {
        self.say(&format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\n{more}Connection: close\r\n\r\n"
        ))
    }

    #[track_caller]
    fn check(&self, path: &str, more: &str, status: u16, contains: &str) -> String {
        let answer = self.get(path, more);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{path}: {answer}");
        assert!(answer.contains(contains), "{path}: {answer}");
        answer
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

const BEARER: &str = "Authorization: Bearer 0123456789abcdef\r\n";

#[test]
fn each_page_says_what_it_should() {
    let served = Served::new(access(true), &[]);
    let open = "Accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5\r\n";
    served.check("/metrics", open, 200, "application/openmetrics-text");
    served.check("/metrics", open, 200, "weir_x_total 1\n# EOF\n");
    served.check("/metrics", "", 200, "text/plain; version=0.0.4");
    served.check("/metrics", "", 200, "weir_x_total 1");
    served.check("/-/healthy", "", 200, "healthy");
    served.check("/-/ready", "", 200, "ready\nobserve mode\n");
    served.check("/", "", 200, "text/html");
    served.check("/page.css", "", 200, "text/css");
    served.check("/page.js", "", 200, "text/javascript");
    served.check("/icon.svg", "", 200, "image/svg+xml");
    served.check("/nothing", "", 404, "");
    served.check("/api/nothing", "", 404, "");
    let troubled = Served::new(access(true), &["the kernel says <no>"]);
    troubled.check("/-/ready", "", 503, "the kernel says <no>");
    troubled.check("/-/healthy", "", 200, "healthy");
}

#[test]
fn only_reading_is_served() {
    let served = Served::new(access(true), &[]);
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"] {
        for path in ["/", "/metrics", "/api/status", "/api/why?target=192.0.2.1"] {
            let answer = served.say(&format!(
                "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\
                 Connection: close\r\n\r\n"
            ));
            assert!(answer.starts_with("HTTP/1.1 405 "), "{method} {path}: {answer}");
        }
    }
    assert_eq!(*served.asked.lock().unwrap(), []);
}

#[test]
fn every_answer_tells_browsers_what_they_may_do() {
    let served = Served::new(access(true), &[]);
    for (path, status) in
        [("/", 200), ("/api/status", 200), ("/api/why?target=x", 403), ("/x", 404)]
    {
        let answer = served.check(path, "", status, "x-content-type-options: nosniff");
        let policy = answer.lines().find_map(|line| line.strip_prefix("content-security-policy: "));
        let policy = policy.expect("a policy");
        assert!(policy.starts_with("default-src 'none';"), "{policy}");
        assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
        for header in [
            "referrer-policy: no-referrer",
            "cross-origin-resource-policy: same-origin",
            "cross-origin-opener-policy: same-origin",
            "x-frame-options: DENY",
            "cache-control: no-store",
        ] {
            assert!(answer.contains(header), "{path} lacks {header}: {answer}");
        }
        assert!(!answer.contains("access-control-"), "{answer}");
    }
}

#[test]
fn requests_are_answered_as_at_the_socket() {
    let served = Served::new(access(true), &[]);
    served.check("/api/status", "", 200, r#"{"reply":"status","#);
    served.check("/api/status", "", 200, r#""pid":7"#);
    served.check("/api/sight", "", 200, r#"{"lines":false}"#);
    served.check("/api/sight", BEARER, 200, r#"{"lines":true}"#);
    served.check("/api/decisions", "", 200, r#"{"reply":"listed","decisions":[{"id":1,"#);
    served.check("/api/decisions?search=ssh%20bf", "", 200, r#""reason":"ssh bf""#);
    served.check("/api/decisions?limit=a", "", 400, r#""kind":"usage""#);
    served.check("/api/decisions?hug=1", "", 400, r#""kind":"usage""#);
    served.check("/api/why?target=192.0.2.7", BEARER, 200, r#""target":"192.0.2.7""#);
    served.check("/api/why", BEARER, 400, r#""kind":"usage""#);
    let listing =
        "/api/decisions?search=2001:db8&newest=true&before=9&limit=9999&origin=&action=ban";
    served.check(listing, "", 200, "");
    let asked = served.asked.lock().unwrap();
    let Some(Request::List(listing)) = asked.last() else { panic!("{asked:?}") };
    assert_eq!(listing.target.as_deref(), Some("2001:db8::/32"));
    assert_eq!((listing.reason.as_deref(), listing.origin.as_deref()), (None, None));
    assert_eq!((listing.before, listing.newest, listing.limit), (Some(9), true, Some(200)));
}

#[test]
fn log_lines_are_for_those_who_have_the_token() {
    let here = Served::new(access(true), &[]);
    here.check("/api/why?target=192.0.2.7", "", 403, "weir page");
    here.check("/api/coverage", "", 200, "without");
    here.check("/api/coverage", BEARER, 200, "with examples");
    let wrong = "Authorization: Bearer 0123456789abcdeX\r\n";
    let refused = here.check("/api/coverage", wrong, 401, "www-authenticate: Bearer");
    assert!(!refused.contains("Basic"), "the page asks by itself: {refused}");
    assert!(!here.asked.lock().unwrap().iter().any(|asked| matches!(asked, Request::Why { .. })));
    let open = Served::new(Access { shows_lines: true, ..access(true) }, &[]);
    open.check("/api/why?target=192.0.2.7", "", 200, "192.0.2.7");
}

#[test]
fn elsewhere_everything_but_health_takes_the_token() {
    let served = Served::new(access(false), &[]);
    served.check("/-/healthy", "", 200, "healthy");
    for path in ["/", "/page.js", "/metrics", "/-/ready", "/api/status", "/api/events", "/nothing"]
    {
        let refused = served.check(path, "", 401, "www-authenticate: Basic");
        assert!(!refused.contains("weir_x_total"), "{refused}");
    }
    served.check("/metrics", BEARER, 200, "weir_x_total 1");
    // `prometheus:0123456789abcdef`
    let basic = "Authorization: Basic cHJvbWV0aGV1czowMTIzNDU2Nzg5YWJjZGVm\r\n";
    served.check("/metrics", basic, 200, "weir_x_total 1");
    served.check("/api/why?target=192.0.2.7", basic, 200, "192.0.2.7");
    assert!(
        crate::metrics::exposition(&served.metrics.registry())
            .contains("weir_http_refused_total{reason=\"token\"} 7\n")
    );
}

#[test]
fn other_names_and_other_sites_see_nothing() {
    let served = Served::new(access(true), &[]);
    let rebound = "GET /metrics HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n";
    let answer = served.say(rebound);
    assert!(answer.starts_with("HTTP/1.1 421 ") && !answer.contains("weir_x_total"), "{answer}");
    served.check("/api/status", "Sec-Fetch-Site: cross-site\r\n", 403, "another site");
    served.check("/api/status", "Sec-Fetch-Site: same-origin\r\n", 200, "status");
    assert_eq!(served.asked.lock().unwrap().len(), 1);
}

#[test]
fn headers_are_bounded() {
    let served = Served::new(access(true), &[]);
    let long = format!("X: {}\r\n", "x".repeat(64 * 1024));
    served.check("/", &long, 431, "");
    served.check("/", &"X: y\r\n".repeat(200), 431, "");
}

#[test]
fn nothing_is_asked_unless_somebody_listens() {
    let served = Served::new(access(true), &[]);
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(*served.asked.lock().unwrap(), []);
    let mut stream = served.connect();
    stream.write_all(b"GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut heard = String::new();
    while heard.matches("event: status\ndata: {").count() < 2 {
        let mut bytes = [0; 4096];
        let read = stream.read(&mut bytes).unwrap();
        assert_ne!(read, 0, "{heard}");
        heard.push_str(std::str::from_utf8(&bytes[..read]).unwrap());
    }
    assert!(heard.contains("text/event-stream"), "{heard}");
    assert_eq!(served.metrics.pages.listening(), 1);
    served.stop.cancel();
    // The daemon does not wait for whoever listens.
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    assert_eq!(served.metrics.pages.listening(), 0);
}

/// Connections that ask nothing, a sender's many, do not keep out who asks.
#[test]
fn a_crowd_that_asks_nothing_makes_room() {
    let served = Served::new(access(true), &[]);
    let crowd: Vec<TcpStream> = (0..300).map(|_| served.connect()).collect();
    served.check("/-/healthy", "", 200, "healthy");
    let mut first = &crowd[0];
    assert_eq!(first.read(&mut [0; 1]).unwrap_or(0), 0, "the oldest had to go");
}
