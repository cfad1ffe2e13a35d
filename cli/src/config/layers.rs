//! Merging of the layers: defaults, file, environment, flags.

use std::path::{Path, PathBuf};

use figment::Figment;
use figment::providers::{Env, Serialized};

use super::file::FileConfig;
use super::go_tool::GoToolFile;
use super::yaml::Yaml;
use super::{Config, ConfigError};

/// Names of environment variables begin with this; levels are separated by two underscores
/// (`HARRIER_COORDINATOR__HTTP_ADDRESS`).
const ENV_PREFIX: &str = "HARRIER_";

/// The layers above the defaults.
#[derive(Debug, Default)]
pub struct Layers {
    file: Option<PathBuf>,
    flags: Vec<(String, figment::value::Value)>,
}

impl Layers {
    /// The layers of a process that was given this file, if any.
    pub fn new(file: Option<&Path>) -> Self {
        Self { file: file.map(Path::to_owned), flags: Vec::new() }
    }

    /// Sets a key from a flag, stronger than file and environment. `None` leaves it alone.
    pub fn flag<V: Into<figment::value::Value>>(&mut self, key: &str, value: Option<V>) -> &mut Self {
        if let Some(value) = value {
            self.flags.push((key.to_owned(), value.into()));
        }
        self
    }

    /// Reads and merges the layers and checks the result.
    pub fn load(&self) -> Result<Config, ConfigError> {
        let mut figment = Figment::new();
        if let Some(path) = &self.file {
            let text = std::fs::read_to_string(path)
                .map_err(|source| ConfigError::Unreadable { path: path.clone(), source })?;
            let layer = NamedYaml { text, path: path.clone() };
            figment = figment.merge(go_tool_layer(&layer)?).merge(layer);
        }
        figment = figment.merge(environment());
        for (key, value) in &self.flags {
            let name = format!("flag for {key}");
            figment = figment.merge(Named { name, inner: Serialized::default(key, value) });
        }
        let file: FileConfig =
            figment.extract().map_err(|error| ConfigError::from_figment(&error, &figment))?;
        file.into_config()
    }
}

/// Only variables with a level separator are configuration: `HARRIER_SEALING_KEY` and what container platforms
/// inject for a service of that name (`HARRIER_SERVICE_HOST`) are not.
fn environment() -> Env {
    Env::prefixed(ENV_PREFIX).filter(|key| key.as_str().contains("__")).split("__")
}

/// What the keys of the Go tool in the file say, in Harrier's own keys.
fn go_tool_layer(file: &NamedYaml) -> Result<Figment, ConfigError> {
    let figment = Figment::from(file);
    let keys: GoToolFile = figment.extract().map_err(|error| ConfigError::from_figment(&error, &figment))?;
    let name = format!("keys of the Go tool in {}", file.path.display());
    let mut layer = Figment::new();
    for (key, value) in keys.settings() {
        layer = layer.merge(Named { name: name.clone(), inner: Serialized::default(key, value) });
    }
    Ok(layer)
}

/// A layer under another name, for messages.
struct Named<P> {
    name: String,
    inner: P,
}

impl<P: figment::Provider> figment::Provider for Named<P> {
    fn metadata(&self) -> figment::Metadata {
        figment::Metadata::named(self.name.clone())
    }

    fn data(&self) -> Result<figment::value::Map<figment::Profile, figment::value::Dict>, figment::Error> {
        self.inner.data()
    }
}

/// A YAML text with the name of its file, so that messages can say where a value came from.
struct NamedYaml {
    text: String,
    path: PathBuf,
}

impl figment::Provider for NamedYaml {
    fn metadata(&self) -> figment::Metadata {
        figment::Metadata::from("file", self.path.as_path())
    }

    fn data(&self) -> Result<figment::value::Map<figment::Profile, figment::value::Dict>, figment::Error> {
        figment::providers::Data::<Yaml>::string(&self.text).data()
    }
}
