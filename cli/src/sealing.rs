//! Which key seals the credentials of this process' registry.

use std::path::PathBuf;

use anyhow::{Context, bail};
use harrier_coordinator::seal::{Sealer, SealingKey};

use crate::config::Config;

/// The file that holds the key of this configuration.
fn key_file(config: &Config) -> PathBuf {
    config.sealing.key_file.clone().unwrap_or_else(|| config.coordinator.data_dir.join("sealing.key"))
}

/// The key from the environment or the file. Where there is neither, `make_missing` founds one in the file.
pub fn sealer(config: &Config, make_missing: bool) -> anyhow::Result<Sealer> {
    if let Some(key) = SealingKey::from_env()? {
        return Ok(Sealer::new(&key));
    }
    let file = key_file(config);
    if file.exists() {
        return Ok(Sealer::new(&SealingKey::load(&file)?));
    }
    if !make_missing {
        bail!(
            "no sealing key: there is no file {} and HARRIER_SEALING_KEY is not set; make one with \
             `harrier key generate {}` and give every coordinator of the group the same",
            file.display(),
            file.display()
        );
    }
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    }
    let key = SealingKey::generate_to(&file)?;
    tracing::info!(file = %file.display(), "made a new sealing key: keep a copy, credentials cannot be read without it");
    Ok(Sealer::new(&key))
}
