// SPDX-License-Identifier: MPL-2.0
//! The sending process.

use std::{sync::mpsc::Receiver, thread};

use crate::{
    child::{fail, say},
    clock::{self, Usage},
    job::{Case, Job, Said, Task, Window},
    outlet::Outlet,
    pads::PadSender,
    raw::RawSender,
};

pub fn run(job: &Job, port: u16, orders: &Receiver<Window>) {
    let task = job.task;
    let batch = job.case.row.batch() as u64;
    let mut outlet = outlet(job, port).unwrap_or_else(|reason| fail(reason));
    thread::spawn(move || {
        let failed = match task {
            Task::Flood => (0..).try_for_each(|_: u64| outlet.send()),
            Task::Paced(pace) => paced(&mut *outlet, pace),
            Task::Count(frames) => (0..frames / batch).try_for_each(|_| outlet.send()),
        };
        if let Err(reason) = failed {
            fail(format!("sender: {reason}"));
        }
        // What was sent may not have left: the elements live on.
        thread::park();
    });
    let window = orders.recv().expect("an order");
    clock::sleep_until(window.from);
    let start = Usage::now();
    clock::sleep_until(window.to);
    say(Said::Sent(Usage::now().since(start)));
}

fn outlet(job: &Job, port: u16) -> Result<Box<dyn Outlet + Send>, String> {
    let Case { row, size, .. } = job.case;
    Ok(if row.sending().is_empty() {
        Box::new(RawSender::connect(port, size, row.is_encrypted()).map_err(|e| e.to_string())?)
    } else {
        Box::new(PadSender::connect(job.case, port)?)
    })
}

fn paced(outlet: &mut dyn Outlet, pace: u32) -> Result<(), String> {
    let period = 1_000_000_000 / u64::from(pace);
    let mut next = clock::now();
    loop {
        clock::sleep_until(next);
        outlet.send_stamped()?;
        next += period;
    }
}
