// SPDX-License-Identifier: MPL-2.0
//! A source that finds out what its frames are has what it needs for that before anybody has connected: to
//! load it takes so long that a live stream would fall behind.
//!
//! In a process of its own, as what is loaded stays.

#[allow(dead_code, unused_imports, reason = "most helpers serve other tests")]
mod support;

use gst::prelude::*;
use support::*;

/// The plugins with typefinders that can be loaded and are not.
fn unloaded() -> Vec<String> {
    let registry = gst::Registry::get();
    let factories = registry.features(gst::TypeFindFactory::static_type());
    let mut names: Vec<_> = factories.iter().filter_map(|f| f.plugin_name()).collect();
    names.sort();
    names.dedup();
    names.retain(|name| {
        let plugin = registry.find_plugin(name);
        plugin.is_some_and(|plugin| !plugin.is_loaded())
    });
    names.into_iter().map(String::from).collect()
}

#[test]
fn typefinders_are_loaded_before_they_are_needed() {
    let source = Receiver::new("mode=listen port=0 caps=image/jpeg");
    assert_ne!(unloaded(), [""; 0], "none is in use yet");
    let before = unloaded();
    source.pause();
    assert_eq!(unloaded(), before, "with caps from the user none is needed");
    let source = Receiver::new("mode=listen port=0");
    source.pause();
    let mut left = unloaded();
    left.retain(|name| gst::Plugin::load_by_name(name).is_ok());
    assert_eq!(left, [""; 0]);
}
