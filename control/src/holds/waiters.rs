//! Who waits for a hold, and how they are woken.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::{Notify, watch};

/// Wakes those that wait for a hold. A wake carries nothing: whoever is woken looks at the store again, so that a
/// wake from another replica is worth as much as one from here.
#[derive(Debug, Default)]
pub struct Waiters {
    of: Mutex<HashMap<String, Weak<Notify>>>,
    changes: watch::Sender<()>,
}

impl Waiters {
    /// What to wait on for this hold. Subscribe first, then look, then wait: a wake in between is not lost once
    /// [`Notify::notified`] has been enabled.
    pub fn subscribe(&self, hold: &str) -> Arc<Notify> {
        let mut map = self.map();
        if let Some(notify) = map.get(hold).and_then(Weak::upgrade) {
            return notify;
        }
        // Entries whose last waiter left are swept when the map has doubled since anyone looked.
        if map.len() == map.capacity() {
            map.retain(|_, waiting| waiting.strong_count() > 0);
        }
        let notify = Arc::new(Notify::new());
        map.insert(hold.to_owned(), Arc::downgrade(&notify));
        notify
    }

    /// Hears of every change of any hold.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    /// Tells those who look at all holds that one was opened.
    pub fn opened(&self) {
        self.changes.send_replace(());
    }

    /// Wakes all that wait for this hold, and those who look at all.
    pub fn wake(&self, hold: &str) {
        self.changes.send_replace(());
        let waiting = self.map().remove(hold).and_then(|notify| notify.upgrade());
        if let Some(notify) = waiting {
            notify.notify_waiters();
        }
    }

    /// Wakes everyone: the service is shutting down.
    pub fn wake_all(&self) {
        self.changes.send_replace(());
        for (_, notify) in self.map().drain() {
            if let Some(notify) = notify.upgrade() {
                notify.notify_waiters();
            }
        }
    }

    fn map(&self) -> MutexGuard<'_, HashMap<String, Weak<Notify>>> {
        self.of.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
