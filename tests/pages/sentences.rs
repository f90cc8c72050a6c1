// SPDX-License-Identifier: MPL-2.0
//! Commands that stand in a sentence, and links.

use std::path::Path;
use std::process::Command;

use super::document::{Page, ROOT, pages};
use super::program::plugin;

/// How it begins, and what runs it, or why nothing does.
const ELSEWHERE: &[(&str, &str)] = &[
    ("gst-launch-1.0 -m", "tests/pages/program.rs"),
    (
        "gst-launch-1.0 videosocketsrc mode=listen",
        "tests/pages/main.rs",
    ),
    (
        "gst-launch-1.0 videotestsrc is-live=true",
        "tests/pages/main.rs",
    ),
    (
        "cargo run --release --example videochat -- --help",
        "examples/tests/main.rs",
    ),
    (
        "cargo run --example NAME -- --help",
        "examples/tests/main.rs",
    ),
    ("cargo cinstall", "scripts/test-cinstall.sh"),
    ("cargo deny", "scripts/deny.sh"),
    ("scripts/sanitize.sh", "wants a nightly Rust, and time"),
    ("cargo package", "a release does"),
    ("cargo install xiu", "wants half an hour"),
    ("cargo publish", "a release does"),
    ("cargo update --workspace", "a release does"),
    (
        "pip install ./examples/python",
        "examples/python/test_package.py",
    ),
    (
        "cc -o receive receive.c",
        "examples/python/test_protocol.py",
    ),
    (".ci/run", "it runs everything"),
    ("ss -", "is the reader's system"),
    ("rm -r ~/.cache/gstreamer-1.0", "is the reader's system"),
];

#[test]
fn every_command_in_a_sentence_is_run_or_named() {
    let commands: Vec<_> = pages()
        .iter()
        .flat_map(Page::commands_in_sentences)
        .collect();
    for command in &commands {
        match command.split_once(' ') {
            Some(("make", arguments)) => is_made(arguments),
            _ if command.starts_with("scripts/") => is_there(command),
            Some(("gst-inspect-1.0", element)) if !element.starts_with('-') => is_shown(element),
            Some(("gst-inspect-1.0", options)) => assert_eq!(options, "-b"),
            _ => assert!(
                ELSEWHERE
                    .iter()
                    .any(|(start, _)| command.starts_with(start)),
                "{command}"
            ),
        }
    }
    for (start, by) in ELSEWHERE {
        assert!(
            commands.iter().any(|command| command.starts_with(start)),
            "{start}"
        );
        assert!(
            by.contains(' ') || Path::new(ROOT).join(by).exists(),
            "{by}"
        );
    }
}

/// There is a way to make it. Nothing is made.
fn is_made(arguments: &str) {
    let command = format!("exec make --dry-run {arguments}");
    let made = Command::new("sh")
        .args(["-c", &command])
        .current_dir(ROOT)
        .output();
    let made = made.expect("a shell");
    assert!(made.status.success(), "{command}: {made:?}");
}

/// Those are run where changes are checked.
fn is_there(command: &str) {
    let script = command.split(' ').next().expect("a script");
    assert!(Path::new(ROOT).join(script).exists(), "{script}");
}

fn is_shown(element: &str) {
    let mut inspect = Command::new("gst-inspect-1.0");
    inspect
        .arg(format!("--gst-plugin-load={}", plugin().display()))
        .arg(element);
    let shown = inspect.output().expect("gst-inspect-1.0");
    assert!(shown.status.success(), "{element}: {shown:?}");
}

#[test]
fn links_lead_somewhere() {
    for page in pages() {
        for link in links(&page.text) {
            if !link.starts_with("http") {
                assert!(leads_somewhere(&page, link), "{}: {link}", page.name);
            }
        }
    }
}

fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](")
        .skip(1)
        .filter_map(|rest| Some(rest.split_once(')')?.0))
}

fn leads_somewhere(page: &Page, link: &str) -> bool {
    let (file, heading) = link.split_once('#').unwrap_or((link, ""));
    let here = Path::new(ROOT).join(&page.name);
    let path = match file {
        "" => here,
        _ => here.parent().expect("a folder").join(file),
    };
    path.exists() && (heading.is_empty() || has_heading(&path, heading))
}

/// As GitHub makes anchors of headings.
fn has_heading(path: &Path, anchor: &str) -> bool {
    let text = std::fs::read_to_string(path).expect("a page");
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let anchors = headings.map(|line| {
        let words = line.trim_start_matches('#').trim().to_lowercase();
        let kept = words
            .chars()
            .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.collect::<String>().replace(' ', "-")
    });
    anchors.into_iter().any(|heading| heading == anchor)
}
