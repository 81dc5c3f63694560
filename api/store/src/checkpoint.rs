//! Brings SQLite's write-ahead log into the file beside the writer, so that no change waits until thousands of pages have
//! been copied and flushed. Only the last few, which come while that is done, are the writer's own: then it begins the log
//! anew. PostgreSQL has a process of its own for this.

use crate::connection::{Connection, DatabaseUrl};
use crate::dialect;
use crate::error::StoreError;
use std::fs::File;
use std::mem::ManuallyDrop;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

/// From how many pages on (16 MiB) they are brought in. More at a time copies fewer pages twice, but while they reach the
/// disk a commit waits there for its turn.
const MANY: i64 = 4_000;
/// So few are left to the writer: some milliseconds.
const FEW: i64 = 256;
/// How often what has come meanwhile is brought in too, before it is left for the next time.
const PASSES: usize = 4;

/// Works for one writer, until that is gone.
pub(crate) struct Checkpointer {
    nudge: Option<SyncSender<()>>,
    nearly: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpointer {
    /// Starts the thread, on a connection of its own; none where there is nothing to do.
    pub(crate) fn start(url: &DatabaseUrl) -> Result<Self, StoreError> {
        let (mut started, nearly) = (Self { nudge: None, nearly: Arc::default(), thread: None }, Arc::default());
        if let DatabaseUrl::Sqlite(_) = url {
            let (nudge, nudged) = sync_channel(1);
            let (mut bringer, shared) = (Bringer { conn: url.open()?, file: None }, Arc::clone(&nearly));
            let thread = std::thread::Builder::new()
                .name("checkpointer".to_owned())
                .spawn(move || follow(&mut bringer, &nudged, &shared))
                .map_err(|error| StoreError::Address(error.to_string()))?;
            started = Self { nudge: Some(nudge), nearly, thread: Some(thread) };
        }
        Ok(started)
    }

    /// To be told by the writer after each commit, on its own connection.
    pub(crate) fn committed(&self, conn: &mut Connection) {
        let Some(nudge) = &self.nudge else { return };
        if self.nearly.swap(false, Ordering::Acquire)
            && let Err(error) = dialect::bring_in(conn)
        {
            tracing::warn!(%error, "the rest of the write-ahead log could not be brought in; it is tried again");
        }
        // Full: it has not yet looked at what was there the last time.
        let _told_already = nudge.try_send(());
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        self.nudge = None;
        if let Some(thread) = self.thread.take() {
            // It has said so itself if it panicked.
            let _ended = thread.join();
        }
    }
}

fn follow(bringer: &mut Bringer, nudged: &Receiver<()>, nearly: &AtomicBool) {
    while nudged.recv().is_ok() {
        match bringer.bring_in_most() {
            Ok(true) => nearly.store(true, Ordering::Release),
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "the write-ahead log could not be brought in; it is tried again"),
        }
    }
}

/// Copies pages from the log into the file, and flushes that.
struct Bringer {
    conn: Connection,
    /// The file, once it has had to be flushed.
    file: Option<KeptOpen>,
}

impl Bringer {
    /// Answers whether it has, so that the writer may do the rest.
    fn bring_in_most(&mut self) -> Result<bool, StoreError> {
        let mut pages = dialect::log_pages(&mut self.conn)?;
        if pages.left() < MANY {
            return Ok(false);
        }
        for _ in 0..PASSES {
            dialect::bring_in(&mut self.conn)?;
            // SQLite leaves this to whoever brings in the last page: the writer would flush all that has been copied here.
            self.flush()?;
            pages = dialect::log_pages(&mut self.conn)?;
            if pages.left() <= FEW {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        if self.file.is_none() {
            self.file = dialect::file(&mut self.conn)?.map(|path| KeptOpen::new(&path)).transpose()?;
        }
        match &self.file {
            Some(KeptOpen(file)) => file.sync_data().map_err(StoreError::File),
            None => Ok(()),
        }
    }
}

/// A database's file, never closed again: closing any descriptor of a file gives up all locks of the process on it (POSIX,
/// `fcntl`), those of SQLite too.
struct KeptOpen(ManuallyDrop<File>);

impl KeptOpen {
    fn new(path: &str) -> Result<Self, StoreError> {
        Ok(Self(ManuallyDrop::new(File::open(path).map_err(StoreError::File)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use diesel::connection::SimpleConnection;

    fn write(conn: &mut Connection, pages: usize) {
        let Connection::Sqlite(c) = conn else { panic!("SQLite") };
        let statement = format!(
            "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {pages}) \
             INSERT INTO t SELECT randomblob(4000) FROM n"
        );
        c.batch_execute(&statement).expect("rows");
    }

    #[test]
    fn many_pages_are_brought_in_by_another_connection_and_the_log_begins_anew() {
        let folder = tempfile::tempdir().expect("a folder");
        let url = DatabaseUrl::Sqlite(folder.path().join("x.db").to_string_lossy().into_owned());
        let (mut writer, mut other) = (url.open_for_writing().expect("a file"), url.open().expect("the same file"));
        let mut bringer = Bringer { conn: url.open().expect("the same file"), file: None };
        let Connection::Sqlite(c) = &mut writer else { panic!("SQLite") };
        c.batch_execute("CREATE TABLE t (bytes blob)").expect("a table");
        write(&mut writer, 100);
        assert!(!bringer.bring_in_most().expect("a look"), "few are left alone");
        let few = dialect::log_pages(&mut other).expect("pages");
        assert!(few.left() >= 100, "{few:?}");
        write(&mut writer, 9_000);
        assert!(bringer.bring_in_most().expect("a checkpoint"));
        assert_eq!(dialect::log_pages(&mut other).expect("pages").left(), 0);
        write(&mut writer, 1);
        let anew = dialect::log_pages(&mut other).expect("pages");
        assert!(anew.left() < 100, "{anew:?}");
    }
}
