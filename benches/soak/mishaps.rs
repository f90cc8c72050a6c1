// SPDX-License-Identifier: MPL-2.0
//! What goes wrong, by chance that is the same in every run of a seed.

use std::{
    io::Write,
    net::{Ipv4Addr, TcpStream},
    time::{Duration, Instant},
};

use crate::{
    cable::Fate,
    crew::{Crew, RELAY, SENDER, SPARED, VIEWERS},
    random::Random,
};

/// From one to the next.
const LONGEST_PAUSE: usize = 2_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mishap {
    KillViewer,
    StallViewer,
    EndLink,
    ResetLink,
    SilenceLink,
    ResetFeed,
    EndFeed,
    StallRelay,
    Stranger,
    KillRelay,
    KillSender,
}

/// As often as they are listed.
const MISHAPS: [Mishap; 22] = [
    Mishap::KillViewer,
    Mishap::KillViewer,
    Mishap::KillViewer,
    Mishap::StallViewer,
    Mishap::StallViewer,
    Mishap::StallViewer,
    Mishap::StallViewer,
    Mishap::EndLink,
    Mishap::EndLink,
    Mishap::EndLink,
    Mishap::ResetLink,
    Mishap::ResetLink,
    Mishap::ResetLink,
    Mishap::SilenceLink,
    Mishap::SilenceLink,
    Mishap::ResetFeed,
    Mishap::EndFeed,
    Mishap::StallRelay,
    Mishap::Stranger,
    Mishap::Stranger,
    Mishap::KillRelay,
    Mishap::KillSender,
];

/// What strangers say.
const WORDS: [&[u8]; 4] = [
    b"",
    b"GET / HTTP/1.1\r\n\r\n",
    b"99999999",
    b"\x16\x03\x01\x02\x00\x01",
];

pub struct Mishaps {
    random: Random,
    next: Instant,
    /// What ends a mishap, and when.
    remedies: Vec<(Instant, Remedy)>,
    strangers: Vec<TcpStream>,
    counts: Vec<(&'static str, usize)>,
}

#[derive(Clone, Copy)]
enum Remedy {
    Continue(usize),
    Reset(usize),
}

impl Mishaps {
    pub fn new(seed: u64) -> Self {
        Self {
            random: Random::new(seed),
            next: Instant::now(),
            remedies: Vec::new(),
            strangers: Vec::new(),
            counts: Vec::new(),
        }
    }

    /// As "12 cut links, 3 ...".
    pub fn told(&self) -> String {
        let told = self.counts.iter();
        let told: Vec<_> = told
            .map(|(name, count)| format!("{count} {name}"))
            .collect();
        told.join(", ")
    }

    /// Whatever is due. Sender and relay may be killed where this `may_begin_anew`.
    pub fn befall(&mut self, crew: &mut Crew, may_begin_anew: bool) -> Result<(), String> {
        self.remedy(crew, Instant::now());
        if Instant::now() < self.next {
            return Ok(());
        }
        let pause = 100 + self.random.below(LONGEST_PAUSE);
        self.next = Instant::now() + Duration::from_millis(pause as u64);
        let &mishap = self.random.pick(&MISHAPS);
        match mishap {
            Mishap::KillRelay | Mishap::KillSender if !may_begin_anew => Ok(()),
            mishap => self.happen(mishap, crew),
        }
    }

    /// All is to be well from now on.
    pub fn cease(&mut self, crew: &mut Crew) {
        self.remedy(crew, Instant::now() + Duration::from_secs(3_600));
        self.strangers.clear();
    }

    fn remedy(&mut self, crew: &mut Crew, now: Instant) {
        self.remedies.retain(|&(at, remedy)| {
            if at <= now {
                match remedy {
                    Remedy::Continue(index) => crew.stall(index, false),
                    Remedy::Reset(cable) => crew.cables[cable].meet(Fate::Reset),
                }
            }
            at > now
        });
    }

    fn happen(&mut self, mishap: Mishap, crew: &mut Crew) -> Result<(), String> {
        let viewers = crew.members.len() - VIEWERS;
        let any = VIEWERS + SPARED + self.random.below(viewers - SPARED);
        // The first is the relay's.
        let cable = 1 + self.random.below(viewers);
        let mut later = |most| {
            let after = Duration::from_millis(100 + self.random.below(most) as u64);
            Instant::now() + after
        };
        let name = match mishap {
            Mishap::KillViewer => {
                crew.replace(any)?;
                "killed viewers"
            }
            Mishap::StallViewer => {
                crew.stall(any, true);
                self.remedies.push((later(8_000), Remedy::Continue(any)));
                "stalled viewers"
            }
            Mishap::EndLink => {
                crew.cables[cable].meet(Fate::Ended);
                "ended links"
            }
            Mishap::ResetLink => {
                crew.cables[cable].meet(Fate::Reset);
                "reset links"
            }
            Mishap::SilenceLink => {
                crew.cables[cable].meet(Fate::Silent);
                self.remedies.push((later(5_000), Remedy::Reset(cable)));
                "silent links"
            }
            Mishap::ResetFeed | Mishap::EndFeed => {
                let is_reset = mishap == Mishap::ResetFeed;
                crew.cables[0].meet(if is_reset { Fate::Reset } else { Fate::Ended });
                "cuts before the relay"
            }
            Mishap::StallRelay => {
                crew.stall(RELAY, true);
                self.remedies.push((later(500), Remedy::Continue(RELAY)));
                "stalls of the relay"
            }
            Mishap::Stranger => {
                self.call(crew, cable);
                "strangers"
            }
            Mishap::KillRelay => {
                crew.replace(RELAY)?;
                crew.excuse_all();
                "killed relays"
            }
            Mishap::KillSender => {
                crew.replace(SENDER)?;
                crew.excuse_all();
                "killed senders"
            }
        };
        self.count(name);
        Ok(())
    }

    /// A stranger says something, and stays for a while.
    fn call(&mut self, crew: &Crew, cable: usize) {
        let &words = self.random.pick(&WORDS);
        if let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, crew.cables[cable].port)) {
            // It may have been turned away.
            let _ = stream.write_all(words);
            self.strangers.push(stream);
        }
        if self.strangers.len() > 10 {
            self.strangers.remove(0);
        }
    }

    fn count(&mut self, name: &'static str) {
        match self.counts.iter_mut().find(|(known, _)| *known == name) {
            Some((_, count)) => *count += 1,
            None => self.counts.push((name, 1)),
        }
    }
}
