// SPDX-License-Identifier: MPL-2.0
//! A handler of the application's that does not return.

use super::{PATIENCE, Sender, listen_to};
use parking_lot::Mutex;
use std::sync::mpsc;

/// A sink tells of each client, and of nothing else, until it is let go.
pub struct Held {
    come: mpsc::Receiver<()>,
    go: mpsc::Sender<()>,
}

impl Held {
    pub fn at_each_client(sink: &Sender) -> Self {
        let ((came, come), (go, gone)) = (mpsc::channel(), mpsc::channel());
        let gone = Mutex::new(gone);
        listen_to(&sink.sink, "client-added", move |_| {
            let _ = came.send(());
            // Also when the test is over.
            let _ = gone.lock().recv();
        });
        Self { come, go }
    }

    #[track_caller]
    pub fn await_client(&self) {
        self.come.recv_timeout(PATIENCE).expect("a client");
    }

    pub fn let_go(&self) {
        self.go.send(()).expect("a handler");
    }
}
