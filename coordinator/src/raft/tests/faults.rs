//! A disk that fails: the node stops, and acknowledges nothing that is not written.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use redb::StorageBackend;
use redb::backends::FileBackend;
use tempfile::tempdir;

use super::samples::create_task;
use super::*;

/// A file that refuses to grow or to change once the disk is "full".
#[derive(Debug)]
struct FailingFile {
    file: FileBackend,
    full: Arc<AtomicBool>,
}

impl FailingFile {
    fn check(&self) -> io::Result<()> {
        if self.full.load(Ordering::SeqCst) { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}

impl StorageBackend for FailingFile {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.check()?;
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.check()?;
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.check()?;
        self.file.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }
}

#[tokio::test]
async fn a_full_disk_stops_the_node_and_nothing_is_acknowledged() {
    let data_dir = tempdir().unwrap();
    let full = Arc::new(AtomicBool::new(false));
    let switch = full.clone();
    let registry =
        Registry::open_with(options(data_dir.path()), move |file| FailingFile { file, full: switch })
            .await
            .unwrap();
    let mut leadership = leads(&registry).await;
    registry.propose(create_task("a")).await.unwrap();

    full.store(true, Ordering::SeqCst);
    let refused = registry.propose(create_task("b")).await;
    assert!(matches!(refused, Err(ProposeError::Stopped { .. })), "{refused:?}");
    assert!(!registry.read(|state| state.tasks.contains_key("b")));

    // Everybody is told, and room on the disk does not bring the node back by itself.
    let reason = tokio::time::timeout(Duration::from_secs(10), registry.failed()).await.unwrap();
    assert_eq!(registry.status().role, "stopped");
    assert_eq!(registry.status().failure, Some(reason));
    tokio::time::timeout(Duration::from_secs(10), leadership.wait_for(Option::is_none))
        .await
        .unwrap()
        .unwrap();
    full.store(false, Ordering::SeqCst);
    assert!(registry.propose(create_task("c")).await.is_err());
    registry.shutdown().await;

    let registry = Registry::open(options(data_dir.path())).await.unwrap();
    leads(&registry).await;
    assert!(registry.read(|state| state.tasks.contains_key("a")));
    assert_eq!(registry.propose(create_task("c")).await.unwrap(), crate::registry::Reply::Done);
    registry.shutdown().await;
}
