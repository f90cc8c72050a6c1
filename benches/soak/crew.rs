// SPDX-License-Identifier: MPL-2.0
//! The processes: a sender, a relay, viewers.

use std::{
    env,
    io::{self, BufRead, BufReader},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering::SeqCst},
        mpsc::{self, Receiver, Sender},
    },
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::{
    cable::{Cable, Target},
    job::{Job, Kind, Said, Viewed},
};

pub const SENDER: usize = 0;
pub const RELAY: usize = 1;
/// The first of the viewers.
pub const VIEWERS: usize = 2;

const KINDS: [Kind; 10] = [
    Kind::Plain,
    Kind::Records,
    Kind::Tls,
    Kind::Plain,
    Kind::Plain,
    Kind::Plain,
    Kind::Records,
    Kind::Records,
    Kind::Tls,
    Kind::Tls,
];

/// The first viewers, one of each kind, live as long as it takes: a process that begins anew tells nothing of growth.
pub const SPARED: usize = 3;

/// A viewer that may receive, and does not for so long, has been forgotten.
const PATIENCE: Duration = Duration::from_secs(30);

pub struct Crew {
    pub members: Vec<Member>,
    /// Of the relay, and of each viewer, to where it receives from.
    pub cables: Vec<Cable>,
    ports: [Target; 3],
    tell: Sender<(usize, u64, Said)>,
    said: Receiver<(usize, u64, Said)>,
}

pub struct Member {
    job: Job,
    process: Child,
    /// It ends when this is closed.
    _orders: Option<ChildStdin>,
    generation: u64,
    /// Since when nothing has hindered it from receiving.
    well_since: Option<Instant>,
    viewed: Instant,
}

impl Crew {
    /// Starts all of them, and waits until every viewer has received.
    pub fn start() -> Result<Self, String> {
        let (tell, said) = mpsc::channel();
        let mut crew = Self {
            members: Vec::new(),
            cables: Vec::new(),
            ports: [(); 3].map(|()| Arc::new(AtomicU16::new(0))),
            tell,
            said,
        };
        crew.enlist(Job::Sender)?;
        crew.await_port(0)?;
        let port = crew.lay(0)?;
        crew.enlist(Job::Relay { port })?;
        crew.await_port(1)?;
        for kind in KINDS {
            let port = crew.lay(if kind == Kind::Tls { 2 } else { 1 })?;
            crew.enlist(Job::Viewer { kind, port })?;
        }
        Ok(crew)
    }

    fn lay(&mut self, port: usize) -> Result<u16, String> {
        let cable = Cable::lay(self.ports[port].clone()).map_err(|error| error.to_string())?;
        let port = cable.port;
        self.cables.push(cable);
        Ok(port)
    }

    fn enlist(&mut self, job: Job) -> Result<(), String> {
        let index = self.members.len();
        let member = Member::start(index, 0, job, &self.tell).map_err(|error| error.to_string())?;
        self.members.push(member);
        Ok(())
    }

    fn await_port(&mut self, port: usize) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        while self.ports[port].load(SeqCst) == 0 {
            if Instant::now() > deadline {
                return Err("nobody listens".into());
            }
            self.hear(Duration::from_millis(100))?;
        }
        Ok(())
    }

    /// What a viewer says next, if it does in so long.
    pub fn hear(&mut self, limit: Duration) -> Result<Option<(usize, Viewed)>, String> {
        let Ok((index, generation, said)) = self.said.recv_timeout(limit) else {
            return Ok(None);
        };
        let member = &mut self.members[index];
        if generation != member.generation {
            return Ok(None);
        }
        match said {
            Said::Failed(reason) => Err(format!("{}: {reason}", self.name(index))),
            Said::Ports { plain, .. } if index == SENDER => {
                self.ports[0].store(plain, SeqCst);
                Ok(None)
            }
            Said::Ports { plain, tls } => {
                self.ports[1].store(plain, SeqCst);
                self.ports[2].store(tls, SeqCst);
                Ok(None)
            }
            Said::Viewed(viewed) => {
                member.viewed = Instant::now();
                Ok(Some((index, viewed)))
            }
        }
    }

    pub fn name(&self, index: usize) -> String {
        match self.members[index].job {
            Job::Sender => "sender".into(),
            Job::Relay { .. } => "relay".into(),
            Job::Viewer {
                kind: Kind::Plain, ..
            } => format!("viewer {}, plain", index - RELAY),
            Job::Viewer {
                kind: Kind::Records,
                ..
            } => format!("viewer {}, records", index - RELAY),
            Job::Viewer {
                kind: Kind::Tls, ..
            } => format!("viewer {}, TLS", index - RELAY),
        }
    }

    /// Those whose process is the elements' and lives as long as it takes.
    pub fn watched(&self) -> Vec<usize> {
        let is_plain = |index: usize| {
            let kind = Kind::Plain;
            matches!(self.members[index].job, Job::Viewer { kind: k, .. } if k == kind)
        };
        let all = 0..VIEWERS + SPARED;
        all.filter(|&index| !is_plain(index)).collect()
    }

    pub fn pid(&self, index: usize) -> u32 {
        self.members[index].process.id()
    }

    /// Kills a process, and starts another in its place.
    pub fn replace(&mut self, index: usize) -> Result<(), String> {
        let member = &mut self.members[index];
        // It has not ended, or that has been told.
        let _ = member.process.kill();
        let _ = member.process.wait();
        let (generation, job) = (member.generation + 1, member.job);
        let started = Member::start(index, generation, job, &self.tell);
        self.members[index] = started.map_err(|error| error.to_string())?;
        Ok(())
    }

    pub fn stall(&mut self, index: usize, is_stalled: bool) {
        let signal = if is_stalled {
            Signal::SIGSTOP
        } else {
            Signal::SIGCONT
        };
        // It may have been replaced.
        let _ = kill(Pid::from_raw(self.pid(index) as i32), signal);
        self.members[index].well_since = (!is_stalled).then(Instant::now);
    }

    /// The feed of all of them has been disturbed.
    pub fn excuse_all(&mut self) {
        for member in &mut self.members {
            member.well_since = member.well_since.map(|_| Instant::now());
        }
    }

    /// A viewer that receives nothing although nothing hinders it.
    pub fn forgotten(&self) -> Option<String> {
        let viewers = self.members.iter().enumerate().skip(VIEWERS);
        let mut forgotten = viewers.filter(|(_, member)| {
            let since = member.well_since.map(|since| since.max(member.viewed));
            since.is_some_and(|since| since.elapsed() > PATIENCE)
        });
        forgotten
            .next()
            .map(|(index, _)| format!("{} got nothing for {PATIENCE:?}", self.name(index)))
    }
}

impl Member {
    fn start(
        index: usize,
        generation: u64,
        job: Job,
        tell: &Sender<(usize, u64, Said)>,
    ) -> io::Result<Self> {
        let mut process = Command::new(env::current_exe()?)
            .arg("--child")
            .arg(serde_json::to_string(&job)?)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let lines = BufReader::new(process.stdout.take().expect("its stdout")).lines();
        let tell = tell.clone();
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let said = serde_json::from_str(&line);
                let said = said.unwrap_or_else(|_| Said::Failed(format!("it says {line:?}")));
                let _ = tell.send((index, generation, said));
            }
            let _ = tell.send((index, generation, Said::Failed("it ended".into())));
        });
        Ok(Self {
            job,
            _orders: process.stdin.take(),
            process,
            generation,
            well_since: Some(Instant::now()),
            viewed: Instant::now(),
        })
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        // Also one that is stalled.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
