// SPDX-License-Identifier: MPL-2.0
//! Whether frames may go as a buffer list.

use gst::prelude::*;

/// Whether whoever looks at the pads sees what is in a list: a probe for buffers is not called for those.
pub fn is_seen(pad: &gst::Pad) -> bool {
    !has_probes(pad) && !pad.peer().is_some_and(|peer| has_probes(&peer))
}

#[allow(unsafe_code)]
fn has_probes(pad: &gst::Pad) -> bool {
    let _guard = pad.object_lock();
    // SAFETY: the field of a live object, read under the lock that it is protected by.
    unsafe { (*pad.as_ptr()).num_probes > 0 }
}
