// SPDX-License-Identifier: MPL-2.0
//! A program as its users run it, and a folder for what it leaves behind.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

pub const PATIENCE: Duration = Duration::from_secs(20);
pub const END_AT_CRITICALS: [(&str, &str); 1] = [("G_DEBUG", "fatal-criticals")];

/// An example program that runs; killed if the test gives up on it.
pub struct Program {
    child: Child,
    lines: mpsc::Receiver<String>,
}

impl Program {
    pub fn start(name: &str, arguments: &[&str]) -> Self {
        Self::spawn(name, arguments, Stdio::inherit())
    }

    fn spawn(name: &str, arguments: &[&str], errors: Stdio) -> Self {
        let mut child = Command::new(example(name))
            .args(arguments)
            .envs(END_AT_CRITICALS)
            .env_remove("DISPLAY")
            .env_remove("WAYLAND_DISPLAY")
            .stdout(Stdio::piped())
            .stderr(errors)
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

    /// Starts one that ends at once with an error: what it says.
    pub fn fail(name: &str, arguments: &[&str]) -> String {
        let mut program = Self::spawn(name, arguments, Stdio::piped());
        assert_eq!(program.end().code(), Some(1));
        let mut said = String::new();
        let mut errors = program.child.stderr.take().expect("it is piped");
        errors.read_to_string(&mut said).expect("it is UTF-8");
        said
    }

    /// Waits for a line that starts so, and returns it.
    pub fn line(&self, start: &str) -> String {
        self.line_that(&format!("{start}..."), |line| line.starts_with(start))
    }

    /// Waits for a line for which something holds, and returns it.
    pub fn line_that(&self, what: &str, holds: impl Fn(&str) -> bool) -> String {
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

    pub fn port(&self) -> u16 {
        self.ports_of(["Listening at "])[0]
    }

    /// Those with which lines end that start so, whichever comes first.
    pub fn ports_of<const N: usize>(&self, starts: [&str; N]) -> [u16; N] {
        let mut ports = [None; N];
        while ports.contains(&None) {
            let is_one = |line: &str| starts.iter().any(|start| line.starts_with(start));
            let line = self.line_that("a port", is_one);
            let at = starts.iter().position(|start| line.starts_with(start));
            let port = line.rsplit(' ').next().and_then(|port| port.parse().ok());
            ports[at.expect("one of them")] = port;
        }
        ports.map(|port| port.expect("the line ends with the port"))
    }

    pub fn press_ctrl_c(&self) {
        let id = self.child.id().to_string();
        let status = Command::new("kill").args(["-INT", &id]).status().unwrap();
        assert!(status.success());
    }

    pub fn end(&mut self) -> ExitStatus {
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
pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new(name: &str) -> Self {
        let folder =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    pub fn path(&self, name: &str) -> String {
        self.0.join(name).into_os_string().into_string().unwrap()
    }
}

impl Scratch {
    /// A folder with certificates of a server and of a client, and their authority's.
    pub fn certificates(&self) -> String {
        let folder = self.path("certificates");
        let mut above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
        let script = above.find_map(|above| {
            let script = above.join("scripts/certificates.sh");
            script.exists().then_some(script)
        });
        let mut script = Command::new(script.expect("scripts/certificates.sh"));
        let status = script.arg(&folder).stdout(Stdio::null()).status();
        assert!(status.expect("a shell").success());
        folder
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
