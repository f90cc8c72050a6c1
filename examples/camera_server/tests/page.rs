// SPDX-License-Identifier: MPL-2.0
//! The page, and what browsers ask for.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use super::support::{PATIENCE, Program};
use super::viewer::connect;

#[test]
fn a_browser_gets_the_page_and_all_that_belongs_to_it() {
    let (_server, page) = serve_page(&[]);
    for (path, kind, part) in [
        ("/", "text/html", "<canvas"),
        ("/page.css", "text/css", "color-scheme"),
        ("/page.js", "text/javascript", "new WebSocket"),
        ("/icon.svg", "image/svg+xml", "<svg"),
    ] {
        let answer = page.get(path);
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        let policy = "content-security-policy: default-src 'none'";
        for needed in [&format!("content-type: {kind}"), policy, part] {
            assert!(answer.contains(needed), "{needed} of {path}: {answer}");
        }
    }
    assert!(page.get("/elsewhere").starts_with("HTTP/1.1 404 "));
}

#[test]
fn a_browser_gets_the_table_and_pictures() {
    let (server, page) = serve_page(&[]);
    let socket = page.open_stream(None);
    let name = format!("{} (browser)", socket.local_address());
    server.line(&format!("{name} has come"));
    let is_picture = |(kind, message): &(u8, Vec<u8>)| {
        *kind == WebSocket::BINARY && message.starts_with(b"\xff\xd8")
    };
    let is_table = |(kind, message): &(u8, Vec<u8>)| {
        *kind == WebSocket::TEXT && String::from_utf8_lossy(message).contains(&name)
    };
    socket.message_that("a picture", is_picture);
    socket.message_that("the browser stands in the table", is_table);
    socket.message_that("another picture", is_picture);
    drop(socket);
    server.line(&format!("{name} is gone after"));
}

#[test]
fn the_delay_of_a_browser_is_what_it_reports() {
    let (server, page) = serve_page(&[]);
    let socket = page.open_stream(None);
    let row = format!("{} (browser) connected", socket.local_address());
    let line = server.line(&row);
    assert!(line.ends_with("delay - ms"), "{line}");
    socket.message_that("a picture", |(kind, _)| *kind == WebSocket::BINARY);
    thread::scope(|scope| {
        // Who takes nothing is not listened to.
        scope.spawn(|| socket.message_that("the end", |(kind, _)| *kind == WebSocket::CLOSE));
        // Of those that are not sent yet nobody can say anything.
        ["nonsense", "1000000", "1"]
            .iter()
            .for_each(|word| socket.say(word));
        let is_known = |line: &str| line.starts_with(&row) && !line.ends_with("delay - ms");
        server.line_that("its delay", is_known);
        server.press_ctrl_c();
    });
}

#[test]
fn the_end_of_the_stream_ends_that_of_browsers() {
    let (mut server, page) = serve_page(&[]);
    let socket = page.open_stream(None);
    socket.message_that("a picture", |(kind, _)| *kind == WebSocket::BINARY);
    server.press_ctrl_c();
    socket.message_that("the end", |(kind, _)| *kind == WebSocket::CLOSE);
    assert!(server.end().success());
}

#[test]
fn the_page_is_for_this_machine_alone() {
    let (_server, page) = serve_page(&[]);
    // Another address of every Linux machine.
    let other = SocketAddr::from(([127, 0, 0, 2], page.0.port()));
    let refused = TcpStream::connect(other).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    let (_server, page) = serve_page(&["--web-host", "*"]);
    let other = SocketAddr::from(([127, 0, 0, 2], page.0.port()));
    assert!(Page(other).get("/").starts_with("HTTP/1.1 200 "));
}

#[test]
fn a_page_from_elsewhere_does_not_get_the_stream() {
    let (_server, page) = serve_page(&[]);
    let answer = page.ask_for_stream("Origin: http://elsewhere\r\n").1;
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    let own = format!("Origin: http://{}\r\n", page.0);
    let answer = page.ask_for_stream(&own).1;
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
}

#[test]
fn a_browser_that_stalls_loses_pictures_and_the_other_none() {
    let (server, page) = serve_page(&["--size", "1280x720", "--timeout", "60"]);
    let stalled = page.open_stream(Some(4096));
    let steady = page.open_stream(None);
    let row = |socket: &WebSocket| format!("{} (browser) connected", socket.local_address());
    let (stalled_row, steady_row) = (row(&stalled), row(&steady));
    let reader = thread::spawn(move || {
        let is_end = |(kind, _): &(u8, Vec<u8>)| *kind == WebSocket::CLOSE;
        steady.message_that("the end", is_end);
    });
    let loses_none = |line: &str| line.contains(" 0 dropped");
    server.line_that("the browser that stalls loses pictures", |line| {
        line.starts_with(&stalled_row) && !loses_none(line)
    });
    let line = server.line(&steady_row);
    assert!(loses_none(&line), "{line}");
    server.press_ctrl_c();
    reader.join().unwrap();
}

#[test]
fn a_browser_that_takes_nothing_is_given_up() {
    let (server, page) = serve_page(&["--size", "1280x720", "--timeout", "0.5"]);
    let stalled = page.open_stream(Some(4096));
    assert!(stalled.is_open_over_there());
    server.line(&format!(
        "{} (browser) is gone after",
        stalled.local_address()
    ));
    let deadline = Instant::now() + PATIENCE;
    while stalled.is_open_over_there() {
        assert!(Instant::now() < deadline, "the server keeps the connection");
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_port_of_the_page_in_use_is_an_error_at_once() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let words = ["--host", "localhost", "--port", "0", "--web", &port];
    let mut server = Program::start("camera_server", &words);
    assert_eq!(server.end().code(), Some(1));
}

fn serve_page(options: &[&str]) -> (Program, Page) {
    let words = ["--host", "localhost", "--port", "0", "--web", "0"];
    let server = Program::start("camera_server", &[&words, options].concat());
    let page = Page::of(&server);
    (server, page)
}

/// What a browser asks for.
pub struct Page(SocketAddr);

impl Page {
    pub fn of(server: &Program) -> Self {
        let line = server.line("In a browser: http://");
        let port = line.trim_end_matches('/').rsplit(':').next();
        let port: u16 = port.unwrap().parse().expect("the line ends with the port");
        Self((Ipv4Addr::LOCALHOST, port).into())
    }

    fn get(&self, path: &str) -> String {
        let mut socket = TcpStream::connect(self.0).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let host = self.0;
        write!(
            socket,
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        answer
    }

    pub fn open_stream(&self, receive_buffer: Option<usize>) -> WebSocket {
        let socket = connect(self.0.port(), receive_buffer);
        let answer = self.ask(&socket, "");
        assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
        // That of the key, by RFC 6455, section 1.3.
        assert!(answer.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{answer}");
        WebSocket(socket)
    }

    fn ask_for_stream(&self, headers: &str) -> (TcpStream, String) {
        let socket = connect(self.0.port(), None);
        let answer = self.ask(&socket, headers);
        (socket, answer)
    }

    fn ask(&self, mut socket: &TcpStream, headers: &str) -> String {
        let host = self.0;
        write!(
            socket,
            "GET /stream HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
        )
        .unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            socket.read_exact(&mut byte).unwrap();
            answer.extend(byte);
        }
        String::from_utf8(answer).unwrap()
    }
}

/// The stream of a page.
pub struct WebSocket(TcpStream);

impl WebSocket {
    const TEXT: u8 = 1;
    pub const BINARY: u8 = 2;
    pub const CLOSE: u8 = 8;

    fn local_address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }

    /// A message of text, masked with nothing, as far as that goes.
    fn say(&self, text: &str) {
        let length = u8::try_from(text.len()).expect("a short text");
        let head = [0x80 | Self::TEXT, 0x80 | length, 0, 0, 0, 0];
        let message = [&head[..], text.as_bytes()].concat();
        (&self.0).write_all(&message).unwrap();
    }

    /// Whether a process has the other end; once closed it may still have bytes for us.
    fn is_open_over_there(&self) -> bool {
        let port = |address: SocketAddr| format!(":{:04X}", address.port());
        let (there, here) = (
            port(self.0.peer_addr().unwrap()),
            port(self.local_address()),
        );
        let connections = fs::read_to_string("/proc/net/tcp").unwrap();
        connections.lines().any(|line| {
            let fields: Vec<_> = line.split_whitespace().collect();
            let [_, from, to, .., inode] = fields[..10] else {
                panic!("{line}");
            };
            from.ends_with(&there) && to.ends_with(&here) && inode != "0"
        })
    }

    /// Waits for a message for which something holds.
    fn message_that(&self, what: &str, holds: impl Fn(&(u8, Vec<u8>)) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if holds(&self.receive()) {
                return;
            }
        }
        panic!("no message is: {what}");
    }

    /// A whole message: its kind, and what it says.
    pub fn receive(&self) -> (u8, Vec<u8>) {
        let bytes = |count: usize| {
            let mut bytes = vec![0; count];
            (&self.0).read_exact(&mut bytes).unwrap();
            bytes
        };
        let head = bytes(2);
        assert_eq!(head[0] & 0xf0, 0x80, "in one piece");
        let length = match head[1] {
            126 => u16::from_be_bytes(bytes(2).try_into().unwrap()).into(),
            127 => u64::from_be_bytes(bytes(8).try_into().unwrap()),
            length => length.into(),
        };
        (head[0] & 0x0f, bytes(length as usize))
    }
}
