//! wire only, for now
pub mod wire;
