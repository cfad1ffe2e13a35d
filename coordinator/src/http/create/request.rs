//! A `create` request: read first (types), then checked (values). Neither step talks to anybody.

use crate::http::answer::ApiError;
use crate::http::fields::{FieldError, Fields};
use crate::registry::TaskSpec;
use crate::registry::task::NameMapping;

use super::connect_param::{ConnectParam, Login, not_negative};
use super::name_mapping;
use super::positions::check_rpc_position;
use super::selection::Selection;
use super::uri::MilvusAddress;

/// What of the configuration decides how a request is read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CheckOptions<'a> {
    /// The source's RPC channel.
    pub replicate_channel: &'a str,
    /// A lone `*` in `collection_infos` selects every database.
    pub star_means_every_database: bool,
}

/// The request as it came.
#[derive(Clone, Debug)]
pub(crate) struct CreateRequest {
    /// Empty when the client chose none.
    pub task_id: String,
    connect: ConnectParam,
    selection: Selection,
    name_mapping: Vec<NameMapping>,
    rpc_channel: String,
    rpc_channel_position: String,
    enable_user_role: bool,
    disable_auto_start: bool,
    buffer_period: i64,
    buffer_size: i64,
}

/// A request that passed all checks that need nobody else.
#[derive(Clone, Debug)]
pub(crate) struct CheckedRequest {
    /// What the task will be.
    pub spec: TaskSpec,
    /// The secrets, in plain.
    pub login: Login,
    /// Where the target is.
    pub address: MilvusAddress,
}

impl CreateRequest {
    /// Reads the request's data.
    pub(crate) fn read(data: &Fields<'_>) -> Result<Self, FieldError> {
        let rpc_channel_info = data.object("rpc_channel_info")?;
        let buffer_config = data.object("buffer_config")?;
        Ok(CreateRequest {
            task_id: data.string("task_id")?,
            connect: ConnectParam::read(data)?,
            selection: Selection::read(data)?,
            name_mapping: name_mapping::read(data)?,
            rpc_channel: rpc_channel_info.string("name")?,
            rpc_channel_position: rpc_channel_info.string("position")?,
            enable_user_role: data.object("extra_info")?.boolean("enable_user_role")?,
            disable_auto_start: data.boolean("disable_auto_start")?,
            buffer_period: buffer_config.integer("period")?.unwrap_or(0),
            buffer_size: buffer_config.integer("size")?.unwrap_or(0),
        })
    }

    /// Checks the values: the target first, then what is selected, then the rest.
    pub(crate) fn check(self, options: CheckOptions<'_>) -> Result<CheckedRequest, ApiError> {
        let (target, login, address) = self.connect.check()?;
        self.selection.check()?;
        check_rpc_channel(&self.rpc_channel, &self.rpc_channel_position, options.replicate_channel)?;
        let every_database = options.star_means_every_database && self.selection.is_lone_star();
        let name_mapping = name_mapping::check(self.name_mapping, &self.selection, every_database)?;
        let buffer_period_s = not_negative(self.buffer_period, "the cache period", "buffer_config.period")?;
        let buffer_bytes = not_negative(self.buffer_size, "the cache size", "buffer_config.size")?;
        let spec = TaskSpec {
            target,
            collection_infos: self.selection.collection_infos,
            db_collections: self.selection.db_collections,
            every_database,
            exclude: self.selection.exclude,
            rpc_channel: options.replicate_channel.to_owned(),
            rpc_channel_position: self.rpc_channel_position,
            name_mapping,
            enable_user_role: self.enable_user_role,
            buffer_period_s,
            buffer_bytes: buffer_bytes.into(),
            disable_auto_start: self.disable_auto_start,
            gives_way: true,
        };
        Ok(CheckedRequest { spec, login, address })
    }
}

fn check_rpc_channel(name: &str, position: &str, configured: &str) -> Result<(), ApiError> {
    if !name.is_empty() && name != configured {
        return Err(ApiError::refused(format!(
            "the rpc channel is invalid, the channel name should be the same as the source config: \
             it is '{}', leave 'rpc_channel_info.name' empty or set it to '{configured}'",
            start_of(name)
        )));
    }
    if position.is_empty() { Ok(()) } else { check_rpc_position(position, configured) }
}

/// Enough of a name to recognize it.
fn start_of(name: &str) -> String {
    name.chars().take(256).collect()
}
