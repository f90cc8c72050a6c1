// SPDX-License-Identifier: MPL-2.0
//! Puts the release and commit into the plugin's metadata.

fn main() {
    gst_plugin_version_helper::info();
}
