// SPDX-License-Identifier: MPL-2.0
//! Pictures that come in pieces.

/// Whether each frame is a NAL or an OBU, and so a piece of a picture.
pub fn comes_in_pieces(caps: &gst::CapsRef) -> bool {
    let structure = caps.structure(0);
    let alignment = structure.and_then(|structure| structure.get::<&str>("alignment").ok());
    matches!(alignment, Some("nal" | "obu"))
}
