// SPDX-License-Identifier: MPL-2.0
//! The system calls that no safe library offers, and nothing else.

#![allow(unsafe_code)]

use std::{ffi::CString, io, mem, os::fd::AsRawFd, time::Duration};

use libc::{c_int, c_void, socklen_t};
use socket2::Socket;

/// What the kernel knows of a TCP connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct TcpInfo {
    /// Smoothed round-trip time.
    pub rtt: Duration,
    /// Sent and not acknowledged, in segments.
    pub unacked: u32,
    /// Window probes without an answer.
    pub probes: u8,
    /// Since an acknowledgement came.
    pub since_ack: Duration,
}

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn tcp_info(socket: &Socket) -> io::Result<TcpInfo> {
    // SAFETY: `tcp_info` is plain old data, for which all zeros is a value.
    let mut info: libc::tcp_info = unsafe { mem::zeroed() };
    let mut len = size_of_val(&info) as socklen_t;
    // SAFETY: the pointers are those of live locals, and `len` is the size of the one written to.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            (&raw mut info).cast::<c_void>(),
            &raw mut len,
        )
    };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(TcpInfo {
        rtt: Duration::from_micros(info.tcpi_rtt.into()),
        unacked: info.tcpi_unacked,
        probes: info.tcpi_probes,
        since_ack: Duration::from_millis(info.tcpi_last_ack_recv.into()),
    })
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn tcp_info(_: &Socket) -> io::Result<TcpInfo> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Bytes that the kernel holds because the peer has not acknowledged them.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn unacknowledged(socket: &Socket) -> io::Result<usize> {
    let mut bytes: c_int = 0;
    // SAFETY: TIOCOUTQ writes one int, and the pointer is that of a live local int.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(bytes.max(0) as usize)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn unacknowledged(_: &Socket) -> io::Result<usize> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Bounds the pauses between retransmissions and window probes (Linux 6.15). Older kernels refuse.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn set_max_retransmission_pause(socket: &Socket, pause: Duration) -> io::Result<()> {
    const TCP_RTO_MAX_MS: c_int = 44;
    let millis = pause.as_millis() as c_int;
    set_option(socket, libc::IPPROTO_TCP, TCP_RTO_MAX_MS, millis)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn set_max_retransmission_pause(_: &Socket, _: Duration) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Whether a poll tells of room. Where it does not, one that waits for that is told when there is.
pub(super) fn is_writable(socket: &Socket) -> bool {
    let mut asked = libc::pollfd {
        fd: socket.as_raw_fd(),
        events: libc::POLLOUT,
        revents: 0,
    };
    // SAFETY: the pointer is that of a live local, of which there is one.
    let result = unsafe { libc::poll(&raw mut asked, 1, 0) };
    // Where that fails, sending tells.
    result != 0
}

/// How many bytes have to be there for the socket to count as readable; an end or a fault always does.
pub(super) fn set_receive_low_water(socket: &Socket, bytes: usize) -> io::Result<()> {
    let bytes = c_int::try_from(bytes).unwrap_or(c_int::MAX);
    set_option(socket, libc::SOL_SOCKET, libc::SO_RCVLOWAT, bytes)
}

/// The number of the network interface with this name, or with this number.
pub(super) fn interface(name: &str) -> Option<u32> {
    let c_name = CString::new(name).ok()?;
    // SAFETY: the pointer is that of a live string, which ends with a null byte.
    match unsafe { libc::if_nametoindex(c_name.as_ptr()) } {
        0 => name.parse().ok().filter(|&number| has_interface(number)),
        number => Some(number),
    }
}

fn has_interface(number: u32) -> bool {
    let mut name = [0; libc::IF_NAMESIZE];
    // SAFETY: the pointer is that of a live array of the size that a name takes at most.
    !unsafe { libc::if_indextoname(number, name.as_mut_ptr()) }.is_null()
}

fn set_option(socket: &Socket, level: c_int, name: c_int, value: c_int) -> io::Result<()> {
    // SAFETY: the pointer is that of a live local int, and the length is an int's.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            name,
            (&raw const value).cast::<c_void>(),
            size_of::<c_int>() as socklen_t,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
