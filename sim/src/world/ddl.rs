//! The catalog of a target: names, and what stands behind them.

use std::collections::{BTreeMap, BTreeSet};

use harrier_milvus::client::{ClientError, CollectionDescription, Missing, NewCollection, Partition, Shard};
use harrier_milvus::tso::Timestamp;
use harrier_worker::simulation::SimCollection;

/// The partition that every collection has.
pub(super) const DEFAULT_PARTITION: &str = "_default";

/// One target.
pub(super) struct Ddl {
    pchannel: String,
    /// All that may be created here, by the creation's time at the source.
    known: BTreeMap<Timestamp, SimCollection>,
    collections: BTreeMap<String, Made>,
    dropped: BTreeSet<Timestamp>,
    pub(super) effects: Vec<Effect>,
}

struct Made {
    created_ts: Timestamp,
    new: NewCollection,
    partitions: BTreeMap<String, i64>,
}

/// What a change does to the target's channel.
pub(super) enum Effect {
    Created,
    Dropped { number: usize, created_ts: Timestamp },
}

/// The name of a source partition, by its place among its collection's.
pub(super) fn partition_name(place: usize, source_id: i64) -> String {
    if place == 0 { DEFAULT_PARTITION.to_owned() } else { format!("p{source_id}") }
}

fn missing(what: Missing, name: &str) -> ClientError {
    ClientError::NotFound { what, reason: name.to_owned() }
}

impl Ddl {
    pub(super) const fn new(pchannel: String, known: BTreeMap<Timestamp, SimCollection>) -> Self {
        Self { pchannel, known, collections: BTreeMap::new(), dropped: BTreeSet::new(), effects: Vec::new() }
    }

    fn found(&self, name: &str) -> Result<&Made, ClientError> {
        self.collections.get(name).ok_or_else(|| missing(Missing::Collection, name))
    }

    pub(super) fn names(&self) -> impl Iterator<Item = (&String, Timestamp)> {
        self.collections.iter().map(|(name, made)| (name, made.created_ts))
    }

    pub(super) fn list(&self) -> Vec<(String, i64)> {
        let id = |made: &Made| self.known[&made.created_ts].target_id;
        let listed = self.collections.iter().map(|(name, made)| (name.clone(), id(made)));
        let mut listed: Vec<(String, i64)> = listed.collect();
        // Hidden names are drawn anew each time, and a history is to be the same.
        listed.sort_by_key(|(_, id)| *id);
        listed
    }

    pub(super) fn describe(&self, name: &str) -> Result<CollectionDescription, ClientError> {
        let made = self.found(name)?;
        let collection = &self.known[&made.created_ts];
        let vchannel = collection.target_vchannel.clone();
        Ok(CollectionDescription {
            id: collection.target_id,
            name: name.to_owned(),
            schema: made.new.schema.clone(),
            shards: vec![Shard { index: 0, vchannel, pchannel: self.pchannel.clone() }],
            aliases: Vec::new(),
            consistency_level: made.new.consistency_level,
            properties: made.new.properties.clone(),
            num_partitions: i64::try_from(made.partitions.len()).unwrap(),
            created_timestamp: made.created_ts,
        })
    }

    pub(super) fn describe_by_id(&self, id: i64) -> Result<CollectionDescription, ClientError> {
        let mut named = self.collections.iter();
        let name = named.find(|(_, made)| self.known[&made.created_ts].target_id == id).map(|(name, _)| name);
        self.describe(name.ok_or_else(|| missing(Missing::Collection, &id.to_string()))?)
    }

    pub(super) fn create(&mut self, new: &NewCollection) -> Result<(), ClientError> {
        if self.collections.contains_key(&new.name) {
            return Err(ClientError::AlreadyExists { reason: new.name.clone() });
        }
        let created_ts = new.msg_timestamp;
        let twice = self.collections.values().any(|made| made.created_ts == created_ts);
        if twice || self.dropped.contains(&created_ts) {
            // A creation that comes when its collection has another name, or is gone: what becomes of those is known
            // (a collection that nobody maps), and no model of the target's rows has a place for it.
            return Ok(());
        }
        let collection = &self.known[&created_ts];
        let partitions = [(DEFAULT_PARTITION.to_owned(), collection.partitions[0].1)].into();
        self.collections.insert(new.name.clone(), Made { created_ts, new: new.clone(), partitions });
        self.effects.push(Effect::Created);
        Ok(())
    }

    /// False if it is not there.
    pub(super) fn drop_by_hand(&mut self, created_ts: Timestamp) -> bool {
        let before = self.collections.len();
        self.collections.retain(|_, made| made.created_ts != created_ts);
        let found = self.collections.len() < before;
        if found {
            self.dropped.insert(created_ts);
        }
        found
    }

    /// When the collection of that name was created at the source, if there is one.
    pub(super) fn created_ts(&self, name: &str) -> Option<Timestamp> {
        self.collections.get(name).map(|made| made.created_ts)
    }

    pub(super) fn partitions(&self, name: &str) -> Result<Vec<Partition>, ClientError> {
        let made = self.found(name)?;
        let partition = |(name, id): (&String, &i64)| Partition {
            name: name.clone(),
            id: *id,
            created_timestamp: made.created_ts,
        };
        Ok(made.partitions.iter().map(partition).collect())
    }

    pub(super) fn create_partition(&mut self, collection: &str, name: &str) -> Result<(), ClientError> {
        self.found(collection)?;
        let Some(made) = self.collections.get_mut(collection) else { return Ok(()) };
        let partitions = self.known[&made.created_ts].partitions.iter().enumerate();
        let mut ids = partitions.filter(|(place, ids)| partition_name(*place, ids.0) == name);
        let Some((_, (_, target_id))) = ids.next() else {
            return Ok(()); // A late call for a collection that has lost its name to this one.
        };
        made.partitions.insert(name.to_owned(), *target_id);
        Ok(())
    }

    pub(super) fn rename(&mut self, from: &str, to: &str) -> Result<(), ClientError> {
        self.found(from)?;
        if self.collections.contains_key(to) {
            return Err(ClientError::AlreadyExists { reason: to.to_owned() });
        }
        if let Some(made) = self.collections.remove(from) {
            self.collections.insert(to.to_owned(), made);
        }
        Ok(())
    }

    pub(super) fn drop(&mut self, name: &str) -> Result<(), ClientError> {
        self.found(name)?;
        assert!(name.starts_with("_harrier_drop_"), "dropped by a name that anybody may take: {name}");
        let Some(made) = self.collections.remove(name) else { return Ok(()) };
        let collection = &self.known[&made.created_ts];
        let own = format!("_harrier_drop_{}_", collection.target_id);
        assert!(name.starts_with(&own), "another collection is dropped");
        self.dropped.insert(made.created_ts);
        self.effects.push(Effect::Dropped { number: collection.number, created_ts: made.created_ts });
        Ok(())
    }
}
