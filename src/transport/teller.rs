// SPDX-License-Identifier: MPL-2.0
//! The thread that is in the application's hands.
//!
//! A handler takes the time that it takes, and may itself wait for a state change. So nothing else is done
//! here, no socket is kept here, and nobody waits for it for long.
//!
//! Where much waits to be told, less is added: no more than [`MANY`] wait, and what is to be told of those who are, or
//! were told to be, connected.

use std::{
    collections::VecDeque,
    convert::Infallible,
    io,
    net::SocketAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, mpsc},
    thread::{self, JoinHandle},
    time::Duration,
};

use parking_lot::{Condvar, Mutex};

use super::event::{Event, Observer};
use crate::net::Certificate;

/// How long a state change waits for handlers to return.
pub(super) const LIMIT: Duration = Duration::from_millis(50);

/// When so many calls wait, what can be done without is passed over: a connection that has come and gone, and what is
/// no more than a warning.
const MANY: usize = 1024;

type Observers = Vec<Arc<dyn Observer>>;

/// Calls observers, one after the other.
pub(super) struct Teller {
    queue: Arc<Queue>,
}

#[derive(Default)]
struct Queue {
    calls: Mutex<Calls>,
    changed: Condvar,
}

#[derive(Default)]
struct Calls {
    waiting: VecDeque<Call>,
    /// Events that are passed over, of which nobody has been told yet.
    passed_over: u64,
    /// No more come.
    are_over: bool,
}

enum Call {
    Tell(Event, Observers),
    Ask(Box<dyn FnOnce() + Send>),
}

/// The calls of a [`Teller`], which are over some time after it is dropped.
pub(super) struct Telling {
    thread: JoinHandle<()>,
    over: mpsc::Receiver<Infallible>,
}

impl Teller {
    pub fn spawn() -> io::Result<(Self, Telling)> {
        let queue = Arc::<Queue>::default();
        let calls = queue.clone();
        let (running, over) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("videosocket-app".into())
            .spawn(move || {
                let _running = running;
                while let Some(call) = calls.next() {
                    // A panic says by itself what it is, and takes nothing from the other calls.
                    let _ = catch_unwind(AssertUnwindSafe(|| call.make()));
                }
            })?;
        Ok((Self { queue }, Telling { thread, over }))
    }

    /// Tells those who were there when it happened.
    pub fn tell(&self, event: Event, observers: Vec<Arc<dyn Observer>>) {
        self.queue.change(|calls| calls.tell(event, observers));
    }

    /// Asks whether a client may join. The answers come in the order of the questions.
    pub fn ask(
        &self,
        observer: Arc<dyn Observer>,
        address: Option<SocketAddr>,
        certificate: Option<Arc<Certificate>>,
        answer: impl FnOnce(bool) + Send + 'static,
    ) {
        self.call(move || {
            let admits = || observer.admits(address, certificate.as_deref());
            let admits = catch_unwind(AssertUnwindSafe(admits));
            answer(admits.unwrap_or(false));
        });
    }

    /// Lets go of something once all is told that is to be told so far.
    pub fn let_go(&self, mark: mpsc::Sender<Infallible>) {
        self.call(move || drop(mark));
    }

    fn call(&self, call: impl FnOnce() + Send + 'static) {
        let call = Call::Ask(Box::new(call));
        self.queue.change(|calls| calls.waiting.push_back(call));
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        self.queue.change(|calls| calls.are_over = true);
    }
}

impl Queue {
    fn change(&self, change: impl FnOnce(&mut Calls)) {
        change(&mut self.calls.lock());
        self.changed.notify_one();
    }

    /// Waits for the next call; none when they are over.
    fn next(&self) -> Option<Call> {
        let mut calls = self.calls.lock();
        while calls.waiting.is_empty() && !calls.are_over {
            self.changed.wait(&mut calls);
        }
        calls.next()
    }
}

impl Calls {
    fn tell(&mut self, event: Event, observers: Observers) {
        if self.waiting.len() >= MANY && self.passes_over(&event, &observers) {
            return;
        }
        self.waiting.push_back(Call::Tell(event, observers));
    }

    /// Whether it need not be told, where there is much else. Of a connection the end is told if the beginning has been.
    fn passes_over(&mut self, event: &Event, observers: &Observers) -> bool {
        match event {
            Event::Waiting(_) | Event::Warning(_) | Event::Request(_) => {
                self.passed_over += 1;
                true
            }
            Event::Disconnected { id, .. } => {
                let mut calls = self.waiting.iter();
                let beginning = calls.rposition(|call| call.begins(*id, observers));
                let is_untold = beginning.and_then(|at| self.waiting.remove(at)).is_some();
                self.passed_over += if is_untold { 2 } else { 0 };
                is_untold
            }
            Event::Connected { .. } | Event::PassedOver(_) | Event::Failed(_) => false,
        }
    }

    fn next(&mut self) -> Option<Call> {
        if self.passed_over > 0
            && let Some(Call::Tell(_, observers)) = self.waiting.front()
        {
            let event = Event::PassedOver(std::mem::take(&mut self.passed_over));
            return Some(Call::Tell(event, observers.clone()));
        }
        self.waiting.pop_front()
    }
}

impl Call {
    fn make(self) {
        match self {
            Self::Tell(event, observers) => {
                for observer in observers {
                    observer.notice(&event);
                }
            }
            Self::Ask(ask) => ask(),
        }
    }

    /// Whether it tells just these of the beginning of this connection.
    fn begins(&self, id: u64, those: &Observers) -> bool {
        match self {
            Self::Tell(Event::Connected { id: begun, .. }, observers) if *begun == id => {
                observers.len() == those.len()
                    && observers.iter().zip(those).all(|(a, b)| Arc::ptr_eq(a, b))
            }
            _ => false,
        }
    }
}

impl Telling {
    /// Waits for the last call, but not for a handler that takes long: it may be waiting for whoever waits
    /// here. What is left to tell is told all the same.
    pub fn wait(self) {
        if self.is_here() {
            return;
        }
        if self.over.recv_timeout(LIMIT) == Err(mpsc::RecvTimeoutError::Disconnected) {
            // It catches the panics of its calls.
            let _ = self.thread.join();
        }
    }
}

impl Telling {
    /// Whether this is the thread that calls.
    pub fn is_here(&self) -> bool {
        self.thread.thread().id() == thread::current().id()
    }
}

#[cfg(test)]
impl Telling {
    /// Whether the last call is over within that.
    pub fn ends_within(self, limit: Duration) -> bool {
        let end = self.over.recv_timeout(limit);
        end == Err(mpsc::RecvTimeoutError::Disconnected) && self.thread.join().is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fanout::Counts,
        net::{Connection, Error, Peer, Script},
        transport::{
            Reason,
            link::{Link, Reading, Writing},
        },
    };

    /// Is told one thing at a time, each when the test lets it.
    struct Slow {
        told: mpsc::Sender<Event>,
        go: std::sync::Mutex<mpsc::Receiver<bool>>,
    }

    impl Observer for Slow {
        fn notice(&self, event: &Event) {
            let _ = self.go.lock().unwrap().recv();
            let _ = self.told.send(event.clone());
        }

        fn admits(&self, _: Option<SocketAddr>, _: Option<&Certificate>) -> bool {
            self.go.lock().unwrap().recv().expect("an answer")
        }
    }

    fn slow() -> (Arc<Slow>, mpsc::Sender<bool>, mpsc::Receiver<Event>) {
        let ((told, events), (let_go, go)) = (mpsc::channel(), mpsc::channel());
        let go = std::sync::Mutex::new(go);
        (Arc::new(Slow { told, go }), let_go, events)
    }

    fn event(text: &str) -> Event {
        Event::Failed(Arc::new(Error::Internal(text.into())))
    }

    #[test]
    fn what_a_slow_handler_leaves_is_told_after_the_wait() {
        let (teller, telling) = Teller::spawn().unwrap();
        let (observer, let_go, events) = slow();
        for text in ["one", "two"] {
            teller.tell(event(text), vec![observer.clone()]);
        }
        drop((teller, observer));
        telling.wait();
        assert!(events.try_recv().is_err(), "nothing is told yet");
        drop(let_go);
        let told: Vec<_> = events.iter().map(|event| format!("{event:?}")).collect();
        assert_eq!(told.len(), 2);
        assert!(
            told[0].contains("one") && told[1].contains("two"),
            "{told:?}"
        );
    }

    fn connected(id: u64) -> Event {
        let peer = Peer::default();
        Event::Connected {
            id,
            peer,
            is_described: false,
            certificate: None,
        }
    }

    fn disconnected(id: u64) -> Event {
        let connection = Arc::new(Connection::scripted(Script::default()));
        let link = Link::new(id, connection, Reading::Done, Writing::Unclaimed);
        link.disconnected(Counts::default(), Reason::ClosedByPeer, None, true, true)
    }

    fn warning() -> Event {
        Event::Warning(Arc::new(Error::Internal("a warning".into())))
    }

    #[test]
    fn no_more_waits_than_is_of_use() {
        let (observer, let_go, events) = slow();
        let observers: Observers = vec![observer];
        let mut calls = Calls::default();
        calls.tell(connected(1), observers.clone());
        // It has been told.
        calls.next().expect("a call");
        for id in 2..=100_000 {
            calls.tell(connected(id), observers.clone());
            calls.tell(warning(), observers.clone());
            if id % 1_000 != 0 {
                calls.tell(disconnected(id), observers.clone());
            }
        }
        calls.tell(disconnected(1), observers.clone());
        assert!(calls.waiting.len() <= MANY + 102, "{}", calls.waiting.len());
        drop(let_go);
        drop(observers);
        let mut made = 0;
        while let Some(call) = calls.next() {
            made += 1;
            call.make();
        }
        drop(calls);
        let (mut open, mut passed_over) = (vec![1], 0);
        for event in &events {
            match event {
                Event::Connected { id, .. } => open.push(id),
                Event::Disconnected { id, .. } => {
                    let at = open.iter().position(|&open| open == id);
                    open.swap_remove(at.expect("one that was connected"));
                }
                Event::PassedOver(count) => passed_over += count,
                _ => (),
            }
        }
        open.sort_unstable();
        assert_eq!(open, (1..=100).map(|k| k * 1_000).collect::<Vec<_>>());
        let told = 3 * 100_000 - 2 - 100;
        // One of them tells how many are not.
        assert_eq!(made - 1 + passed_over, told);
    }

    #[test]
    fn the_end_of_a_connection_is_told_to_those_who_were_told_of_it() {
        let (first, ..) = slow();
        let (second, ..) = slow();
        let mut calls = Calls::default();
        for id in 0..MANY as u64 {
            calls.tell(connected(id), vec![first.clone()]);
        }
        calls.tell(disconnected(7), vec![first.clone(), second]);
        assert_eq!((calls.waiting.len(), calls.passed_over), (MANY + 1, 0));
        calls.tell(disconnected(8), vec![first]);
        assert_eq!((calls.waiting.len(), calls.passed_over), (MANY, 2));
    }

    #[test]
    fn questions_are_answered_in_their_order_and_a_panic_is_a_no() {
        let (teller, telling) = Teller::spawn().unwrap();
        let (observer, let_go, _) = slow();
        let (answered, answers) = mpsc::channel();
        for _ in 0..3 {
            let answered = answered.clone();
            let answer = move |admits| answered.send(admits).unwrap();
            teller.ask(observer.clone(), None, None, answer);
        }
        let_go.send(false).unwrap();
        let_go.send(true).unwrap();
        drop((let_go, answered, teller));
        telling.wait();
        assert_eq!(answers.iter().collect::<Vec<_>>(), [false, true, false]);
    }

    #[test]
    fn a_handler_may_wait_for_the_end_itself() {
        let (teller, telling) = Teller::spawn().unwrap();
        let (done, is_done) = mpsc::channel();
        teller.call(move || {
            telling.wait();
            done.send(()).unwrap();
        });
        drop(teller);
        assert_eq!(is_done.recv(), Ok(()));
    }
}
