//! Names on the broker: of topics, and of what Harrier shows there.

use super::super::access::LogAccess;

/// Shown by the broker's own tools for each reader.
pub(super) const CLIENT: &str = concat!("harrier-", env!("CARGO_PKG_VERSION"));
/// Name of every consumer.
pub(super) const CONSUMER: &str = "harrier";

/// The topic of a channel.
pub(super) fn of_channel(access: &LogAccess, channel: &str) -> String {
    format!("persistent://{}/{}/{channel}", access.tenant, access.namespace)
}

/// A subscription's name: `harrier-reader-` and 16 hexadecimal digits. Each is used once, so that two readers of one
/// topic, or a reader and the one before it, never meet.
pub(super) fn subscription(unique: u64) -> String {
    format!("harrier-reader-{unique:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenant_and_namespace_are_part_of_the_name() {
        let access = LogAccess { tenant: "milvus".into(), namespace: "prod".into(), ..LogAccess::default() };
        assert_eq!(of_channel(&access, "up-rootcoord-dml_3"), "persistent://milvus/prod/up-rootcoord-dml_3");
        assert_eq!(of_channel(&LogAccess::default(), "c"), "persistent://public/default/c");
    }
}
