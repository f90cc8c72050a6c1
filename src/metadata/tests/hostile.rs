//! Anything at all.
