//! Whether two pipelines have the same clock, and how it stands to the time of the world.

use std::{
    fs,
    net::IpAddr,
    time::{SystemTime, UNIX_EPOCH},
};

use gst::{glib, prelude::*};

/// Readings of two clocks, of which the closest counts.
const READINGS: usize = 5;

/// No master is known yet.
const NO_PTP_CLOCK: u64 = u64::MAX;

/// Names a clock that others may have too; none if nobody else has it, or nobody knows.
pub fn id(clock: &gst::Clock) -> Option<String> {
    match clock.type_().name() {
        "GstSystemClock" => system_clock_id(clock),
        "GstPtpClock" => ptp_clock_id(clock),
        name @ ("GstNetClientClock" | "GstNtpClock") => net_clock_id(name, clock),
        _ => None,
    }
}

/// Equal on one host, from boot to boot.
fn system_clock_id(clock: &gst::Clock) -> Option<String> {
    let (internal, external, rate, divisor) = clock.calibration();
    if internal != external || rate != divisor {
        return None;
    }
    let kind = match property::<gst::ClockType>(clock, "clock-type")? {
        gst::ClockType::Monotonic => "monotonic",
        gst::ClockType::Realtime => "realtime",
        _ => return None,
    };
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    // Containers may have a monotonic time of their own.
    let namespace = fs::read_link("/proc/self/ns/time").unwrap_or_default();
    let (boot, namespace) = (boot.trim(), namespace.display());
    Some(format!("GstSystemClock {kind} {boot} {namespace}"))
}

fn ptp_clock_id(clock: &gst::Clock) -> Option<String> {
    let domain: u32 = property(clock, "domain")?;
    let grandmaster: u64 = property(clock, "grandmaster-clock-id")?;
    let is_known = clock.is_synced() && grandmaster != NO_PTP_CLOCK && grandmaster != 0;
    is_known.then(|| format!("GstPtpClock {domain} {grandmaster:016x}"))
}

fn net_clock_id(name: &str, clock: &gst::Clock) -> Option<String> {
    let address: String = property(clock, "address")?;
    let port: i32 = property(clock, "port")?;
    // Every host has its own.
    let is_local = match address.parse::<IpAddr>() {
        Ok(address) => address.is_loopback() || address.is_unspecified(),
        Err(_) => address.is_empty() || address.eq_ignore_ascii_case("localhost"),
    };
    (clock.is_synced() && !is_local).then(|| format!("{name} {address} {port}"))
}

/// The value of a property, if there is one of this name and type.
fn property<T: for<'a> glib::value::FromValue<'a> + 'static>(
    clock: &gst::Clock,
    name: &str,
) -> Option<T> {
    clock.find_property(name)?;
    clock.property_value(name).get().ok()
}

/// The time since 1970 minus that of the clock, in nanoseconds.
pub fn unix_offset(clock: &gst::Clock) -> Option<i64> {
    let readings = (0..READINGS).filter_map(|_| {
        let before = clock.time().nseconds();
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
        let after = clock.time().nseconds();
        let took = after.saturating_sub(before);
        let offset = unix.as_nanos() as i128 - i128::from(before) - i128::from(took / 2);
        Some((took, i64::try_from(offset).ok()?))
    });
    readings.min().map(|(_, offset)| offset)
}

/// Whether this host keeps the time since 1970 as the world does.
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
pub fn is_unix_synchronised() -> bool {
    // SAFETY: `timex` is plain old data, for which all zeros is a value: that asks, and sets nothing.
    let mut state: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is that of a live local.
    let result = unsafe { libc::adjtimex(&raw mut state) };
    result >= 0 && state.status & libc::STA_UNSYNC == 0
}

/// Whether this host keeps the time since 1970 as the world does.
#[cfg(not(target_os = "linux"))]
pub fn is_unix_synchronised() -> bool {
    false
}
