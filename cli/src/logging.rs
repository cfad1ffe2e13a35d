//! Logs: set up once, level changeable while running.

use std::sync::Arc;

use anyhow::Context;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, reload};

use crate::config::{LogFormat, LogSection};

/// Changes the level of a running process; the error says what was expected.
pub type SetLogLevel = Arc<dyn Fn(&str) -> Result<(), String> + Send + Sync>;

/// openraft says again at every call what is told once here: which member does not answer, what failed on the disk.
/// A bare level is Harrier's own: the libraries beneath say more than an operator wants to read at the same level.
/// Whoever wants them too writes a filter (`debug,openraft=debug`).
fn parse_filter(level: &str) -> Result<EnvFilter, tracing_subscriber::filter::ParseError> {
    const LIBRARIES: &str = "openraft=off,async_nats=warn,h2=warn,hyper=warn,tower=warn,tonic=warn";
    let is_bare = level.parse::<tracing::Level>().is_ok();
    if is_bare { EnvFilter::try_new(format!("{level},{LIBRARIES}")) } else { EnvFilter::try_new(level) }
}

/// Starts logging to standard error.
pub fn start(section: &LogSection) -> anyhow::Result<SetLogLevel> {
    let filter = parse_filter(&section.level).context("log.level")?;
    let (filter, handle) = reload::Layer::new(filter);
    let lines: Box<dyn Layer<_> + Send + Sync> = match section.format {
        LogFormat::Text => Box::new(
            tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(false).with_target(true),
        ),
        LogFormat::Json => {
            Box::new(tracing_subscriber::fmt::layer().json().flatten_event(true).with_writer(std::io::stderr))
        }
    };
    Registry::default().with(filter).with(lines).try_init().context("logging is already set up")?;
    Ok(Arc::new(move |level: &str| {
        let filter = parse_filter(level).map_err(|_| {
            format!("expected one of error, warn, info, debug, trace or a filter, found {level:?}")
        })?;
        handle.reload(filter).map_err(|error| format!("the level cannot be changed: {error}"))
    }))
}
