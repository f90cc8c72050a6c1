// SPDX-License-Identifier: MPL-2.0
//! What the programs share.

pub mod arguments;
pub mod connection;
pub mod pictures;
