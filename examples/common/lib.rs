//! What the programs share.

pub mod arguments;
pub mod connection;
pub mod pictures;
