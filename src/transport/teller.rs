//! The thread that is in the application's hands.
//!
//! A handler takes the time that it takes, and may itself wait for a state change. So nothing else is done
//! here, no socket is kept here, and nobody waits for it for long.

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, mpsc},
    thread::{self, JoinHandle},
    time::Duration,
};

use super::event::{Event, Observer};

/// How long a state change waits for handlers to return.
const LIMIT: Duration = Duration::from_millis(50);

type Call = Box<dyn FnOnce() + Send>;

/// Calls observers, one after the other.
pub(super) struct Teller {
    calls: mpsc::Sender<Call>,
}

/// The calls of a [`Teller`], which are over some time after it is dropped.
pub(super) struct Telling {
    thread: JoinHandle<()>,
    over: mpsc::Receiver<Infallible>,
}

impl Teller {
    pub fn spawn() -> io::Result<(Self, Telling)> {
        let (calls, queue) = mpsc::channel::<Call>();
        let (running, over) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("videosocket-app".into())
            .spawn(move || {
                let _running = running;
                for call in queue {
                    // A panic says by itself what it is, and takes nothing from the other calls.
                    let _ = catch_unwind(AssertUnwindSafe(call));
                }
            })?;
        Ok((Self { calls }, Telling { thread, over }))
    }

    /// Tells those who were there when it happened.
    pub fn tell(&self, event: Event, observers: Vec<Arc<dyn Observer>>) {
        self.call(move || {
            for observer in observers {
                observer.notice(&event);
            }
        });
    }

    /// Asks whether a client may join. The answers come in the order of the questions.
    pub fn ask(
        &self,
        observer: Arc<dyn Observer>,
        address: Option<SocketAddr>,
        answer: impl FnOnce(bool) + Send + 'static,
    ) {
        self.call(move || {
            let admits = catch_unwind(AssertUnwindSafe(|| observer.admits(address)));
            answer(admits.unwrap_or(false));
        });
    }

    fn call(&self, call: impl FnOnce() + Send + 'static) {
        // Its thread is there for as long as this is.
        let _ = self.calls.send(Box::new(call));
    }
}

impl Telling {
    /// Waits for the last call, but not for a handler that takes long: it may be waiting for whoever waits
    /// here. What is left to tell is told all the same.
    pub fn wait(self) {
        if self.thread.thread().id() == thread::current().id() {
            return;
        }
        if self.over.recv_timeout(LIMIT) == Err(mpsc::RecvTimeoutError::Disconnected) {
            // It catches the panics of its calls.
            let _ = self.thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    /// Is told one thing at a time, each when the test lets it.
    struct Slow {
        told: mpsc::Sender<Event>,
        go: Mutex<mpsc::Receiver<bool>>,
    }

    impl Observer for Slow {
        fn notice(&self, event: &Event) {
            let _ = self.go.lock().unwrap().recv();
            let _ = self.told.send(event.clone());
        }

        fn admits(&self, _: Option<SocketAddr>) -> bool {
            self.go.lock().unwrap().recv().expect("an answer")
        }
    }

    fn slow() -> (Arc<Slow>, mpsc::Sender<bool>, mpsc::Receiver<Event>) {
        let ((told, events), (let_go, go)) = (mpsc::channel(), mpsc::channel());
        let go = Mutex::new(go);
        (Arc::new(Slow { told, go }), let_go, events)
    }

    fn event(text: &str) -> Event {
        Event::Failed(Arc::new(crate::net::Error::Internal(text.into())))
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

    #[test]
    fn questions_are_answered_in_their_order_and_a_panic_is_a_no() {
        let (teller, telling) = Teller::spawn().unwrap();
        let (observer, let_go, _) = slow();
        let (answered, answers) = mpsc::channel();
        for _ in 0..3 {
            let answered = answered.clone();
            let answer = move |admits| answered.send(admits).unwrap();
            teller.ask(observer.clone(), None, answer);
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
