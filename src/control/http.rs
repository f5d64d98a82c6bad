//! The pages over HTTP: metrics, health, readiness, and a landing page that leads to them.
//!
//! Read-only: nothing that changes a decision is served here. What the pages show is asked of
//! the two functions in [`Pages`], which must not wait for anything.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Whether the daemon does its work, in words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Readiness {
    /// What keeps it from its work; empty when it is ready.
    pub problems: Vec<String>,
    /// What an operator should know though the daemon works, such as observe mode.
    pub remarks: Vec<String>,
}

/// What the pages show.
#[derive(Clone)]
pub struct Pages {
    /// The exposition of all metrics.
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
    /// Whether the daemon does its work.
    pub readiness: Arc<dyn Fn() -> Readiness + Send + Sync>,
}

/// Serves the pages until `stop` is cancelled.
///
/// # Errors
/// When accepting connections fails for good.
pub async fn run(
    listener: TcpListener,
    pages: Pages,
    stop: CancellationToken,
) -> std::io::Result<()> {
    axum::serve(listener, router(pages)).with_graceful_shutdown(stop.cancelled_owned()).await
}

fn router(pages: Pages) -> Router {
    Router::new()
        .route("/", get(landing))
        .route("/metrics", get(metrics))
        .route("/-/healthy", get(|| async { "healthy\n" }))
        .route("/-/ready", get(ready))
        .with_state(pages)
}

async fn metrics(State(pages): State<Pages>) -> Response {
    const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, OPEN_METRICS)], (pages.metrics)()).into_response()
}

async fn ready(State(pages): State<Pages>) -> Response {
    let readiness = (pages.readiness)();
    if readiness.problems.is_empty() {
        let mut text = "ready\n".to_owned();
        for remark in readiness.remarks {
            text.push_str(&remark);
            text.push('\n');
        }
        return text.into_response();
    }
    let text = readiness.problems.join("\n") + "\n";
    (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
}

async fn landing(State(pages): State<Pages>) -> Html<String> {
    let readiness = (pages.readiness)();
    let state = if readiness.problems.is_empty() { "Ready." } else { "Not ready:" };
    let mut said = String::new();
    for line in readiness.problems.iter().chain(&readiness.remarks) {
        said.push_str("<li>");
        said.push_str(&escaped(line));
        said.push_str("</li>");
    }
    Html(format!(
        "<!doctype html>\n\
         <html lang=\"en\"><head><meta charset=\"utf-8\"><title>Weir</title>\n\
         <style>body{{font:16px/1.5 system-ui,sans-serif;max-width:40rem;margin:3rem auto;padding:0 1rem}}\
         code{{background:#eee;padding:.1em .3em}}</style></head>\n\
         <body><h1>Weir {version}</h1>\n\
         <p>{state}</p><ul>{said}</ul>\n\
         <ul><li><a href=\"/metrics\">Metrics</a></li>\n\
         <li><a href=\"/-/healthy\">Health</a></li>\n\
         <li><a href=\"/-/ready\">Readiness</a></li></ul>\n\
         <p>On this host: <code>weir status</code>, <code>weir list</code>, <code>weir explain</code>.</p>\n\
         </body></html>\n",
        version = env!("CARGO_PKG_VERSION"),
    ))
}

/// Text as HTML shows it.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    fn pages(problems: Vec<String>) -> Pages {
        Pages {
            metrics: Arc::new(|| "weir_x_total 1\n# EOF\n".to_owned()),
            readiness: Arc::new(move || Readiness {
                problems: problems.clone(),
                remarks: vec!["observe mode".to_owned()],
            }),
        }
    }

    fn fetch(pages: Pages, path: &str) -> String {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let stop = CancellationToken::new();
            let client = async {
                let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
                let request =
                    format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
                stream.write_all(request.as_bytes()).await.unwrap();
                let mut answer = String::new();
                stream.read_to_string(&mut answer).await.unwrap();
                stop.cancel();
                answer
            };
            let (served, answer) = tokio::join!(run(listener, pages, stop.clone()), client);
            served.unwrap();
            answer
        })
    }

    #[track_caller]
    fn check(problems: &[&str], path: &str, status: &str, contains: &str) {
        let problems = problems.iter().map(|&problem| problem.to_owned()).collect();
        let answer = fetch(pages(problems), path);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
        assert!(answer.contains(contains), "{answer}");
    }

    #[test]
    fn each_page_says_what_it_should() {
        check(&[], "/metrics", "200", "application/openmetrics-text");
        check(&[], "/metrics", "200", "weir_x_total 1");
        check(&["broken"], "/-/healthy", "200", "healthy");
        check(&[], "/-/ready", "200", "ready\nobserve mode\n");
        check(&["the kernel says <no>"], "/-/ready", "503", "the kernel says <no>");
        check(&["the kernel says <no>"], "/", "200", "the kernel says &lt;no&gt;");
        check(&[], "/nothing", "404", "");
    }
}
