//! Which disturbances there are, and how they are mixed.

use super::World;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Disturbances {
    /// Shards that come, leave and come back; mappings that are late.
    pub inputs: bool,
    /// Owners that hand over in order.
    pub moves: bool,
    /// Owners that die.
    pub crashes: bool,
    /// Calls of unknown outcome.
    pub unknown: bool,
    /// Collections and partitions that the source drops.
    pub drops: bool,
    /// Tasks that are paused and resumed, deleted and created again.
    pub tasks: bool,
    /// The target flushes, and is killed and restarted.
    pub target: bool,
    /// Calls that were given up are executed late, or twice.
    pub late: bool,
    /// The source's clock is ahead of the target's for a while.
    pub skew: bool,
    /// The target takes only small messages and calls.
    pub sizes: bool,
    /// The target refuses a collection for a while.
    pub refusals: bool,
    /// Hardly any room for messages that wait for their tick.
    pub memory: bool,
}

const NONE: Disturbances = Disturbances {
    inputs: false,
    moves: false,
    crashes: false,
    unknown: false,
    drops: false,
    tasks: false,
    target: false,
    late: false,
    skew: false,
    sizes: false,
    refusals: false,
    memory: false,
};

/// The calmest first. What each must not do beyond being equal in the end, `verdict` knows.
pub(in super::super) const MIXES: [(&str, Disturbances); 13] = [
    ("undisturbed", NONE),
    ("inputs come and go", Disturbances { inputs: true, target: true, ..NONE }),
    ("owners hand over in order", Disturbances { inputs: true, moves: true, target: true, ..NONE }),
    ("collections are dropped", Disturbances { drops: true, target: true, ..NONE }),
    (
        "packs are broken off",
        Disturbances { inputs: true, moves: true, unknown: true, target: true, skew: true, ..NONE },
    ),
    (
        "owners die and calls are of unknown outcome",
        Disturbances { crashes: true, unknown: true, target: true, ..NONE },
    ),
    (
        "the target takes only small messages",
        Disturbances { inputs: true, moves: true, crashes: true, unknown: true, sizes: true, ..NONE },
    ),
    ("a collection is refused", Disturbances { refusals: true, target: true, ..NONE }),
    ("intervals are read twice", Disturbances { memory: true, target: true, ..NONE }),
    (
        "packs are broken off while they are read again",
        Disturbances { inputs: true, moves: true, crashes: true, unknown: true, memory: true, ..NONE },
    ),
    (
        "tasks come and go while owners die",
        Disturbances { tasks: true, moves: true, crashes: true, unknown: true, target: true, ..NONE },
    ),
    (
        "calls are executed late",
        Disturbances { crashes: true, unknown: true, target: true, late: true, ..NONE },
    ),
    (
        "everything at once",
        Disturbances {
            inputs: true,
            moves: true,
            crashes: true,
            unknown: true,
            drops: true,
            tasks: true,
            target: true,
            late: true,
            skew: true,
            sizes: true,
            refusals: true,
            memory: true,
        },
    ),
];

impl World {
    /// One of the disturbances of the mix.
    pub(super) fn disturb(&mut self) {
        type Event = fn(&mut World);
        let mix = self.disturbances;
        let events: [(bool, Event); 9] = [
            (mix.target, Self::disturb_target),
            (mix.inputs, Self::disturb_inputs),
            (mix.drops, Self::drop_something),
            (mix.refusals, Self::refuse_something),
            (mix.tasks, Self::disturb_tasks),
            (mix.skew, Self::disturb_clocks),
            (mix.moves, Self::hand_over),
            (mix.late, Self::land),
            (mix.crashes, Self::crash),
        ];
        let possible: Vec<Event> =
            events.into_iter().filter(|(enabled, _)| *enabled).map(|(_, event)| event).collect();
        if !possible.is_empty() {
            possible[self.random.index(possible.len())](self);
        }
    }
}
