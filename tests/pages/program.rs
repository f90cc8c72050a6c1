// SPDX-License-Identifier: MPL-2.0
//! A command of a page as a process, and what it says.

use super::opencv;
use super::support::PATIENCE;
use std::env;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Instant;

/// Warnings that are in GStreamer's log alone, and are none of ours.
const HARMLESS: &[(&str, &str)] = &[
    ("Dropping frame due to QoS", "the machine is slow"),
    (
        "No value transform to serialize",
        "`-m -v` prints values that have no text",
    ),
    (
        "chroma-site only makes sense for YUV formats",
        "decoders of GStreamer 1.26 read the caps of H.264 as those of raw video",
    ),
    ("invalid chroma-site, using default", "the same"),
    (
        "gst_video_info_to_caps: invalid matrix",
        "videoconvert makes RGB of JPEG's colours",
    ),
    (
        "<giostreamsink",
        "hlssink2 gives its writer of files segments, and stops it while it writes",
    ),
];

/// What a source says of a peer that goes without the end of the stream: the whole sentence, with `…` for addresses and
/// numbers, and how its details begin.
const LOSSES: &[(&str, &str)] = &[
    (
        "The connection from … ended before the stream was over",
        "Cut",
    ),
    (
        "The connection from … is lost: reset by the peer",
        "Receive",
    ),
    (
        "… ended the stream inside a frame: … of a frame's … bytes had come",
        "Truncated",
    ),
];
/// And where it comes back at once to one that is about to close.
const REFUSAL: (&str, &str) = (
    "The peer at … port … accepts the connection and ends it, as one does that has all the clients it serves",
    "Futile",
);

pub struct Program {
    command: String,
    /// So many peers go without the end of the stream, of each of which it may warn once.
    losses: AtomicUsize,
    child: Child,
    said: Arc<Said>,
    readers: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Said {
    lines: Mutex<Vec<Line>>,
    more: Condvar,
}

#[derive(Clone, Debug)]
struct Line {
    is_error: bool,
    text: String,
}

impl Program {
    /// By the shell, which reads the command as it would read what a reader pastes.
    pub fn start(command: &str, folder: &Path) -> Self {
        // Ctrl-C is ignored by what is run in the background, which a test run may be.
        let mut child = Command::new("env")
            .args(["--default-signal=INT", "sh", "-c"])
            .arg(format!("exec {}", with_options(command)))
            .env("PROGRAM", command)
            .env(
                "PYTHONPATH",
                concat!(env!("CARGO_MANIFEST_DIR"), "/examples/python"),
            )
            .env("LC_ALL", "C")
            .env("G_DEBUG", "fatal-criticals")
            .env("GST_DEBUG", "2")
            .env("GST_DEBUG_NO_COLOR", "1")
            .env("OPENCV_LOG_LEVEL", "ERROR")
            .envs(opencv::environment(command))
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("a shell");
        let said = Arc::<Said>::default();
        let readers = vec![
            said.read(child.stdout.take().expect("its stdout"), false),
            said.read(child.stderr.take().expect("its stderr"), true),
        ];
        Self {
            command: command.to_owned(),
            losses: AtomicUsize::new(0),
            child,
            said,
            readers,
        }
    }

    /// Waits until as many lines hold these words.
    #[track_caller]
    pub fn says(&self, words: &str, times: usize) {
        let count = |lines: &[Line]| {
            lines
                .iter()
                .filter(|line| line.text.contains(words))
                .count()
        };
        let mut lines = self.said.lines.lock().unwrap();
        let deadline = Instant::now() + PATIENCE;
        while count(&lines) < times {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "not said {times} times: {words:?}\n{}",
                self.told(&lines)
            );
            lines = self.said.more.wait_timeout(lines, left).unwrap().0;
        }
    }

    /// Until it is there for the other end to come.
    pub fn has_started(&self) {
        self.says("Setting pipeline to PLAYING", 1);
    }

    pub fn is_viewer(&self) -> bool {
        self.command.contains("identity") || is_python(&self.command)
    }

    /// After the end of a connection.
    pub fn goes_on(&self) -> bool {
        self.command.contains("reconnect=true") || self.command.contains("connection-id")
    }

    /// Waits for pictures up to this number.
    #[track_caller]
    pub fn shows(&self, pictures: usize) {
        self.says(self.picture(), pictures);
    }

    pub fn pictures(&self) -> usize {
        self.times(self.picture())
    }

    /// What it says of each.
    fn picture(&self) -> &'static str {
        if is_python(&self.command) {
            return " bytes";
        }
        "last-message = chain"
    }

    /// How often it has said this so far.
    fn times(&self, words: &str) -> usize {
        let lines = self.said.lines.lock().unwrap();
        lines
            .iter()
            .filter(|line| line.text.contains(words))
            .count()
    }

    pub fn press_ctrl_c(&self) {
        let id = self.child.id().to_string();
        let status = Command::new("kill").args(["-INT", &id]).status();
        assert!(status.expect("kill").success());
    }

    /// Without a word to its peer.
    pub fn kill(mut self) {
        self.child.kill().expect("a process of ours");
        self.child.wait().expect("it is dead");
        self.complains_of_nothing();
    }

    /// Its peer dies now.
    pub fn loses(&self, peer: Self) {
        self.may_tell_of_loss();
        peer.kill();
    }

    /// Its peer stops without an end of the stream.
    pub fn may_tell_of_loss(&self) {
        self.losses.fetch_add(1, Relaxed);
    }

    #[track_caller]
    pub fn ends(mut self) {
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a process of ours") {
                break status;
            }
            assert!(
                Instant::now() < deadline,
                "it does not end: {}",
                self.command
            );
            thread::sleep(std::time::Duration::from_millis(5));
        };
        self.complains_of_nothing();
        assert!(status.success(), "{status}: {}", self.command);
    }

    /// The other end has gone, which some outlast.
    #[track_caller]
    pub fn end_now_or_by_itself(self) {
        if self.goes_on() {
            self.press_ctrl_c();
        }
        self.ends();
    }

    #[track_caller]
    fn complains_of_nothing(&mut self) {
        for reader in self.readers.drain(..) {
            reader.join().expect("a reader");
        }
        let lines = self.said.lines.lock().unwrap();
        let losses = self.losses.load(Relaxed);
        let tells =
            |line: &Line, losses: &[(&str, &str)]| losses.iter().any(|loss| line.tells_of(*loss));
        let is_expected =
            |line: &Line| losses > 0 && (tells(line, LOSSES) || tells(line, &[REFUSAL]));
        let complaints: Vec<_> = lines
            .iter()
            .filter(|line| line.is_complaint() && !is_expected(line))
            .map(|line| line.text.as_str())
            .collect();
        // Each by a sentence and a message.
        let told = lines.iter().filter(|line| tells(line, LOSSES)).count();
        assert!(
            told <= 2 * losses,
            "{losses} losses, but {}",
            self.told(&lines)
        );
        assert!(
            complaints.is_empty(),
            "{}\n{}",
            self.command,
            complaints.join("\n")
        );
    }

    fn told(&self, lines: &[Line]) -> String {
        let lines: Vec<_> = lines.iter().map(|line| line.text.as_str()).collect();
        format!("{}\n{}", self.command, lines.join("\n"))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Said {
    fn read(
        self: &Arc<Self>,
        output: impl Read + Send + 'static,
        is_error: bool,
    ) -> JoinHandle<()> {
        let said = self.clone();
        thread::spawn(move || {
            for text in BufReader::new(output).lines().map_while(Result::ok) {
                said.lines.lock().unwrap().push(Line { is_error, text });
                said.more.notify_all();
            }
        })
    }
}

impl Line {
    fn is_complaint(&self) -> bool {
        if self.is_error {
            return !self.is_harmless();
        }
        ["(warning): ", "(error): ", "WARNING", "ERROR", "CRITICAL"]
            .iter()
            .any(|sign| self.text.contains(sign))
    }

    /// Of the source, in the sentence or in the message.
    fn tells_of(&self, (sentence, details): (&str, &str)) -> bool {
        let sentence_said = self
            .text
            .split_once("GstVideoSocketSrc:videosocketsrc0: ")
            .is_some_and(|(_, said)| is_like(said, sentence));
        let is_message = self
            .text
            .contains(r#"from element "videosocketsrc0" (warning)"#);
        sentence_said || (is_message && self.text.contains(&format!(r"\012{details}\ \{{")))
    }

    fn is_harmless(&self) -> bool {
        let is_logged = self.text.contains(" WARN ");
        is_logged && HARMLESS.iter().any(|(words, _)| self.text.contains(words))
    }
}

/// From its first word to its last, with something wherever the pattern has `…`.
fn is_like(text: &str, pattern: &str) -> bool {
    let mut parts = pattern.split('…');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else {
        return false;
    };
    let ends = parts
        .clone()
        .next_back()
        .is_none_or(|last| text.ends_with(last));
    for part in parts {
        let Some(at) = rest.find(part).filter(|at| *at > 0 || part.is_empty()) else {
            return false;
        };
        rest = &rest[at + part.len()..];
    }
    ends
}

pub fn is_python(command: &str) -> bool {
    command.starts_with("import ") || command.starts_with("from ")
}

fn with_options(command: &str) -> String {
    if is_python(command) {
        let python = opencv::python_for(command);
        return format!(r#"{python} -u -c "$PROGRAM""#);
    }
    if !command.starts_with("gst-launch-1.0") {
        return command.to_owned();
    }
    // With it a camera ends with a whole frame; who receives might wait for an end that it has had.
    let last_words = if command.contains("videosocketsrc") {
        ""
    } else {
        "-e "
    };
    let plugin = plugin();
    let options = format!(
        "gst-launch-1.0 {last_words}-v -m --gst-plugin-load='{}'",
        plugin.display()
    );
    command.replacen("gst-launch-1.0", &options, 1)
}

/// Built by cargo along with the library that the tests link.
pub fn plugin() -> PathBuf {
    let (prefix, suffix) = (env::consts::DLL_PREFIX, env::consts::DLL_SUFFIX);
    let test = env::current_exe().expect("this program");
    test.with_file_name(format!("{prefix}gstvideosocket{suffix}"))
}
