// SPDX-License-Identifier: MPL-2.0
//! Encrypted connections: the frames are the same, and whoever is not the right one learns why it is not.

mod authority;
mod faults;
mod frames;
mod peer;
mod programs;
mod trust;
