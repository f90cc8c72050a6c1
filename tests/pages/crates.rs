// SPDX-License-Identifier: MPL-2.0
//! Each crate that is made use of has its reason.

use std::fs;
use std::path::Path;

use super::document::{ROOT, page};

#[test]
fn each_crate_has_its_reason() {
    let page = page("docs/ARCHITECTURE.md");
    let (_, reasons) = page
        .text
        .split_once("\n## Dependencies\n")
        .expect("the section");
    let reasons: Vec<_> = reasons.split('`').skip(1).step_by(2).collect();
    for (manifest, name) in crates() {
        assert!(reasons.contains(&name.as_str()), "{name} of {manifest}");
    }
}

/// Of all manifests in the tree, by the names that they have in the registry.
fn crates() -> Vec<(String, String)> {
    let mut manifests = vec![Path::new(ROOT).join("Cargo.toml")];
    for folder in ["examples", "fuzz"] {
        let entries = fs::read_dir(Path::new(ROOT).join(folder)).expect("a folder");
        manifests.extend(entries.map(|entry| entry.expect("an entry").path().join("Cargo.toml")));
        manifests.push(Path::new(ROOT).join(folder).join("Cargo.toml"));
    }
    let mut crates = Vec::new();
    for manifest in manifests.iter().filter(|manifest| manifest.exists()) {
        let text = fs::read_to_string(manifest).expect("a manifest");
        let name = manifest
            .strip_prefix(ROOT)
            .expect("in the tree")
            .display()
            .to_string();
        crates.extend(dependencies(&text).into_iter().map(|it| (name.clone(), it)));
    }
    crates
}

fn dependencies(manifest: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut is_among = false;
    for line in manifest.lines() {
        if line.starts_with('[') {
            is_among = line.ends_with("dependencies]");
        } else if is_among
            && !line.starts_with('#')
            && !line.contains("path = ")
            && let Some((name, value)) = line.split_once(" = ")
        {
            let package = value
                .split_once("package = \"")
                .and_then(|(_, rest)| rest.split('"').next());
            names.push(
                package
                    .unwrap_or(name.split('.').next().unwrap_or(name))
                    .to_owned(),
            );
        }
    }
    names
}
