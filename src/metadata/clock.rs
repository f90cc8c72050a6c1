// SPDX-License-Identifier: MPL-2.0
//! Whether two pipelines have the same clock, and how it stands to the time of the world.

use std::{
    fs,
    net::IpAddr,
    time::{SystemTime, UNIX_EPOCH},
};

use gst::{
    glib::{
        self,
        translate::{ToGlibPtr, from_glib},
    },
    prelude::*,
};

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

/// What a clock shows; none where it waits for its master.
#[allow(unsafe_code)]
pub fn time(clock: &gst::Clock) -> Option<gst::ClockTime> {
    // SAFETY: the clock lives. The binding panics where there is no time.
    unsafe { from_glib(gst::ffi::gst_clock_get_time(clock.to_glib_none().0)) }
}

/// The time since 1970 minus that of the clock, in nanoseconds; none while the clock shows no time.
pub fn unix_offset(clock: &gst::Clock) -> Option<i64> {
    if !clock.is_synced() {
        return None;
    }
    let readings = (0..READINGS).filter_map(|_| {
        let before = time(clock)?.nseconds();
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
        let after = time(clock)?.nseconds();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_clocks::SilentClock;

    fn system_clock(kind: gst::ClockType) -> gst::Clock {
        gst::init().unwrap();
        glib::Object::builder::<gst::SystemClock>()
            .property("clock-type", kind)
            .build()
            .upcast()
    }

    #[test]
    fn system_clocks_of_a_kind_are_the_same() {
        let monotonic = id(&system_clock(gst::ClockType::Monotonic)).unwrap();
        let realtime = id(&system_clock(gst::ClockType::Realtime)).unwrap();
        assert_eq!(id(&gst::SystemClock::obtain()), Some(monotonic.clone()));
        assert!(monotonic.starts_with("GstSystemClock monotonic "));
        assert!(realtime.starts_with("GstSystemClock realtime "));
        // A record has no room for more, and none for other lines.
        assert!(monotonic.len() < 400 && !monotonic.contains('\n'));
    }

    #[test]
    fn clocks_of_their_own_have_no_name() {
        assert_eq!(id(&system_clock(gst::ClockType::Other)), None);
        let slaved = system_clock(gst::ClockType::Monotonic);
        let second = gst::ClockTime::SECOND;
        slaved.set_calibration(second, second * 2, 1, 1);
        assert_eq!(id(&slaved), None);
        slaved.set_calibration(second, second, 1_000_001, 1_000_000);
        assert_eq!(id(&slaved), None);
        assert_eq!(id(&glib::Object::new::<fake::Other>().upcast()), None);
    }

    #[test]
    fn net_clocks_are_named_by_their_address() {
        gst::init().unwrap();
        let named = |address: &str| {
            let clock: fake::NetClientClock = glib::Object::builder()
                .property("address", address)
                .property("port", 5000i32)
                .build();
            id(&clock.upcast())
        };
        for address in ["10.0.0.1", "fe80::1", "clock.example"] {
            assert_eq!(
                named(address),
                Some(format!("GstNetClientClock {address} 5000"))
            );
        }
        for address in [
            "127.0.0.1",
            "127.1.2.3",
            "::1",
            "0.0.0.0",
            "localhost",
            "LOCALHOST",
            "",
        ] {
            assert_eq!(named(address), None, "{address}");
        }
    }

    #[test]
    fn ptp_clocks_are_named_by_their_grandmaster() {
        gst::init().unwrap();
        let clock = |grandmaster: u64| -> gst::Clock {
            let clock: fake::PtpClock = glib::Object::builder()
                .property("domain", 3u32)
                .property("grandmaster-clock-id", grandmaster)
                .build();
            clock.upcast()
        };
        assert_eq!(
            id(&clock(0xab)),
            Some("GstPtpClock 3 00000000000000ab".into())
        );
        assert_eq!(id(&clock(0)), None);
        assert_eq!(id(&clock(u64::MAX)), None);
        let waiting = clock(0xab);
        waiting.set_clock_flags(gst::ClockFlags::NEEDS_STARTUP_SYNC);
        assert_eq!(id(&waiting), None);
        assert_eq!(unix_offset(&waiting), None);
    }

    #[test]
    fn a_clock_that_waits_for_its_master_shows_none() {
        gst::init().unwrap();
        let clock: gst::Clock = glib::Object::new::<SilentClock>().upcast();
        assert_eq!(time(&clock), None);
        assert_eq!(unix_offset(&clock), None);
    }

    #[test]
    fn the_time_since_1970_is_that_of_the_host() {
        let realtime = system_clock(gst::ClockType::Realtime);
        let offset = unix_offset(&realtime).unwrap();
        assert!(offset.abs() < 1_000_000, "{offset}");
        let monotonic = gst::SystemClock::obtain();
        let expected = realtime.time().nseconds() as i64 - monotonic.time().nseconds() as i64;
        let offset = unix_offset(&monotonic).unwrap();
        assert!(
            (offset - expected).abs() < 10_000_000,
            "{offset} {expected}"
        );
    }

    /// Clocks of libraries that tests do without, as far as their names and properties go.
    mod fake {
        use std::sync::Mutex;

        use gst::{glib, prelude::*, subclass::prelude::*};
        use once_cell::sync::Lazy;

        fn sendable(value: &glib::Value) -> glib::SendValue {
            let text = value.get::<String>().map(|text| text.to_send_value());
            let number = || value.get::<i32>().map(|number| number.to_send_value());
            let unsigned = || value.get::<u32>().map(|number| number.to_send_value());
            let long = || value.get::<u64>().map(|number| number.to_send_value());
            text.or_else(|_| number())
                .or_else(|_| unsigned())
                .or_else(|_| long())
                .unwrap()
        }

        macro_rules! clock {
            ($module:ident, $type:ident, $name:literal, [$($property:expr),*]) => {
                mod $module {
                    use super::*;

                    #[derive(Default)]
                    pub struct Imp(Mutex<Vec<(String, glib::SendValue)>>);

                    #[glib::object_subclass]
                    impl ObjectSubclass for Imp {
                        const NAME: &'static str = $name;
                        type Type = super::$type;
                        type ParentType = gst::SystemClock;
                    }

                    impl ObjectImpl for Imp {
                        fn properties() -> &'static [glib::ParamSpec] {
                            static PROPERTIES: Lazy<Vec<glib::ParamSpec>> = Lazy::new(|| vec![$($property),*]);
                            &PROPERTIES
                        }

                        fn set_property(&self, _: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
                            self.0.lock().unwrap().push((pspec.name().into(), sendable(value)));
                        }

                        fn property(&self, _: usize, pspec: &glib::ParamSpec) -> glib::Value {
                            let values = self.0.lock().unwrap();
                            let value = values.iter().find(|(name, _)| name == pspec.name());
                            glib::Value::clone(&value.unwrap().1)
                        }
                    }

                    impl GstObjectImpl for Imp {}
                    impl ClockImpl for Imp {}
                    impl SystemClockImpl for Imp {}
                }

                glib::wrapper! {
                    pub struct $type(ObjectSubclass<$module::Imp>)
                        @extends gst::SystemClock, gst::Clock, gst::Object;
                }
            };
        }

        clock!(other, Other, "VideoSocketTestClock", []);
        clock!(
            net,
            NetClientClock,
            "GstNetClientClock",
            [
                glib::ParamSpecString::builder("address").build(),
                glib::ParamSpecInt::builder("port").build()
            ]
        );
        clock!(
            ptp,
            PtpClock,
            "GstPtpClock",
            [
                glib::ParamSpecUInt::builder("domain").build(),
                glib::ParamSpecUInt64::builder("grandmaster-clock-id").build()
            ]
        );
    }
}
