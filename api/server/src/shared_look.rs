//! One look for all who ask at the same time, so that asking more often costs no more. Knows nothing of what is looked at.

use std::future::Future;
use std::time::Instant;
use tokio::sync::Mutex;

/// The last look, and when it began.
#[derive(Debug)]
pub struct SharedLook<T> {
    last: Mutex<Option<(Instant, T)>>,
}

impl<T> Default for SharedLook<T> {
    fn default() -> Self {
        Self { last: Mutex::new(None) }
    }
}

impl<T: Clone> SharedLook<T> {
    /// What `look` finds, or what somebody else's look has found that began after this was asked: never what was before.
    pub async fn ask(&self, look: impl Future<Output = T>) -> T {
        let asked = Instant::now();
        let mut last = self.last.lock().await;
        if let Some((_, found)) = last.as_ref().filter(|(began, _)| *began >= asked) {
            return found.clone();
        }
        let began = Instant::now();
        let found = look.await;
        *last = Some((began, found.clone()));
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use tokio::join;

    #[actix_web::test]
    async fn who_asks_while_another_looks_waits_for_the_next_look_and_all_who_wait_share_it() {
        let (shared, looks) = (SharedLook::default(), Cell::new(0));
        let look = || async {
            looks.set(looks.get() + 1);
            tokio::task::yield_now().await;
            looks.get()
        };
        let (first, second, third) = join!(shared.ask(look()), shared.ask(look()), shared.ask(look()));
        assert_eq!((first, second, third), (1, 2, 2));
        assert_eq!(shared.ask(look()).await, 3, "what was found before somebody asked is not told to them");
    }
}
