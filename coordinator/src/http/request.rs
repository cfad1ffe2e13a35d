//! The outer object of a request: which type it is, and its data.

use serde_json::Value;

use super::fields::{FieldError, Fields, kind_of};

/// What can be asked for. The order is that of the list in the error message, which scripts know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum RequestType {
    /// Operations on the server itself.
    Maintenance,
    /// A new task.
    Create,
    /// Remove a task.
    Delete,
    /// Stop a task for now.
    Pause,
    /// Go on with a paused task.
    Resume,
    /// One task.
    Get,
    /// Where a task is on the source's log.
    Position,
    /// All tasks.
    List,
}

impl RequestType {
    /// All of them.
    pub(crate) const ALL: [RequestType; 8] = [
        RequestType::Maintenance,
        RequestType::Create,
        RequestType::Delete,
        RequestType::Pause,
        RequestType::Resume,
        RequestType::Get,
        RequestType::Position,
        RequestType::List,
    ];

    /// The name on the wire, in messages and in metrics.
    pub(crate) fn name(self) -> &'static str {
        match self {
            RequestType::Maintenance => "maintenance",
            RequestType::Create => "create",
            RequestType::Delete => "delete",
            RequestType::Pause => "pause",
            RequestType::Resume => "resume",
            RequestType::Get => "get",
            RequestType::Position => "position",
            RequestType::List => "list",
        }
    }

    /// By its name on the wire.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|request_type| request_type.name() == name)
    }

    /// What an unknown type is answered with.
    pub(crate) fn invalid() -> String {
        let names: Vec<_> = Self::ALL.into_iter().map(RequestType::name).collect();
        format!("invalid 'request_type' param, can be set [{}]", names.join(" "))
    }
}

/// Takes the outer object apart: the name of the type, as given, and the data.
pub(crate) fn take_apart(body: &Value) -> Result<(String, Fields<'_>), String> {
    let Value::Object(members) = body else {
        return Err(format!("the body is {}, expected an object", kind_of(body)));
    };
    let outer = Fields::root(members);
    let text = |error: FieldError| error.to_string();
    let request_type = outer.string("request_type").map_err(text)?;
    let data = outer.object("request_data").map_err(text)?.into_root();
    Ok((request_type, data))
}
