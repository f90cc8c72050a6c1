// SPDX-License-Identifier: MPL-2.0
//! Connections that a sink and a source of this process share, by `connection-id`.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak},
};

use gst::{glib, prelude::*};
use once_cell::sync::Lazy;
use thiserror::Error;

use crate::{
    frames::SentBuffer,
    lock::lock,
    net,
    settings::{Common, GivenSocket, Settings, Unusable, find},
    told::Told,
    transport::{self, Endpoint, Role, Users},
};

/// What both have to agree on: whichever starts first opens the connection.
const AGREED: [&str; 12] = [
    "mode",
    "host",
    "port",
    "connect-timeout",
    "reconnect",
    "qos-dscp",
    "tls",
    "tls-certificate-file",
    "tls-private-key-file",
    "tls-ca-file",
    "tls-client-ca-file",
    "tls-verify",
];

/// Why a connection cannot be shared, or not be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Settings that contradict those of the other element.
    #[error(
        "connection-id \"{id}\" is shared with {other}, but the settings contradict each other: {}",
        .differences.join(", ")
    )]
    Contradiction {
        /// The id.
        id: String,
        /// The other element.
        other: String,
        /// Each as "port is 1 here and 2 there".
        differences: Vec<String>,
    },
    /// A second element for the same direction.
    #[error(
        "connection-id \"{id}\" is already used by {other}; a connection has one sink and one source"
    )]
    Taken {
        /// The id.
        id: String,
        /// The element that has it.
        other: String,
    },
    /// Settings that make no sense together, or were refused.
    #[error("{0}")]
    Settings(String),
    /// A socket given that cannot be used.
    #[error(transparent)]
    Socket(Unusable),
    /// The transport's own reasons.
    #[error(transparent)]
    Transport(#[from] net::Error),
}

impl From<Unusable> for OpenError {
    fn from(unusable: Unusable) -> Self {
        match unusable {
            // No fault of the settings.
            Unusable::Duplicate(error) => net::Error::Socket(error).into(),
            unusable => Self::Socket(unusable),
        }
    }
}

/// What an element has opened, or joined.
pub struct Opened<E = Endpoint<SentBuffer>> {
    /// What is open.
    pub endpoint: Arc<E>,
    /// What the elements tell of its faults.
    pub told: Arc<Told>,
}

/// Those that are shared, or about to be.
struct Registry<E> {
    entries: Mutex<HashMap<String, Entry<E>>>,
    /// One is open or closed, or cannot be opened.
    settled: Condvar,
}

enum Entry<E> {
    /// Somebody opens it, or leaves it, which may take a while, and others wait.
    Changing,
    Open(Shared<E>),
}

struct Shared<E> {
    endpoint: Weak<E>,
    told: Arc<Told>,
    users: Vec<User>,
}

struct User {
    role: Role,
    name: String,
    agreed: Vec<(&'static str, String)>,
    /// The socket that it was given.
    socket: Option<GivenSocket>,
    /// Of two that exclude each other, the one that it wants.
    wants: Option<Excluding>,
}

/// Who takes turns talks to a program of few lines, which takes a question for a bad header.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Excluding {
    Turns,
    Records,
}

static SHARED: Lazy<Registry<Endpoint<SentBuffer>>> = Lazy::new(Registry::default);

/// Opens the connection that `settings` ask for, or joins the one with the same id.
pub fn open<S: Settings>(
    element: &impl IsA<gst::Object>,
    settings: &S,
    role: Role,
) -> Result<Opened, OpenError> {
    let common = settings.common();
    common.check().map_err(OpenError::Settings)?;
    let Some(id) = &common.connection_id else {
        return Ok(Opened::new(open_endpoint(common, Users::One(role))?));
    };
    let user = User {
        role,
        name: element.name().into(),
        agreed: agreed(settings),
        socket: common.socket.clone(),
        wants: Excluding::of(settings),
    };
    SHARED.join_or_open(
        id,
        user,
        |endpoint| endpoint.admit(role),
        || open_endpoint(common, Users::Pair),
    )
}

/// The element stops using the connection, for which it calls `close`. With the last one its id is free: then nothing
/// is open any more that another could meet with.
pub fn leave(id: Option<&str>, role: Role, close: impl FnOnce()) {
    match id {
        Some(id) => SHARED.leave(id, role, close),
        None => close(),
    }
}

impl<E> Opened<E> {
    fn new(endpoint: Arc<E>) -> Self {
        Self {
            endpoint,
            told: Arc::default(),
        }
    }
}

impl<E> Default for Registry<E> {
    fn default() -> Self {
        Self {
            entries: Mutex::default(),
            settled: Condvar::new(),
        }
    }
}

impl<E> Registry<E> {
    /// Joins what is there under this id if that `admits` one more, or calls `open`, without the lock: it may
    /// wait for a name server, for which nobody is to wait but who asks for the same id.
    fn join_or_open(
        &self,
        id: &str,
        user: User,
        admits: impl Fn(&E) -> bool,
        open: impl FnOnce() -> Result<Arc<E>, OpenError>,
    ) -> Result<Opened<E>, OpenError> {
        let mut entries = self.settled(id);
        if let Some(Entry::Open(shared)) = entries.get_mut(id)
            && let Some(endpoint) = shared.endpoint.upgrade()
        {
            shared.check(id, &user)?;
            if admits(&endpoint) {
                shared.users.push(user);
                let told = shared.told.clone();
                return Ok(Opened { endpoint, told });
            }
        }
        entries.insert(id.into(), Entry::Changing);
        drop(entries);
        let change = Change { registry: self, id };
        let opened = Opened::new(open()?);
        admits(&opened.endpoint);
        change.succeed(Shared {
            endpoint: Arc::downgrade(&opened.endpoint),
            told: opened.told.clone(),
            users: vec![user],
        });
        Ok(opened)
    }

    /// The entries, as soon as nobody opens or closes the one with this id.
    fn settled(&self, id: &str) -> MutexGuard<'_, HashMap<String, Entry<E>>> {
        let is_changing =
            |entries: &mut HashMap<_, _>| matches!(entries.get(id), Some(Entry::Changing));
        let entries = self.settled.wait_while(lock(&self.entries), is_changing);
        entries.unwrap_or_else(PoisonError::into_inner)
    }

    /// One after the other: only the last one's `close` closes the connection, and nobody is to join meanwhile.
    fn leave(&self, id: &str, role: Role, close: impl FnOnce()) {
        let mut entries = self.settled(id);
        let Some(Entry::Open(mut shared)) = entries.remove(id) else {
            drop(entries);
            return close();
        };
        entries.insert(id.into(), Entry::Changing);
        drop(entries);
        let change = Change { registry: self, id };
        close();
        shared.users.retain(|user| user.role != role);
        if !shared.users.is_empty() {
            change.succeed(shared);
        }
    }
}

/// The right to open a connection, or to leave it, during which its id is taken.
struct Change<'a, E> {
    registry: &'a Registry<E>,
    id: &'a str,
}

impl<E> Change<'_, E> {
    fn succeed(&self, shared: Shared<E>) {
        lock(&self.registry.entries).insert(self.id.into(), Entry::Open(shared));
    }
}

impl<E> Drop for Change<'_, E> {
    fn drop(&mut self) {
        let mut entries = lock(&self.registry.entries);
        if let Some(Entry::Changing) = entries.get(self.id) {
            entries.remove(self.id);
        }
        self.registry.settled.notify_all();
    }
}

impl<E> Shared<E> {
    /// Whether one more may use the connection.
    fn check(&self, id: &str, user: &User) -> Result<(), OpenError> {
        for other in &self.users {
            if other.role == user.role {
                return Err(OpenError::Taken {
                    id: id.into(),
                    other: other.name.clone(),
                });
            }
            let pairs = user.agreed.iter().zip(&other.agreed);
            let differing = pairs.filter(|(mine, theirs)| mine != theirs);
            let mut differences: Vec<_> = differing
                .map(|((name, mine), (_, theirs))| {
                    format!("{name} is {mine} here and {theirs} there")
                })
                .collect();
            if user.socket.is_some() && user.socket != other.socket {
                differences.push("socket is not the one there".into());
            }
            if let (Some(mine), Some(theirs)) = (user.wants, other.wants)
                && mine != theirs
            {
                differences.push(format!("{mine} here excludes {theirs} there"));
            }
            if !differences.is_empty() {
                return Err(OpenError::Contradiction {
                    id: id.into(),
                    other: other.name.clone(),
                    differences,
                });
            }
        }
        Ok(())
    }
}

fn open_endpoint(common: &Common, users: Users) -> Result<Arc<Endpoint<SentBuffer>>, OpenError> {
    Ok(transport::open(common.target()?, users)?)
}

fn agreed<S: Settings>(settings: &S) -> Vec<(&'static str, String)> {
    AGREED
        .iter()
        .filter_map(|&name| {
            let value = find::<S>(name)?.get(settings);
            Some((name, shown(&value)))
        })
        .collect()
}

fn shown(value: &glib::Value) -> String {
    value.serialize().map_or_else(|_| String::new(), Into::into)
}

impl Excluding {
    const ALL: [Self; 2] = [Self::Turns, Self::Records];

    fn of<S: Settings>(settings: &S) -> Option<Self> {
        Self::ALL.into_iter().find(|wanted| {
            let (name, text) = wanted.property();
            find::<S>(name).is_some_and(|property| shown(&property.get(settings)) == text)
        })
    }

    fn property(self) -> (&'static str, &'static str) {
        match self {
            Self::Turns => ("lockstep", "true"),
            Self::Records => ("metadata", "request"),
        }
    }
}

impl fmt::Display for Excluding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, text) = self.property();
        write!(f, "{name}={text}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{sync::mpsc, thread, time::Duration};

    const SOON: Duration = Duration::from_secs(5);

    /// What stands for an endpoint: which one it is.
    type Tested = Registry<&'static str>;

    fn user(role: Role) -> User {
        User {
            role,
            name: format!("{role:?}"),
            agreed: Vec::new(),
            socket: None,
            wants: None,
        }
    }

    type Joined = Result<Arc<&'static str>, OpenError>;

    fn join(all: &Tested, id: &str, role: Role) -> Joined {
        let open = || Ok(Arc::new("second"));
        let joined = all.join_or_open(id, user(role), |_| true, open);
        joined.map(|opened| opened.endpoint)
    }

    /// Opens one with the id "slow", in a thread: with the answer that is sent. The other channel has what
    /// came of it.
    fn open_slowly(all: &Arc<Tested>) -> (mpsc::Sender<Joined>, mpsc::Receiver<Joined>) {
        let ((answer, answers), (opened, results)) = (mpsc::channel(), mpsc::channel());
        let ((begun, has_begun), all) = (mpsc::channel(), all.clone());
        thread::spawn(move || {
            let open = || {
                begun.send(()).unwrap();
                answers.recv().unwrap()
            };
            let result = all.join_or_open("slow", user(Role::Writer), |_| true, open);
            opened.send(result.map(|opened| opened.endpoint))
        });
        has_begun.recv_timeout(SOON).unwrap();
        (answer, results)
    }

    /// In a thread.
    fn join_slow(all: &Arc<Tested>) -> mpsc::Receiver<Joined> {
        let ((joined, results), all) = (mpsc::channel(), all.clone());
        thread::spawn(move || joined.send(join(&all, "slow", Role::Reader)));
        results
    }

    #[test]
    fn what_takes_long_to_open_holds_up_no_other() {
        let all = Arc::<Tested>::default();
        let (answer, opened) = open_slowly(&all);
        let (done, is_done) = mpsc::channel();
        let others = all.clone();
        thread::spawn(move || {
            let other = join(&others, "other", Role::Writer).unwrap();
            others.leave("other", Role::Writer, || ());
            done.send(*other)
        });
        assert_eq!(is_done.recv_timeout(SOON), Ok("second"));
        answer.send(Ok(Arc::new("first"))).unwrap();
        assert_eq!(*opened.recv_timeout(SOON).unwrap().unwrap(), "first");
    }

    #[test]
    fn the_other_user_waits_for_what_is_being_opened() {
        let all = Arc::<Tested>::default();
        let (answer, opened) = open_slowly(&all);
        let joined = join_slow(&all);
        answer.send(Ok(Arc::new("first"))).unwrap();
        let first = opened.recv_timeout(SOON).unwrap().unwrap();
        let joined = joined.recv_timeout(SOON).unwrap().unwrap();
        assert!(Arc::ptr_eq(&first, &joined));
    }

    #[test]
    fn what_cannot_be_opened_leaves_its_id_to_the_next() {
        let all = Arc::<Tested>::default();
        let (answer, opened) = open_slowly(&all);
        let joined = join_slow(&all);
        let failure = OpenError::Settings("no".into());
        answer.send(Err(failure)).unwrap();
        assert!(opened.recv_timeout(SOON).unwrap().is_err());
        assert_eq!(*joined.recv_timeout(SOON).unwrap().unwrap(), "second");
    }

    #[test]
    fn each_role_is_there_once() {
        let all = Tested::default();
        let _first = join(&all, "id", Role::Writer).unwrap();
        let taken = join(&all, "id", Role::Writer).unwrap_err();
        assert!(matches!(taken, OpenError::Taken { other, .. } if other == "Writer"));
        all.leave("id", Role::Writer, || ());
        join(&all, "id", Role::Writer).unwrap();
    }

    #[test]
    fn who_comes_while_it_is_closed_opens_the_next() {
        let all = Arc::<Tested>::default();
        let _first = join(&all, "slow", Role::Writer).unwrap();
        let mut joined = None;
        all.leave("slow", Role::Writer, || {
            let results = join_slow(&all);
            // Had it not waited, it would be the other user of what is being closed.
            assert!(results.recv_timeout(Duration::from_millis(20)).is_err());
            joined = Some(results);
        });
        let joined = joined.unwrap().recv_timeout(SOON).unwrap();
        assert!(joined.is_ok());
    }

    #[test]
    fn who_leaves_after_the_other_is_the_last_however_close_they_are() {
        let all = Arc::<Tested>::default();
        let first = join(&all, "slow", Role::Writer).unwrap();
        join(&all, "slow", Role::Reader).unwrap();
        let (closes, closed) = mpsc::channel();
        let mut joined = None;
        all.leave("slow", Role::Writer, || {
            let others = all.clone();
            let close = move |what: &'static str| closes.send(what).unwrap();
            let close_last = close.clone();
            thread::spawn(move || others.leave("slow", Role::Reader, || close_last("last")));
            let results = join_slow(&all);
            // The one would close it with this one still there, the other join what is about to be closed.
            assert!(closed.recv_timeout(Duration::from_millis(20)).is_err());
            assert!(results.try_recv().is_err());
            joined = Some(results);
            close("first");
        });
        assert_eq!(closed.recv_timeout(SOON), Ok("first"));
        assert_eq!(closed.recv_timeout(SOON), Ok("last"));
        drop(first);
        let _ = joined.unwrap().recv_timeout(SOON).unwrap();
    }
}
