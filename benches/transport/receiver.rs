// SPDX-License-Identifier: MPL-2.0
//! The receiving process.

use std::sync::{
    Arc,
    mpsc::{self, Receiver},
};

use crate::{
    child::{fail, say},
    clock,
    job::{Job, Received, Said, Task, Window},
    meter::{Mark, Meter},
    pads, raw,
};

pub fn run(job: &Job, orders: &Receiver<Window>) {
    let (mark, marks) = mpsc::channel();
    let meter = Arc::new(Meter::new(job, mark));
    let row = job.case.row;
    let port = if row.receiving().is_empty() {
        raw::receive(row.is_encrypted(), Arc::clone(&meter)).map_err(|error| error.to_string())
    } else {
        pads::receive(row, Arc::clone(&meter))
    };
    say(Said::Port(port.unwrap_or_else(|reason| fail(reason))));

    let next = || marks.recv().expect("a mark");
    let first = next();
    say(Said::Flowing);
    let (start, end) = match job.task {
        Task::Count(frames) => (
            first,
            await_bytes(frames * job.case.size as u64, first, &next),
        ),
        Task::Flood | Task::Paced(_) => {
            let window = orders.recv().expect("an order");
            clock::sleep_until(window.from);
            meter.ask();
            let start = next();
            meter.forget_delays();
            clock::sleep_until(window.to);
            meter.ask();
            (start, next())
        }
    };
    say(Said::Received(Received {
        spent: end.usage.since(start.usage),
        bytes: end.bytes - start.bytes,
        delays: meter.delays(),
    }));
}

fn await_bytes(bytes: u64, first: Mark, next: &impl Fn() -> Mark) -> Mark {
    let mut mark = first;
    while mark.bytes < bytes {
        mark = next();
    }
    mark
}
