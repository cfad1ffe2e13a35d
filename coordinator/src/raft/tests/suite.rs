//! openraft's own checks of a log store and a state machine.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use openraft::testing::{StoreBuilder, Suite};
use tempfile::TempDir;

use super::super::log_store::LogStore;
use super::super::state_machine::{SharedState, StateMachine};
use super::super::types::{StorageError, TypeConfig};
use super::{folder, options};

struct Builder;

impl StoreBuilder<TypeConfig, LogStore, StateMachine, TempDir> for Builder {
    async fn build(&self) -> Result<(TempDir, LogStore, StateMachine), StorageError> {
        let data_dir = tempfile::tempdir().unwrap();
        let disk = folder::open(&options(data_dir.path()), |file| file).unwrap();
        let shared = SharedState::load(&disk).unwrap();
        let log_store = LogStore::new(disk.clone(), Arc::new(AtomicU64::new(0)));
        Ok((data_dir, log_store, StateMachine::new(shared, disk, Arc::new(|| {}))))
    }
}

#[test]
fn the_store_is_what_openraft_expects() {
    Suite::test_all(Builder).unwrap();
}
