// SPDX-License-Identifier: MPL-2.0
//! scripts/setup.sh on machines that lack this or that, with programs that only pretend.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/setup.sh");
/// What every machine has.
const TOOLS: &str = "sh sed sort head cut grep dirname env touch chmod cat";
/// What it looks for, and here finds.
const FOUND: &str = "make python3 cc pkg-config gst-launch-1.0 gst-inspect-1.0 ip";
const APT: &str = r#"
echo "apt-get $*" >>"$APT_LOG"
case "$*" in
    *--assume-no*) echo "Reading..."; echo "Need to get 12.3 MB of archives."; exit 1 ;;
    *install*) echo "Unpacking..."; printf '#!/bin/sh\n' >"$BIN/openssl"; chmod 755 "$BIN/openssl" ;;
esac
"#;

struct Machine(PathBuf);

impl Machine {
    /// One that lacks openssl, and Rust.
    fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("setup-{name}"));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(folder.join("bin")).expect("a folder");
        let machine = Self(folder);
        let path = std::env::var_os("PATH").expect("a PATH");
        for tool in TOOLS.split(' ') {
            let mut folders = std::env::split_paths(&path).map(|folder| folder.join(tool));
            let found = folders.find(|file| file.exists()).expect(tool);
            symlink(found, machine.0.join("bin").join(tool)).expect("a link");
        }
        for program in FOUND.split(' ') {
            machine.has(program, "");
        }
        machine.has("uname", "echo Linux");
        machine.has("id", "echo 0");
        machine.has("apt-get", APT);
        machine
    }

    fn has(&self, program: &str, text: &str) {
        let file = self.0.join("bin").join(program);
        fs::write(&file, format!("#!/bin/sh\n{text}\n")).expect("a program");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("it can be run");
    }

    fn set_up(&self) -> Output {
        Command::new("sh")
            .arg(SCRIPT)
            .env_clear()
            .env("PATH", self.0.join("bin"))
            .env("BIN", self.0.join("bin"))
            .env("HOME", &self.0)
            .env("APT_LOG", self.0.join("apt.log"))
            .output()
            .expect("a shell")
    }

    fn asked_apt(&self) -> String {
        fs::read_to_string(self.0.join("apt.log")).unwrap_or_default()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn rust_is_looked_for_before_apt_is_asked() {
    let machine = Machine::new("no-rust");
    for cargo in [None, Some("echo 'cargo 1.63.0 (abc 2022-08-01)'")] {
        if let Some(text) = cargo {
            machine.has("cargo", text);
        }
        let outcome = machine.set_up();
        assert!(!outcome.status.success());
        let said = text(&outcome.stderr);
        assert!(said.starts_with("Rust comes first"), "{said}");
        assert!(said.contains("https://sh.rustup.rs"), "{said}");
        assert_eq!(machine.asked_apt(), "");
    }
}

#[test]
fn what_apt_takes_is_said_before_and_nothing_after() {
    let machine = Machine::new("no-openssl");
    machine.has("cargo", "echo 'cargo 1.99.0 (abc 2027-08-01)'");
    let outcome = machine.set_up();
    let said = text(&outcome.stdout);
    assert!(outcome.status.success(), "{said}{}", text(&outcome.stderr));
    let lines: Vec<_> = said.lines().collect();
    assert_eq!(
        lines,
        [
            "Missing: openssl",
            "Need to get 12.3 MB of archives.",
            "apt installs it, which may take some minutes..."
        ]
    );
    let again = machine.set_up();
    assert!(again.status.success());
    assert_eq!(text(&again.stdout), "");
}
