// SPDX-License-Identifier: MPL-2.0
//! Links that can be cut, all within this host.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{Ipv4Addr, Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{
            AtomicU8, AtomicU16,
            Ordering::{Relaxed, SeqCst},
        },
    },
    thread,
    time::Duration,
};

use socket2::SockRef;

/// How soon a fate is met with.
const LOOK: Duration = Duration::from_millis(50);

/// Where a link leads to; the process there may be another each time.
pub type Target = Arc<AtomicU16>;

/// A way to a process, for the connections of another.
pub struct Cable {
    pub port: u16,
    lines: Arc<Mutex<Vec<Arc<Line>>>>,
}

struct Line {
    near: TcpStream,
    far: TcpStream,
    fate: AtomicU8,
}

/// What becomes of the connections that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Fate {
    Flows,
    /// Nothing moves, and nobody is told.
    Silent,
    /// Both ends see an end.
    Ended,
    /// Both ends see a reset.
    Reset,
}

impl Cable {
    pub fn lay(target: Target) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let lines = Arc::<Mutex<Vec<_>>>::default();
        let open = lines.clone();
        thread::spawn(move || {
            for near in listener.incoming().flatten() {
                // Where nobody listens any more, whoever has connected sees an end.
                if let Ok(far) = TcpStream::connect((Ipv4Addr::LOCALHOST, target.load(SeqCst))) {
                    carry(near, far, &open);
                }
            }
        });
        Ok(Self { port, lines })
    }

    pub fn meet(&self, fate: Fate) {
        for line in &*lock(&self.lines) {
            line.fate.store(fate as u8, Relaxed);
        }
    }
}

fn carry(near: TcpStream, far: TcpStream, open: &Arc<Mutex<Vec<Arc<Line>>>>) {
    for stream in [&near, &far] {
        let _ = stream.set_nodelay(true);
        let _ = stream.set_read_timeout(Some(LOOK));
        let _ = stream.set_write_timeout(Some(LOOK));
    }
    let line = Arc::new(Line {
        near,
        far,
        fate: AtomicU8::new(Fate::Flows as u8),
    });
    lock(open).push(line.clone());
    let back = line.clone();
    let backwards = thread::spawn(move || back.copy(&back.near, &back.far));
    let open = open.clone();
    thread::spawn(move || {
        line.copy(&line.far, &line.near);
        // A panic of it is none of this one's.
        let _ = backwards.join();
        lock(&open).retain(|other| !Arc::ptr_eq(other, &line));
    });
}

impl Line {
    fn is(&self, fate: Fate) -> bool {
        self.fate.load(Relaxed) == fate as u8
    }

    /// Moves what comes from one end to the other, up to an end.
    fn copy(&self, mut from: &TcpStream, to: &TcpStream) {
        let mut bytes = vec![0; 65_536];
        while self.goes_on() {
            match from.read(&mut bytes) {
                Ok(0) => {
                    let _ = to.shutdown(Shutdown::Write);
                    return;
                }
                Ok(len) if self.pass(&bytes[..len], to) => (),
                Err(error) if is_timeout(&error) => (),
                // So that the other direction sees it as well.
                Ok(_) | Err(_) => self.fate.store(Fate::Reset as u8, Relaxed),
            }
        }
    }

    fn pass(&self, mut bytes: &[u8], mut to: &TcpStream) -> bool {
        while !bytes.is_empty() && self.goes_on() {
            match to.write(bytes) {
                Ok(len) => bytes = &bytes[len..],
                Err(error) if is_timeout(&error) => (),
                Err(_) => return false,
            }
        }
        true
    }

    /// Waits while nothing is to move. Says whether something is again.
    fn goes_on(&self) -> bool {
        while self.is(Fate::Silent) {
            thread::sleep(LOOK);
        }
        if self.is(Fate::Flows) {
            return true;
        }
        for stream in [&self.near, &self.far] {
            let _ = match self.is(Fate::Ended) {
                true => stream.shutdown(Shutdown::Both),
                // Once it is closed.
                false => SockRef::from(stream).set_linger(Some(Duration::ZERO)),
            };
        }
        false
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
