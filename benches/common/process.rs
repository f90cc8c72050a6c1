// SPDX-License-Identifier: MPL-2.0
//! The two child processes of one measurement.

use std::{
    env,
    io::{self, BufRead, BufReader},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{self, Receiver, RecvTimeoutError, Sender},
    thread,
    time::{Duration, Instant},
};

use super::line::write_line;
use crate::job::{Job, Said, Window};

pub struct Pair {
    children: Vec<Running>,
    tell: Sender<Said>,
    said: Receiver<Said>,
    deadline: Instant,
}

struct Running {
    process: Child,
    /// The child ends when this is closed.
    orders: Option<ChildStdin>,
}

impl Pair {
    pub fn new(limit: Duration) -> Self {
        let (tell, said) = mpsc::channel();
        Self {
            children: Vec::new(),
            tell,
            said,
            deadline: Instant::now() + limit,
        }
    }

    /// By way of another program, or of none.
    pub fn start(&mut self, job: &Job, by: &[&str]) -> io::Result<()> {
        let program = env::current_exe()?;
        let mut command = match by {
            [] => Command::new(program),
            [by, arguments @ ..] => {
                let mut command = Command::new(by);
                command.args(arguments).arg(program);
                command
            }
        };
        let mut process = command
            .arg("--child")
            .arg(serde_json::to_string(job)?)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let lines = BufReader::new(process.stdout.take().expect("its stdout")).lines();
        let tell = self.tell.clone();
        let end = format!("{job:?} ended early");
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let said = serde_json::from_str(&line);
                let said = said.unwrap_or_else(|_| Said::Failed(format!("it says {line:?}")));
                let _ = tell.send(said);
            }
            let _ = tell.send(Said::Failed(end));
        });
        let orders = process.stdin.take();
        self.children.push(Running { process, orders });
        Ok(())
    }

    pub fn order(&mut self, window: Window) -> io::Result<()> {
        for orders in self.children.iter_mut().filter_map(|c| c.orders.as_mut()) {
            write_line(orders, &window)?;
        }
        Ok(())
    }

    /// The next that either of them says.
    pub fn hear(&self) -> Result<Said, String> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        match self.said.recv_timeout(left) {
            Ok(Said::Failed(reason)) => Err(reason),
            Ok(said) => Ok(said),
            Err(RecvTimeoutError::Timeout) => Err("it hangs".into()),
            Err(RecvTimeoutError::Disconnected) => unreachable!("a sender is kept"),
        }
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        for child in &mut self.children {
            child.orders = None;
        }
        for child in &mut self.children {
            child.end();
        }
    }
}

impl Running {
    fn end(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(2);
        while Instant::now() < deadline {
            match self.process.try_wait() {
                Ok(None) => thread::sleep(Duration::from_millis(1)),
                _ => return,
            }
        }
        // It has ended meanwhile, or will now.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
