//! What the README shows: each indented block, by the words in front of it.

use std::fs;

const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
const INDENT: &str = "    ";

pub struct Block {
    /// The heading, or the bold words, that it stands under.
    pub title: String,
    pub text: String,
}

impl Block {
    /// The commands for a shell, each with the lines on which it goes on. A Python program is one.
    fn commands(&self) -> Vec<String> {
        if self.text.starts_with("import ") {
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

/// All of them, and what the table of media servers puts in place of a last line.
pub fn blocks() -> Vec<Block> {
    let readme = fs::read_to_string(README).expect("the README");
    let (mut blocks, mut title) = (Vec::<Block>::new(), String::new());
    let mut goes_on = false;
    for line in readme.lines() {
        let mut add = |text: &str| {
            blocks.push(Block {
                title: title.clone(),
                text: text.to_owned(),
            });
        };
        match line.strip_prefix(INDENT) {
            Some(code) if goes_on => {
                let block = blocks.last_mut().expect("a block that goes on");
                block.text = format!("{}\n{code}", block.text);
            }
            Some(code) => add(code),
            None => last_lines(line).for_each(&mut add),
        }
        goes_on = line.starts_with(INDENT);
        if let Some(words) = title_in(line) {
            title = words.to_owned();
        }
    }
    blocks
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

/// What is shown under these words, which is to be as many commands as the caller knows.
#[track_caller]
pub fn commands<const COUNT: usize>(title: &str) -> [String; COUNT] {
    let blocks = blocks();
    let found = blocks.iter().filter(|block| block.title == title);
    let commands: Vec<_> = found
        .flat_map(Block::commands)
        .filter(|command| !command.starts_with("! "))
        .collect();
    commands
        .try_into()
        .unwrap_or_else(|commands| panic!("{COUNT} commands under {title}, not {commands:#?}"))
}
