// SPDX-License-Identifier: MPL-2.0
//! Two places with a link between them that takes its time. Each is a network namespace, with one end of the link as
//! its only way out; a thread carries the packets.
//!
//! What a thread has entered, its sockets and the threads that it starts belong to.

use super::has_ipv6;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::time::TimeSpec;
use std::any::type_name;
use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, PipeReader, PipeWriter, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::panic::resume_unwind;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

pub struct Link {
    pub near: Place,
    pub far: Place,
    fate: Arc<Fate>,
    stop: Option<PipeWriter>,
    carrier: Option<JoinHandle<()>>,
}

/// One end of the link, and all that is there.
pub struct Place {
    namespace: File,
    addresses: Vec<IpAddr>,
    link_local: Ipv6Addr,
}

#[derive(Default)]
struct Fate {
    is_cut: AtomicBool,
    lost: AtomicU64,
}

/// Runs a test over a link with this delay in either direction: in a process of its own where that takes other
/// rights, and not at all where it cannot be had.
#[track_caller]
pub fn over_link<Test: FnOnce(Link)>(delay: Duration, test: Test) {
    let name = type_name::<Test>().split("::").skip(1);
    let name: Vec<_> = name.take_while(|part| !part.starts_with('{')).collect();
    let name = name.join("::");
    if !may_leave_namespace() {
        return match std::env::var_os(AS_ROOT) {
            None => run_as_root(&name),
            Some(_) => skip(&name, "no network namespace can be made"),
        };
    }
    match Link::new(delay) {
        Ok(link) => test(link),
        Err(reason) => skip(&name, &reason),
    }
}

/// Set in a process that is as much root as can be.
const AS_ROOT: &str = "VIDEOSOCKET_LINK_AS_ROOT";

fn may_leave_namespace() -> bool {
    let leave = || unshare(CloneFlags::CLONE_NEWNET).is_ok();
    thread::spawn(leave).join().expect("no panic")
}

#[track_caller]
fn run_as_root(name: &str) {
    let as_root = |program: &str| {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", program]);
        command
    };
    let probe = as_root("true").stderr(Stdio::null()).status();
    if !probe.is_ok_and(|status| status.success()) {
        return skip(name, "not root, and no user namespace can be made");
    }
    let program = std::env::current_exe().expect("this program");
    let run = as_root(program.to_str().expect("a path in UTF-8"))
        .args(["--exact", name])
        .env(AS_ROOT, "1")
        .stderr(Stdio::inherit())
        .output()
        .expect("unshare starts");
    let told = String::from_utf8_lossy(&run.stdout);
    assert!(told.contains("1 passed"), "{name} as root: {told}");
}

/// Past the harness, which keeps the words of a test that passes to itself.
fn skip(name: &str, reason: &str) {
    let _ = writeln!(io::stderr(), "SKIPPED: {name}: {reason}");
}

impl Link {
    /// An error is the reason why it cannot be had here.
    fn new(delay: Duration) -> Result<Self, String> {
        let (near, near_end) = Place::new(1)?;
        let (far, far_end) = Place::new(2)?;
        let (stopped, stop) = io::pipe().expect("a pipe");
        let fate = Arc::new(Fate::default());
        let carrier = {
            let fate = Arc::clone(&fate);
            let ends = [near_end, far_end];
            thread::spawn(move || carry(&ends, delay, &fate, &stopped))
        };
        Ok(Self {
            near,
            far,
            fate,
            stop: Some(stop),
            carrier: Some(carrier),
        })
    }

    /// From now on nothing arrives.
    pub fn cut(&self) {
        self.fate.lost.store(0, SeqCst);
        self.fate.is_cut.store(true, SeqCst);
    }

    pub fn mend(&self) {
        self.fate.is_cut.store(false, SeqCst);
    }

    /// Packets that did not arrive since the last cut.
    pub fn lost(&self) -> u64 {
        self.fate.lost.load(SeqCst)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        drop(self.stop.take());
        let carried = self.carrier.take().map(JoinHandle::join);
        assert!(matches!(carried, Some(Ok(()))) || thread::panicking());
    }
}

impl Place {
    /// Calls from there.
    #[track_caller]
    pub fn run<T: Send>(&self, call: impl FnOnce() -> T + Send) -> T {
        let there = || {
            setns(&self.namespace, CloneFlags::CLONE_NEWNET).expect("a way there");
            call()
        };
        let result = thread::scope(|scope| scope.spawn(there).join());
        result.unwrap_or_else(|panic| resume_unwind(panic))
    }

    /// Where it is reached, in each family.
    pub fn addresses(&self) -> &[IpAddr] {
        &self.addresses
    }

    pub fn address(&self) -> IpAddr {
        self.addresses[0]
    }

    /// Where it is reached over the link and nowhere else, with the interface to the link, here as there.
    pub fn link_local(&self) -> Option<String> {
        let address = self.link_local;
        has_ipv6().then(|| format!("{address}%{DEVICE}"))
    }

    /// With its end of the link.
    fn new(number: u8) -> Result<(Self, File), String> {
        let mut addresses = vec![IpAddr::V4(Ipv4Addr::new(10, 77, 0, number))];
        let link_local = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, number.into());
        if has_ipv6() {
            let address = Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, number.into());
            addresses.push(address.into());
        }
        let all: Vec<_> = addresses
            .iter()
            .copied()
            .chain(has_ipv6().then_some(link_local.into()))
            .collect();
        let settled = thread::scope(|scope| scope.spawn(|| settle(&all)).join());
        let (namespace, end) = settled.unwrap_or_else(|panic| resume_unwind(panic))?;
        let place = Self {
            namespace,
            addresses,
            link_local,
        };
        Ok((place, end))
    }
}

/// Makes a namespace, which this thread is in from now on, and its end of the link.
fn settle(addresses: &[IpAddr]) -> Result<(File, File), String> {
    unshare(CloneFlags::CLONE_NEWNET).expect("a network namespace");
    let namespace = File::open("/proc/thread-self/ns/net").expect("this namespace");
    let end = open_end().map_err(|error| format!("/dev/net/tun: {error}"))?;
    set_up(addresses).map_err(|error| format!("ip: {error}"))?;
    Ok((namespace, end))
}

const DEVICE: &str = "tun0";

nix::ioctl_write_ptr_bad!(set_interface, libc::TUNSETIFF, libc::ifreq);

/// A device whose packets are read and written here.
#[allow(unsafe_code, reason = "no library makes such a device")]
fn open_end() -> io::Result<File> {
    let device = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NONBLOCK)
        .open("/dev/net/tun")?;
    // SAFETY: all zeros is a valid ifreq.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(DEVICE.bytes()) {
        *to = libc::c_char::from_ne_bytes([from]);
    }
    request.ifr_ifru.ifru_flags = (libc::IFF_TUN | libc::IFF_NO_PI) as libc::c_short;
    // SAFETY: the request lives for the call, and is what TUNSETIFF takes.
    unsafe { set_interface(device.as_raw_fd(), &raw const request) }?;
    Ok(device)
}

/// Gives this namespace's device its addresses, and room for all that TCP sends at once.
fn set_up(addresses: &[IpAddr]) -> io::Result<()> {
    let mut lines = vec![
        "link set lo up".to_string(),
        format!("link set dev {DEVICE} txqueuelen 10000 up"),
    ];
    for address in addresses {
        lines.push(match address {
            IpAddr::V4(address) => format!("address add {address}/24 dev {DEVICE}"),
            IpAddr::V6(address) => format!("address add {address}/64 dev {DEVICE} nodad"),
        });
    }
    let mut ip = Command::new("ip")
        .args(["-batch", "-"])
        .stdin(Stdio::piped())
        .spawn()?;
    let mut input = ip.stdin.take().expect("a pipe");
    input.write_all(lines.join("\n").as_bytes())?;
    drop(input);
    assert!(ip.wait()?.success(), "ip does {lines:?}");
    Ok(())
}

/// A packet, and when it arrives.
type UnderWay = VecDeque<(Instant, Vec<u8>)>;

/// Carries packets from either end to the other until the other end of `stopped` is closed.
fn carry(ends: &[File; 2], delay: Duration, fate: &Fate, stopped: &PipeReader) {
    let [near, far] = ends;
    let mut ways = [(near, far, UnderWay::new()), (far, near, UnderWay::new())];
    loop {
        for (from, to, under_way) in &mut ways {
            take(from, under_way, delay);
            if fate.is_cut.load(SeqCst) {
                fate.lost.fetch_add(under_way.len() as u64, SeqCst);
                under_way.clear();
            }
            deliver(to, under_way);
        }
        let next = ways
            .iter()
            .filter_map(|(_, _, under_way)| under_way.front());
        if wait(ends, stopped, next.map(|&(due, _)| due).min()) {
            return;
        }
    }
}

fn take(mut from: &File, under_way: &mut UnderWay, delay: Duration) {
    let mut packet = [0; 2048];
    loop {
        match from.read(&mut packet) {
            Ok(len) => under_way.push_back((Instant::now() + delay, packet[..len].to_vec())),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return,
            Err(error) => panic!("the link breaks: {error}"),
        }
    }
}

fn deliver(mut to: &File, under_way: &mut UnderWay) {
    let now = Instant::now();
    while under_way.front().is_some_and(|&(due, _)| due <= now)
        && let Some((_, packet)) = under_way.pop_front()
    {
        to.write_all(&packet).expect("a packet of the other end's");
    }
}

/// Waits for a packet, or until one is due. Returns whether to stop.
fn wait(ends: &[File; 2], stopped: &PipeReader, due: Option<Instant>) -> bool {
    let left = due.map(|due| TimeSpec::from(due.saturating_duration_since(Instant::now())));
    let readable = |fd| PollFd::new(fd, PollFlags::POLLIN);
    let mut fds = [
        readable(ends[0].as_fd()),
        readable(ends[1].as_fd()),
        readable(stopped.as_fd()),
    ];
    match ppoll(&mut fds, left, None) {
        Ok(_) | Err(nix::Error::EINTR) => fds[2].any() == Some(true),
        Err(error) => panic!("the link cannot wait: {error}"),
    }
}
