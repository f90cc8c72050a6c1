// SPDX-License-Identifier: MPL-2.0
//! The process that listens.

use std::{
    fs,
    process::Command,
    sync::mpsc::{self, Receiver},
};

use crate::{
    child::{fail, say},
    clock::{self, Usage},
    elements::{receive, send},
    job::{Case, Said, Used, Window},
    log::Log,
    pipeline::listening_port,
    tls::Identity,
};

const ADDRESS: &str = "mode=listen host=127.0.0.1 port=0";

pub fn run(case: Case, orders: &Receiver<Window>) {
    let identity = case.is_encrypted().then(Identity::new);
    let show = |element: &gst::Element| {
        if let Some(identity) = &identity {
            identity.show(element);
        }
    };
    let log = Log::default();
    let (tell, begun) = mpsc::channel();
    let element = if case.is_sink() {
        send(&format!("{ADDRESS} wait-for-connection=false"), show)
    } else {
        let settings = format!("{ADDRESS} reconnect=true");
        let heard = move |begins| {
            if begins {
                let _ = tell.send(clock::now());
            }
        };
        receive(&settings, log.clone(), heard, show)
    };
    let port = listening_port(&element).unwrap_or_else(|reason| fail(reason));
    drop(identity);
    say(Said::Port(port));
    let mut start = Usage::now();
    for order in orders {
        if order == Window::Join {
            if !case.is_sink() {
                say_when_joined(&begun);
            }
            continue;
        }
        let spent = Usage::now().since(start);
        say(Said::Used(Used {
            resident: resident(),
            sockets: sockets(port),
            processors: spent.cpu_seconds / spent.seconds,
        }));
        if !case.is_sink() {
            say(Said::Flow(log.flow()));
        }
        start = Usage::now();
    }
}

fn say_when_joined(begun: &Receiver<u64>) {
    let ordered = clock::now();
    // The connections before that are none of it.
    begun.try_iter().for_each(drop);
    if let Ok(at) = begun.recv() {
        say(Said::Joined(at.saturating_sub(ordered) as f64 / 1e6));
    }
}

/// Memory that is this process's own.
fn resident() -> i64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<i64>().ok());
    kilobytes.unwrap_or(0) * 1_024
}

/// What the kernel holds in the sockets of this end, as `ss` tells.
fn sockets(port: u16) -> i64 {
    let arguments = ["-tmnHO", "sport", "=", &format!(":{port}")];
    let Ok(told) = Command::new("ss").args(arguments).output() else {
        return 0;
    };
    let told = String::from_utf8_lossy(&told.stdout);
    told.lines().filter_map(memory).sum()
}

/// Of one socket: what it has received, what is to be sent, and what is set aside for more.
fn memory(line: &str) -> Option<i64> {
    let (_, fields) = line.split_once("skmem:(")?;
    let fields = fields.split([',', ')']);
    let counted = fields.filter_map(|field| {
        let at = field.find(|c: char| c.is_ascii_digit())?;
        let (name, number) = field.split_at(at);
        matches!(name, "r" | "f" | "w").then(|| number.parse::<i64>().ok())?
    });
    Some(counted.sum())
}
