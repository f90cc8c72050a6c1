// SPDX-License-Identifier: MPL-2.0
//! Which memory frames are received into: what downstream proposes, where they come in the same layout.

use gst::{glib, prelude::*};
use gst_video::VideoInfo;

use crate::{
    frames::{Allocation, ProposedPool},
    metadata::raw_video,
};

/// A pool, if any, the size of its buffers, and the least and the greatest number of them.
type Proposal = (Option<gst::BufferPool>, u32, u32, u32);

/// Leaves none in the query.
pub fn take_pools(query: &mut gst::query::Allocation) -> Vec<Proposal> {
    let proposals: Vec<_> = query.allocation_pools().collect();
    for _ in &proposals {
        query.remove_nth_allocation_pool(0);
    }
    proposals
}

/// What to go by. Of the pools it is the first that fits; that one is put back into the query, from where
/// the base class takes it over.
pub fn decide(query: &mut gst::query::Allocation, proposals: Vec<Proposal>) -> Allocation {
    // Not the allocator: of one with little to give, such as that of shared memory, the buffers that are
    // kept for later frames would leave nothing, and a header that announces much would take it all.
    let mut params = query.allocation_params();
    let align = params.next().map_or(0, |(_, params)| params.align());
    // Only of raw video it is known beforehand how long a frame is.
    let layout = query.caps().and_then(raw_video);
    Allocation {
        pool: layout.and_then(|layout| choose(query, proposals, layout)),
        align,
    }
}

fn choose(
    query: &mut gst::query::Allocation,
    proposals: Vec<Proposal>,
    layout: VideoInfo,
) -> Option<ProposedPool> {
    for (pool, size, min, max) in proposals {
        let Some(pool) = pool.filter(|_| size as usize == layout.size()) else {
            continue;
        };
        match prepare(&pool, query, (size, min, max)) {
            Ok(()) => {
                query.add_allocation_pool(Some(&pool), size, min, max);
                return Some(ProposedPool { pool, layout });
            }
            Err(error) => gst::debug!(gst::CAT_PERFORMANCE, obj = pool, "Not used: {error}"),
        }
    }
    None
}

/// The bytes of a frame, where all of this type have the same number.
pub fn raw_frame_size(caps: &gst::CapsRef) -> Option<usize> {
    raw_video(caps).map(|layout| layout.size())
}

/// Configures the pool as the base class would, but does without it where that would end the stream.
fn prepare(
    pool: &gst::BufferPool,
    query: &gst::query::Allocation,
    (size, min, max): (u32, u32, u32),
) -> Result<(), glib::BoolError> {
    let (caps, _) = query.get_owned();
    let mut config = pool.config();
    config.set_params(caps.as_ref(), size, min, max);
    if let Some((allocator, params)) = query.allocation_params().next() {
        config.set_allocator(allocator.as_ref(), Some(&params));
    }
    if pool.set_config(config).is_err() {
        // The pool may have changed what it cannot do.
        let config = pool.config();
        config.validate_params(caps.as_ref(), size, min, max)?;
        pool.set_config(config)?;
    }
    let actual_size = pool.config().params().map(|(_, size, ..)| size);
    if actual_size != Some(size) {
        return Err(glib::bool_error!("Buffers have padding"));
    }
    pool.set_active(true)
}
