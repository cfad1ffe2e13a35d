//! The layout of the root coordinator's keys, relative to `{root_path}/{meta_sub_path}/root-coord/`. Pure.

/// A key that is read here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// `database/db-info/{database}`
    Database(i64),
    /// `database/collection-info/{database}/{collection}`, and `collection/{collection}` of clusters that were made
    /// before Milvus had databases.
    Collection(i64),
    /// `partitions/{collection}/{partition}`
    Partition(i64, i64),
    /// `fields/{collection}/{field}`
    Field(i64, i64),
}

/// What is listed and watched, each a prefix below `root-coord/`.
pub(super) const PREFIXES: [&str; 6] =
    ["database/", "collection/", "partitions/", "fields/", "aliases/", "credential/"];

impl Key {
    /// `None` for everything else (aliases, indexes, ...).
    pub(super) fn parse(key: &str) -> Option<Self> {
        let (first, rest) = key.split_once('/')?;
        let mut ids = rest.split('/');
        let mut id = || ids.next()?.parse::<i64>().ok();
        let key = match first {
            "collection" => Self::Collection(id()?),
            "partitions" => Self::Partition(id()?, id()?),
            "fields" => Self::Field(id()?, id()?),
            "database" => return Self::parse_database(rest),
            _ => return None,
        };
        ids.next().is_none().then_some(key)
    }

    fn parse_database(rest: &str) -> Option<Self> {
        let (kind, ids) = rest.split_once('/')?;
        match (kind, ids.split_once('/')) {
            ("db-info", None) => Some(Self::Database(ids.parse().ok()?)),
            ("collection-info", Some((database, collection))) => {
                database.parse::<i64>().ok()?;
                Some(Self::Collection(collection.parse().ok()?))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keys_of_a_real_catalog_are_read() {
        for (key, expected) in [
            ("database/db-info/1", Some(Key::Database(1))),
            ("database/collection-info/1/470656084870692988", Some(Key::Collection(470_656_084_870_692_988))),
            ("collection/470656084870692988", Some(Key::Collection(470_656_084_870_692_988))),
            ("partitions/470656084870692988/470656084870692994", {
                Some(Key::Partition(470_656_084_870_692_988, 470_656_084_870_692_994))
            }),
            ("fields/470656084870692988/100", Some(Key::Field(470_656_084_870_692_988, 100))),
            ("database/aliases/1/best", None),
            ("credential/users/root", None),
            ("fields/470656084870692988/100/7", None),
            ("collection-alias/x", None),
        ] {
            assert_eq!(Key::parse(key), expected, "{key}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(key in "(database|fields|partitions|collection)?[a-z0-9/-]{0,40}") {
            let _ = Key::parse(&key);
        }
    }
}
