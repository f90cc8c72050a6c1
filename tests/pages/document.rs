// SPDX-License-Identifier: MPL-2.0
//! What the pages show: each block of code by the words in front of it, and the commands that stand in a sentence.

use std::fs;
use std::path::{Path, PathBuf};

use super::program::is_python;

pub const ROOT: &str = env!("CARGO_MANIFEST_DIR");
/// Where pages are, besides the root.
const FOLDERS: [&str; 2] = ["docs", "examples"];
const INDENT: &str = "    ";
const FENCE: &str = "```";
/// What a command begins with.
const PROGRAMS: [&str; 12] = [
    "make",
    "cargo",
    "gst-launch-1.0",
    "gst-inspect-1.0",
    "pip",
    "python3",
    "openssl",
    "apt-get",
    "curl",
    "ss",
    "rm",
    "cc",
];

pub struct Page {
    /// From the root.
    pub name: String,
    pub text: String,
}

#[derive(Clone, Debug)]
pub struct Block {
    pub page: String,
    /// The heading, or the bold words, that it stands under.
    pub title: String,
    /// That of a fence.
    pub language: String,
    pub text: String,
}

impl Block {
    /// The commands for a shell, each with the lines on which it goes on. A Python program is one.
    pub fn commands(&self) -> Vec<String> {
        if is_python(&self.text) {
            return vec![self.text.clone()];
        }
        let mut commands = Vec::new();
        let mut goes_on = false;
        for line in self.text.lines().filter(|line| !line.starts_with('#')) {
            match commands.last_mut() {
                Some(command) if goes_on => *command = format!("{command}\n{line}"),
                _ => commands.push(line.to_owned()),
            }
            goes_on = line.ends_with('\\');
        }
        commands
    }
}

pub fn pages() -> Vec<Page> {
    let mut paths = Vec::new();
    add_pages(Path::new(ROOT), false, &mut paths);
    for folder in FOLDERS {
        add_pages(&Path::new(ROOT).join(folder), true, &mut paths);
    }
    paths.sort();
    let name = |path: &Path| {
        path.strip_prefix(ROOT)
            .expect("below the root")
            .display()
            .to_string()
    };
    paths
        .iter()
        .map(|path| Page {
            name: name(path),
            text: fs::read_to_string(path).expect("a page"),
        })
        .collect()
}

fn add_pages(folder: &Path, with_folders: bool, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() && with_folders {
            add_pages(&path, true, paths);
        } else if path.extension().is_some_and(|kind| kind == "md") {
            paths.push(path);
        }
    }
}

impl Page {
    /// In fences, by indentation, and what the table of media servers puts in place of a last line.
    pub fn blocks(&self) -> Vec<Block> {
        let (mut blocks, mut title, mut fence) = (Vec::<Block>::new(), String::new(), None);
        let mut before = "";
        for line in self.text.lines() {
            let block = |language: &str, text: &str| Block {
                page: self.name.clone(),
                title: title.clone(),
                language: language.to_owned(),
                text: text.to_owned(),
            };
            if let Some(language) = line.strip_prefix(FENCE) {
                fence = match fence {
                    Some(_) => None,
                    None => {
                        blocks.push(block(language, ""));
                        Some(language)
                    }
                };
            } else if fence.is_some() {
                blocks.last_mut().expect("a block in a fence").add(line);
            } else if let Some(code) = line.strip_prefix(INDENT) {
                match before {
                    "" => blocks.push(block("", code)),
                    _ if before.starts_with(INDENT) => {
                        blocks.last_mut().expect("a block that goes on").add(code);
                    }
                    _ => (),
                }
            } else {
                blocks.extend(last_lines(line).map(|code| block("", code)));
                title = title_in(line).unwrap_or(&title).to_owned();
            }
            before = line;
        }
        blocks
    }

    /// Those that stand in a sentence or a table.
    pub fn commands_in_sentences(&self) -> Vec<String> {
        let is_command = |code: &&str| {
            let program = code.split(' ').next().unwrap_or_default();
            PROGRAMS.contains(&program) && code.contains(' ')
                || code.starts_with("scripts/")
                || code.starts_with(".ci/")
        };
        self.inline_code()
            .into_iter()
            .filter(is_command)
            .map(str::to_owned)
            .collect()
    }

    /// What stands between backticks outside of blocks; it may go on in the next line.
    pub fn inline_code(&self) -> Vec<&str> {
        let mut code = Vec::new();
        for (number, part) in self.text.split(FENCE).enumerate() {
            if number % 2 == 0 {
                code.extend(
                    part.split("\n\n")
                        .filter(|text| !text.starts_with(INDENT))
                        .flat_map(between_backticks),
                );
            }
        }
        code
    }
}

fn between_backticks(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

impl Block {
    fn add(&mut self, line: &str) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.text.push_str(line);
    }
}

fn title_in(line: &str) -> Option<&str> {
    match line.strip_prefix("**") {
        Some(bold) => bold.split("**").next(),
        None => line
            .starts_with('#')
            .then(|| line.trim_start_matches('#').trim()),
    }
}

fn last_lines(line: &str) -> impl Iterator<Item = &str> {
    let cells = line.starts_with('|').then(|| line.split('|'));
    cells
        .into_iter()
        .flatten()
        .filter_map(|cell| cell.trim().strip_prefix('`')?.strip_suffix('`'))
        .filter(|code| code.starts_with("! "))
}

pub fn page(name: &str) -> Page {
    pages()
        .into_iter()
        .find(|page| page.name == name)
        .expect("a page of this name")
}

pub fn blocks() -> Vec<Block> {
    pages().iter().flat_map(Page::blocks).collect()
}
