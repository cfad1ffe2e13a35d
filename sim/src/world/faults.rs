//! What goes wrong, and how often.

use harrier_worker::simulation::SimChannel;

use super::World;
use crate::raft::{Message, NODES};
use crate::random::Random;

/// How bad a history is. Percentages are per letter or call, of faults per mille and step.
pub(super) struct Weather {
    pub(super) calm_from_ms: u64,
    calm: bool,
    pub(super) loss: u64,
    pub(super) delay: u64,
    pub(super) calls: u64,
    faults: u64,
    /// Messages and steps are quick: what is slow hides what comes too soon.
    quick: bool,
    /// How often a member dies right after a word, per mille and word.
    deaths: u64,
    /// One worker stays cut off from something for ever.
    lasting_cut: bool,
    /// How often the targets seal segments, per mille and step.
    seals: u64,
    /// How long after the last fault calls of before are still executed.
    pub(super) late_in_calm_ms: u64,
}

/// Most histories are over soon after the last fault; one in so many waits for calls that come much later.
const PATIENT: u64 = 25;

impl Weather {
    pub(super) fn new(random: &mut Random, duration_ms: u64) -> Self {
        Self {
            calm_from_ms: duration_ms + random.below(4_000),
            calm: false,
            loss: [0, 2, 10][random.index(3)],
            delay: [0, 3, 15][random.index(3)],
            calls: [1, 4, 12][random.index(3)],
            faults: [3, 12, 35][random.index(3)],
            quick: random.chance(8),
            deaths: [0, 0, 1, 4][random.index(4)],
            lasting_cut: random.chance(8),
            seals: [0, 3, 15][random.index(3)],
            late_in_calm_ms: if random.below(PATIENT) == 0 { 45_000 } else { 2_000 },
        }
    }

    /// No call that was given up is executed later.
    pub(super) const fn late_until_ms(&self) -> u64 {
        self.calm_from_ms + self.late_in_calm_ms
    }

    pub(super) const fn is_bad(&self) -> bool {
        !self.calm
    }

    /// The longest step, in milliseconds.
    pub(super) const fn step_ms(&self) -> u64 {
        match (self.calm, self.quick) {
            (false, true) => 4,
            (false, false) => 20,
            (true, _) => 40,
        }
    }

    /// The longest way of a letter at most times, in milliseconds.
    pub(super) const fn letter_delay_ms(&self) -> u64 {
        if self.quick { 2 } else { 15 }
    }

    /// And of one between coordinators.
    pub(super) const fn member_delay_ms(&self) -> u64 {
        if self.quick { 1 } else { 8 }
    }

    /// How often a member dies right after it has said this, per mille.
    pub(super) const fn death_after(&self, word: &Message) -> u64 {
        match word {
            _ if self.calm => 0,
            Message::Voted { granted: true, .. } => 10 * self.deaths,
            Message::Answer { matched: Ok(_), .. } => self.deaths,
            _ => 0,
        }
    }
}

impl World {
    /// The targets seal segments; what is written twice then stays twice.
    pub(super) fn seal(&mut self) {
        if self.random.below(1_000) < self.weather.seals {
            self.any_channel().flush();
        }
    }

    fn any_channel(&mut self) -> &mut SimChannel {
        let number = self.random.index(self.targets.channels.len());
        self.targets.channels.values_mut().nth(number).unwrap()
    }

    pub(super) fn misbehave(&mut self) {
        if self.random.below(1_000) >= self.weather.faults {
            return;
        }
        let index = self.random.index(self.processes.len());
        let short_ms = self.random.below(400);
        let long_ms = self.random.below(2_500);
        let duration_ms = if self.random.chance(50) { short_ms } else { long_ms };
        let fault = self.random.below(22);
        let coordinator = self.any_coordinator();
        let other = (coordinator + 1 + self.random.index(NODES - 1)) % NODES;
        self.counts.faults += 1;
        self.tell(|| format!("fault {fault} of process {index} for {duration_ms} ms"));
        match fault {
            0 | 1 => self.kill(index, duration_ms),
            2 | 3 => self.processes[index].frozen_until_ms = self.now_ms + duration_ms,
            4 => self.processes[index].coordinators.begin(self.now_ms, duration_ms),
            5 => self.terminate(index),
            6 | 7 => self.crash(coordinator, duration_ms),
            8 => self.group.nodes[coordinator].frozen_until_ms = self.now_ms + duration_ms,
            9 => self.targets.gone_until_ms = self.now_ms + duration_ms,
            10 => self.group.nodes[coordinator].cut_until_ms[other] = self.now_ms + duration_ms,
            11 => {
                for other in 0..NODES {
                    self.group.nodes[coordinator].cut_until_ms[other] = self.now_ms + long_ms;
                    self.group.nodes[other].cut_until_ms[coordinator] = self.now_ms + long_ms;
                }
            }
            12 => {
                let wall_off_ms = self.random.below(4_000).cast_signed() - 2_000;
                self.group.nodes[coordinator].wall_off_ms = wall_off_ms;
            }
            13 => {
                let wall_off_ms = self.random.below(4_000).cast_signed() - 2_000;
                self.processes[index].set_wall_off_ms(wall_off_ms);
            }
            14 => {
                self.processes[index].one_way = self.random.chance(30);
                self.processes[index].targets.begin(self.now_ms, duration_ms);
            }
            15 => self.processes[index].logs.begin(self.now_ms, duration_ms),
            16 => drop(self.any_channel().flush()),
            17 => self.any_channel().restart(),
            18 => self.processes[index].coordinators.flap(self.now_ms, &mut self.random),
            // The power fails.
            19 => (0..NODES).for_each(|id| self.crash(id, short_ms)),
            20 => {
                // Long enough to be seen.
                self.processes[index].one_way = self.random.chance(30);
                self.processes[index].targets.begin(self.now_ms, 600 + long_ms);
            }
            _ => {
                let forward_ms = self.random.below(1_500);
                self.any_channel().put_clock_forward(forward_ms);
            }
        }
        // Sometimes two at once.
        if self.random.chance(10) {
            self.misbehave();
        }
    }

    /// Rather one that leads.
    fn any_coordinator(&mut self) -> usize {
        let any = self.random.index(NODES);
        if self.random.chance(60) { self.group.any_leader().unwrap_or(any) } else { any }
    }

    /// Everybody is well again.
    pub(super) fn calm_down(&mut self) {
        self.weather.calm = true;
        self.targets.gone_until_ms = 0;
        for process in &mut self.processes {
            process.frozen_until_ms = process.frozen_until_ms.min(self.now_ms);
            process.dead_until_ms = process.dead_until_ms.min(self.now_ms);
            process.coordinators.end();
            process.targets.end();
            process.logs.end();
        }
        if self.weather.lasting_cut {
            let index = self.random.index(self.processes.len());
            let process = &mut self.processes[index];
            process.one_way = self.random.chance(30);
            let way = if self.random.chance(60) { &mut process.targets } else { &mut process.logs };
            way.begin(self.now_ms, u64::MAX);
        }
        for node in &mut self.group.nodes {
            node.frozen_until_ms = 0;
            node.dead_until_ms = 0;
            node.cut_until_ms = [0; NODES];
        }
    }
}
