//! The example programs, as their users run them: with each other, over loopback.

#![allow(clippy::duplicate_mod, reason = "each program brings what it shares")]

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

// For their own tests: as test targets they would no longer be built as programs.
#[allow(dead_code)]
#[path = "../examples/camera_server/main.rs"]
mod camera_server;
#[allow(dead_code)]
#[path = "../examples/videochat/main.rs"]
mod videochat;

const PATIENCE: Duration = Duration::from_secs(20);
const END_AT_CRITICALS: [(&str, &str); 1] = [("G_DEBUG", "fatal-criticals")];

#[test]
fn two_video_chats_see_each_other_until_one_hangs_up() {
    let folder = Scratch::new("chat");
    let side = |name: &str, call: &[&str]| {
        let mut arguments = call.to_vec();
        let (pictures, report) = (folder.path(name), folder.path(&format!("{name}.report")));
        arguments.extend(["--test-picture", "ball", "--time-stamps"]);
        arguments.extend(["--snapshots", &pictures, "--report", &report]);
        Program::start("videochat", &arguments)
    };
    let mut ada = side("ada", &["listen", "localhost:0", "--duration", "1"]);
    let mut bob = side("bob", &["connect", &format!("localhost:{}", ada.port())]);
    assert!(ada.end().success());
    assert!(bob.end().success());
    for name in ["ada", "bob"] {
        let report = fs::read_to_string(folder.path(&format!("{name}.report"))).unwrap();
        let figure = |key: &str| {
            report
                .lines()
                .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
        };
        let frames: u64 = figure("frames_received").unwrap().parse().unwrap();
        assert!(frames >= 10, "{name}: {report}");
        assert!(figure("delay_median_ms").is_some(), "{name}: {report}");
        assert!(
            fs::exists(folder.path(&format!("{name}/peer-00000.png"))).unwrap(),
            "{name}"
        );
    }
}

#[test]
fn video_chats_take_turns() {
    let folder = Scratch::new("turns");
    let side = |call: &[&str]| {
        let pictures = folder.path("pictures");
        Program::start(
            "videochat",
            &[
                call,
                &[
                    "--test-picture",
                    "bars",
                    "--lockstep",
                    "--snapshots",
                    &pictures,
                ],
            ]
            .concat(),
        )
    };
    let mut ada = side(&["listen", "localhost:0"]);
    let mut bob = side(&[
        "connect",
        &format!("localhost:{}", ada.port()),
        "--duration",
        "1",
    ]);
    bob.line("1.");
    assert!(bob.end().success());
    assert!(ada.end().success());
}

#[test]
fn ctrl_c_ends_both_sides_of_a_chat() {
    let folder = Scratch::new("ctrl-c");
    let pictures = folder.path("pictures");
    let side = |call: &[&str]| {
        Program::start(
            "videochat",
            &[call, &["--test-picture", "ball", "--snapshots", &pictures]].concat(),
        )
    };
    let mut ada = side(&["listen", "localhost:0"]);
    let mut bob = side(&["connect", &format!("localhost:{}", ada.port())]);
    ada.line("Connected to ");
    bob.line("Connected to ");
    bob.press_ctrl_c();
    assert!(bob.end().success());
    assert!(ada.end().success());
}

#[test]
fn ctrl_c_ends_the_wait_for_a_call() {
    let folder = Scratch::new("wait");
    let mut ada = Program::start(
        "videochat",
        &[
            "listen",
            "localhost:0",
            "--snapshots",
            &folder.path("pictures"),
        ],
    );
    ada.port();
    ada.press_ctrl_c();
    assert!(ada.end().success());
}

#[test]
fn a_port_in_use_is_an_error_at_once() {
    let folder = Scratch::new("in-use");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut ada = Program::start(
        "videochat",
        &["listen", &address, "--snapshots", &folder.path("pictures")],
    );
    assert_eq!(ada.end().code(), Some(1));
}

#[test]
fn a_viewer_that_stalls_loses_pictures_and_the_other_none() {
    let words = "--host localhost --port 0 --size 1280x720 --max-delay 1 --timeout 60";
    let mut server = Program::start("camera_server", &words.split(' ').collect::<Vec<_>>());
    let port = server.port();
    let stalled = Viewer::connect(port, Some(4096));
    let steady = Viewer::connect(port, None);
    let (stalled_row, steady_row) = (stalled.row(), steady.row());
    let pictures = thread::spawn(move || steady.receive_until_end());

    let loses_none = |line: &str| line.contains(" 0 dropped");
    server.line_that("the viewer that stalls loses pictures", |line| {
        line.starts_with(&stalled_row) && !loses_none(line)
    });
    let line = server.line(&steady_row);
    assert!(loses_none(&line), "{line}");
    server.press_ctrl_c();
    assert!(server.end().success());
    let pictures = pictures.join().unwrap();
    assert!(pictures.len() >= 10, "{} pictures", pictures.len());
    for picture in pictures {
        assert!(picture.starts_with(b"\xff\xd8"));
    }
}

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

#[test]
fn a_film_begins_with_the_first_viewer_and_ends_the_server() {
    let folder = Scratch::new("film");
    let mut server = serve_film(&folder, &["--codec", "h264"]);
    let pictures = Viewer::connect(server.port(), None).receive_until_end();
    assert_eq!(pictures.len(), FILM_LENGTH);
    let sequence_parameters = [0, 0, 0, 1, 0x67];
    let mut beginning = pictures[0].windows(sequence_parameters.len());
    assert!(beginning.any(|bytes| bytes == sequence_parameters));
    assert!(server.end().success());
}

#[test]
fn a_film_begins_with_the_first_browser_too() {
    let folder = Scratch::new("film-browser");
    let mut server = serve_film(&folder, &["--web", "0"]);
    let socket = Page::of(&server).open_stream(None);
    let messages = std::iter::from_fn(|| Some(socket.receive()));
    let kinds: Vec<_> = messages
        .map(|(kind, _)| kind)
        .take_while(|kind| *kind != WebSocket::CLOSE)
        .filter(|kind| *kind == WebSocket::BINARY)
        .collect();
    assert_eq!(kinds.len(), FILM_LENGTH);
    assert!(server.end().success());
}

#[test]
fn a_film_can_begin_again_and_again() {
    let folder = Scratch::new("loop");
    let mut server = serve_film(&folder, &["--loop"]);
    let viewer = Viewer::connect(server.port(), None);
    for _ in 0..3 * FILM_LENGTH {
        assert!(viewer.receive().is_some());
    }
    server.press_ctrl_c();
    viewer.receive_until_end();
    assert!(server.end().success());
}

#[test]
fn a_film_that_is_none_is_an_error() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let mut server = Program::start("camera_server", &["--port", "0", "--film", file]);
    assert_eq!(server.end().code(), Some(1));
}

#[test]
fn send_sends_frames_that_are_jpeg() {
    let (listener, uri) = listen();
    let mut program = Program::start("send", &[&uri, "--frames", "10"]);
    let mut bytes = Vec::new();
    listener
        .accept()
        .unwrap()
        .0
        .read_to_end(&mut bytes)
        .unwrap();
    assert!(program.end().success());
    let mut rest = &bytes[..];
    for _ in 0..10 {
        let (header, stream) = rest.split_at(8);
        let length: usize = std::str::from_utf8(header).unwrap().parse().unwrap();
        assert!(stream.starts_with(b"\xff\xd8"));
        rest = &stream[length..];
    }
    assert!(rest.is_empty());
}

#[test]
fn receive_saves_each_frame_as_it_came() {
    let folder = Scratch::new("receive");
    let (listener, uri) = listen();
    let mut program = Program::start("receive", &[&uri, "--save", &folder.path("frames")]);
    listener
        .accept()
        .unwrap()
        .0
        .write_all(b"00000005hello0000000000000003you")
        .unwrap();
    assert!(program.end().success());
    for (name, frame) in [("000001", "hello"), ("000002", ""), ("000003", "you")] {
        let saved = fs::read_to_string(folder.path(&format!("frames/frame-{name}.jpg")));
        assert_eq!(saved.unwrap(), frame);
    }
}

#[test]
fn receive_tells_what_is_wrong_and_fails() {
    let (listener, uri) = listen();
    let mut program = Program::start("receive", &[&uri]);
    listener
        .accept()
        .unwrap()
        .0
        .write_all(b"00000005hell")
        .unwrap();
    assert_eq!(program.end().code(), Some(1));
}

const FILM_LENGTH: usize = 10;

fn serve_film(folder: &Scratch, options: &[&str]) -> Program {
    let film = folder.path("film.avi");
    let status = Command::new("gst-launch-1.0")
        .args(["-q", "videotestsrc", &format!("num-buffers={FILM_LENGTH}")])
        .args("! jpegenc ! avimux ! filesink".split(' '))
        .arg(format!("location={film}"))
        .envs(END_AT_CRITICALS)
        .status();
    assert!(status.unwrap().success());
    let arguments = ["--host", "localhost", "--port", "0", "--film", &film];
    Program::start("camera_server", &[&arguments, options].concat())
}

fn serve_page(options: &[&str]) -> (Program, Page) {
    let words = ["--host", "localhost", "--port", "0", "--web", "0"];
    let server = Program::start("camera_server", &[&words, options].concat());
    let page = Page::of(&server);
    (server, page)
}

/// What a browser asks for.
struct Page(SocketAddr);

impl Page {
    fn of(server: &Program) -> Self {
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

    fn open_stream(&self, receive_buffer: Option<usize>) -> WebSocket {
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
struct WebSocket(TcpStream);

impl WebSocket {
    const TEXT: u8 = 1;
    const BINARY: u8 = 2;
    const CLOSE: u8 = 8;

    fn local_address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
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
    fn receive(&self) -> (u8, Vec<u8>) {
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

/// With a small receive buffer the sender soon notices when nothing is read.
fn connect(port: u16, receive_buffer: Option<usize>) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    if let Some(size) = receive_buffer {
        socket.set_recv_buffer_size(size).unwrap();
    }
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    socket.connect(&address.into()).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.into()
}

/// A plain TCP program that watches.
struct Viewer(TcpStream);

impl Viewer {
    fn connect(port: u16, receive_buffer: Option<usize>) -> Self {
        Self(connect(port, receive_buffer))
    }

    /// How the lines about this viewer begin.
    fn row(&self) -> String {
        format!("{} connected", self.0.local_addr().unwrap())
    }

    /// The next frame; none at a clean end.
    fn receive(&self) -> Option<Vec<u8>> {
        let mut header = Vec::new();
        (&self.0).take(8).read_to_end(&mut header).unwrap();
        if header.is_empty() {
            return None;
        }
        assert_eq!(header.len(), 8, "a whole header");
        let mut frame = vec![0; std::str::from_utf8(&header).unwrap().parse().unwrap()];
        (&self.0).read_exact(&mut frame).unwrap();
        Some(frame)
    }

    fn receive_until_end(&self) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| self.receive()).collect()
    }
}

fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = format!("videosocket://{}", listener.local_addr().unwrap());
    (listener, uri)
}

/// An example program that runs; killed if the test gives up on it.
struct Program {
    child: Child,
    lines: mpsc::Receiver<String>,
}

impl Program {
    fn start(name: &str, arguments: &[&str]) -> Self {
        let mut child = Command::new(example(name))
            .args(arguments)
            .envs(END_AT_CRITICALS)
            .env_remove("DISPLAY")
            .env_remove("WAYLAND_DISPLAY")
            .stdout(Stdio::piped())
            .spawn()
            .expect("cargo test builds the examples");
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            output
                .lines()
                .map_while(Result::ok)
                .try_for_each(|line| sender.send(line))
        });
        Self { child, lines }
    }

    /// Waits for a line that starts so, and returns it.
    fn line(&self, start: &str) -> String {
        self.line_that(&format!("{start}..."), |line| line.starts_with(start))
    }

    /// Waits for a line for which something holds, and returns it.
    fn line_that(&self, what: &str, holds: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let line = self
                .lines
                .recv_timeout(left)
                .unwrap_or_else(|_| panic!("no line says: {what}"));
            if holds(&line) {
                return line;
            }
        }
    }

    fn port(&self) -> u16 {
        let line = self.line("Listening at ");
        line.rsplit(' ')
            .next()
            .unwrap()
            .parse()
            .expect("the line ends with the port")
    }

    fn press_ctrl_c(&self) {
        let id = self.child.id().to_string();
        let status = Command::new("kill").args(["-INT", &id]).status().unwrap();
        assert!(status.success());
    }

    fn end(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            thread::sleep(Duration::from_millis(10));
        }
        panic!("the program does not end");
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Examples lie beside the folder of the tests.
fn example(name: &str) -> PathBuf {
    let test = env::current_exe().unwrap();
    let profile = test.ancestors().nth(2).unwrap();
    profile
        .join("examples")
        .join(name)
        .with_extension(env::consts::EXE_EXTENSION)
}

/// A folder of the test's own, gone when the test is over.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let folder =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).into_os_string().into_string().unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
