// SPDX-License-Identifier: MPL-2.0
//! A page for browsers, each of which is a viewer like any other.

mod browser;
mod listen;

use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use axum::Router;
use axum::extract::ws::{Utf8Bytes, WebSocketUpgrade};
use axum::extract::{ConnectInfo, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::serve::ListenerExt;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::watch;

use super::cli::Cli;
use super::reachable;
use super::server::Server;
use super::viewers::{HEAD, Viewer};
pub use browser::Named;
use browser::{Names, Sink};

const FILES: [(&str, &str, &str); 4] = [
    ("/", "text/html; charset=utf-8", include_str!("page.html")),
    (
        "/page.css",
        "text/css; charset=utf-8",
        include_str!("page.css"),
    ),
    (
        "/page.js",
        "text/javascript; charset=utf-8",
        include_str!("page.js"),
    ),
    ("/icon.svg", "image/svg+xml", include_str!("icon.svg")),
];
/// Nothing from elsewhere, and nothing that stands within the page itself.
const CONTENT_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
#[cfg(any(target_os = "linux", target_os = "android"))]
const UNSENT_LIMIT: u32 = 64 * 1024;
/// A page has little to say.
const MESSAGE_LIMIT: usize = 1024;

pub struct Web {
    host: String,
    port: u16,
    table: watch::Sender<Utf8Bytes>,
    names: Names,
    /// Its tasks go with it.
    _runtime: Runtime,
}

impl Web {
    /// Shows what the server serves.
    pub fn open(cli: &Cli, port: u16, server: &Server) -> Result<Self, Box<dyn Error>> {
        let runtime = runtime()?;
        let listeners = runtime
            .block_on(async { listen::bind_all(&cli.web_host, port) })
            .map_err(|error| format!("no web page at {} port {port}: {error}", cli.web_host))?;
        let addresses = listeners
            .iter()
            .map(TcpListener::local_addr)
            .collect::<Result<Vec<_>, _>>()?;
        let table = watch::Sender::new(table(&[]));
        let names = Names::default();
        let stage = Stage {
            sink: Sink::new(&server.host(), server.port(), names.clone())?,
            is_local: addresses.iter().all(|address| address.ip().is_loopback()),
            patience: cli.timeout,
            table: table.clone(),
        };
        for listener in listeners {
            runtime.spawn(serve(listener, router(stage.clone())));
        }
        Ok(Self {
            host: reachable(&cli.web_host),
            port: addresses.first().map_or(port, SocketAddr::port),
            table,
            names,
            _runtime: runtime,
        })
    }

    /// Where to find the page.
    pub fn address(&self) -> String {
        if self.host.contains(':') {
            format!("http://[{}]:{}/", self.host, self.port)
        } else {
            format!("http://{}:{}/", self.host, self.port)
        }
    }

    /// Whom the sink knows by this address, if it is a browser.
    pub fn browser(&self, address: &str) -> Option<Named> {
        self.names.get(address)
    }

    pub fn show(&self, viewers: &[Viewer]) {
        self.table.send_replace(table(viewers));
    }
}

/// One thread: pictures only pass through.
fn runtime() -> std::io::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("web")
        .enable_all()
        .build()
}

/// As the page gets it.
fn table(viewers: &[Viewer]) -> Utf8Bytes {
    let rows: Vec<_> = viewers.iter().map(Viewer::cells).collect();
    json!({ "head": HEAD, "rows": rows }).to_string().into()
}

/// What each request may need.
#[derive(Clone)]
struct Stage {
    sink: Sink,
    /// Only this machine can reach us.
    is_local: bool,
    /// For a browser that takes nothing.
    patience: Duration,
    table: watch::Sender<Utf8Bytes>,
}

async fn serve(listener: TcpListener, router: Router) {
    let listener = listener.tap_io(|stream| hurry(stream));
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let _ = axum::serve(listener, service).await;
}

/// What waits in the kernel for a browser is old already. Without this everything works as well.
fn hurry(stream: &TcpStream) {
    let _ = stream.set_nodelay(true);
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let _ = socket2::SockRef::from(stream).set_tcp_notsent_lowat(UNSENT_LIMIT);
}

fn router(stage: Stage) -> Router {
    let router = Router::new().route("/stream", get(stream));
    let file = |kind, text| get(move || async move { page(kind, text) });
    FILES
        .iter()
        .fold(router, |router, &(path, kind, text)| {
            router.route(path, file(kind, text))
        })
        .with_state(stage)
}

fn page(kind: &'static str, text: &'static str) -> impl IntoResponse {
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, CONTENT_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        // After a restart it may be that of another version.
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, text)
}

async fn stream(
    State(stage): State<Stage>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    if !is_own_page(&headers, stage.is_local) {
        return (StatusCode::FORBIDDEN, "this page is from elsewhere\n").into_response();
    }
    match stage.sink.connect(address).await {
        Ok(place) => upgrade
            .max_message_size(MESSAGE_LIMIT)
            .on_upgrade(move |socket| {
                browser::show(socket, place, stage.table.subscribe(), stage.patience)
            }),
        Err(error) => (StatusCode::BAD_GATEWAY, format!("no stream: {error}\n")).into_response(),
    }
}

/// Browsers connect to us for any page from anywhere, which is not to see the camera. Programs that are no browsers
/// send no origin.
fn is_own_page(headers: &HeaderMap, is_local: bool) -> bool {
    let text = |name| headers.get(name)?.to_str().ok();
    let Some(origin) = text(header::ORIGIN) else {
        return true;
    };
    let host = text(header::HOST).unwrap_or_default();
    let is_same = origin
        .split_once("://")
        .is_some_and(|(_, from)| from == host);
    is_same && (!is_local || is_local_name(host))
}

/// Names of others may have been made to lead here.
fn is_local_name(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else {
        return false;
    };
    let name = authority.host().trim_matches(['[', ']']);
    name == "localhost" || name.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_own_page_may_show_the_stream() {
        for (origin, host, local, network) in [
            (None, "localhost:8080", true, true),
            (Some("http://localhost:8080"), "localhost:8080", true, true),
            (Some("http://[::1]:8080"), "[::1]:8080", true, true),
            (Some("https://127.0.0.1"), "127.0.0.1", true, true),
            (
                Some("http://localhost:8081"),
                "localhost:8080",
                false,
                false,
            ),
            (Some("http://elsewhere"), "localhost:8080", false, false),
            (Some("null"), "localhost:8080", false, false),
            // A name that leads to this machine, but is not ours.
            (Some("http://elsewhere:8080"), "elsewhere:8080", false, true),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, host.parse().unwrap());
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, origin.parse().unwrap());
            }
            assert_eq!(is_own_page(&headers, true), local, "{origin:?} at {host}");
            assert_eq!(
                is_own_page(&headers, false),
                network,
                "{origin:?} at {host}"
            );
        }
    }
}
