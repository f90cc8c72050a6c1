// SPDX-License-Identifier: MPL-2.0
//! Decoder settings that stand in the caps, and so do not go over the wire.

use super::VideoSocketSink;

/// A codec that can carry its settings in the frames instead.
struct InBand {
    media_type: &'static str,
    /// In these forms it does.
    stream_formats: &'static [&'static str],
    cure: &'static str,
}

const IN_BAND: [InBand; 4] = [
    InBand {
        media_type: "video/x-h264",
        stream_formats: &["byte-stream"],
        cure: "h264parse config-interval=-1 ! video/x-h264,stream-format=byte-stream,alignment=au",
    },
    InBand {
        media_type: "video/x-h265",
        stream_formats: &["byte-stream"],
        cure: "h265parse config-interval=-1 ! video/x-h265,stream-format=byte-stream,alignment=au",
    },
    InBand {
        media_type: "video/x-av1",
        stream_formats: &["obu-stream", "annexb"],
        cure: "av1parse ! video/x-av1,stream-format=obu-stream,alignment=tu",
    },
    InBand {
        media_type: "audio/mpeg",
        stream_formats: &["adts", "loas"],
        cure: "aacparse ! audio/mpeg,stream-format=adts",
    },
];

/// Warns of what no receiver could decode.
pub fn warn_of_loss(sink: &VideoSocketSink, caps: &gst::Caps) {
    let Some(structure) = caps.structure(0) else {
        return;
    };
    if structure.has_field("codec_data")
        && let Some(cure) = cure(structure)
    {
        let name = structure.name();
        gst::element_warning!(
            sink,
            gst::StreamError::Format,
            ("The caps of this {name} have decoder settings (codec_data), which a client does not get that is not \
                 told what the frames are: {cure}; or receive with videosocketsrc metadata=request"),
            ["{caps}"]
        );
    }
}

/// What to do about it, if anything.
fn cure(structure: &gst::StructureRef) -> Option<String> {
    let mut codecs = IN_BAND.iter();
    let Some(codec) = codecs.find(|codec| structure.name() == codec.media_type) else {
        return Some("a receiver has to have them from elsewhere, in its caps".into());
    };
    let format = structure.get::<&str>("stream-format").ok();
    let is_in_band = format.is_some_and(|format| codec.stream_formats.contains(&format));
    (!is_in_band).then(|| format!("put {} before this element", codec.cure))
}
