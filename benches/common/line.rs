// SPDX-License-Identifier: MPL-2.0
//! A message between the processes.

use std::io::{self, Write};

use serde::Serialize;

pub fn write_line(mut to: impl Write, message: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    to.write_all(&line)?;
    to.flush()
}
