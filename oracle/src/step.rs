//! What happens in a history, drawn from a seed.

use wrenchtime_sync::Mode;

use crate::config::Config;
use crate::dice::Dice;
use crate::meaning::Meaning;
use crate::source::Fault;
use crate::truth::{Op, TableNumber};
use crate::watched::Break;

/// Rows have keys below this.
const KEYS: u32 = 36;

/// One step of a history.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// Rows change.
    Now(Op),
    /// Rows change just before the source answers the request that comes so many requests later.
    Later(u32, Op),
    /// So many answers in a row are wrong, beginning with the one that comes so many requests later.
    Fault(u32, u32, Fault),
    /// So many seconds pass.
    Wait(u32),
    /// A run.
    Run(Run),
    /// Rows mean something else from now on.
    Remap(Meaning),
    /// Applications read a page, so many times.
    Poll(u32),
    /// The service restarts.
    Restart,
}

/// A run of the engine.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Run {
    /// How much is read.
    pub mode: Mode,
    /// Only of this table.
    pub only: Option<TableNumber>,
    /// Listings are read although they are not due.
    pub listings: bool,
    /// How it ends.
    pub end: End,
}

/// How a run ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// When it has read everything.
    Itself,
    /// It is told to end, when it sends the request of this number, counted from 0.
    Cancel(u32),
    /// Its process is killed while it waits for the answer to this request.
    Kill(u32),
    /// Its process is killed at a write.
    KillAt(Break),
    /// It is held at a write while another run takes the connection over; then it goes on.
    Overtaken(Break),
}

/// Draws the steps of a history.
pub(crate) fn draw(dice: &mut Dice, config: &Config) -> Vec<Step> {
    let steps = dice.pick(&[6, 14, 24, 40]);
    // Some histories are all trouble, some have none.
    let trouble = dice.pick(&[0, 4, 4, 10]);
    let mut all = Vec::new();
    for _ in 0..steps {
        match dice.below(24 + trouble) {
            0..=7 => all.push(Step::Now(op(dice, config))),
            8..=9 => all.push(Step::Later(dice.below(14), op(dice, config))),
            10..=13 => {
                // Around the hour that comes twice every quarter of an hour counts.
                let seconds = if config.forgets() && dice.one_in(4) {
                    dice.pick(&[190_000, 260_000, 800_000])
                } else if config.zone.is_some() {
                    dice.pick(&[7, 61, 300, 600, 900, 1_500, 4_000])
                } else {
                    dice.pick(&[1, 7, 61, 600, 4_000, 90_000])
                };
                all.push(Step::Wait(seconds));
            }
            14..=15 => all.push(Step::Poll(dice.between(1, 6))),
            16..=23 => draw_run(dice, config, trouble > 0, &mut all),
            24 => all.push(Step::Restart),
            25 => all.push(Step::Remap(Meaning {
                by_name: dice.one_in(2),
                picky: dice.one_in(3),
            })),
            _ => all.push(draw_fault(dice)),
        }
    }
    all
}

/// Draws a run, and often what happens in it.
fn draw_run(dice: &mut Dice, config: &Config, trouble: bool, all: &mut Vec<Step>) {
    for _ in 0..dice.below(3) {
        all.push(Step::Later(dice.below(10), op(dice, config)));
    }
    if trouble && dice.one_in(2) {
        all.push(draw_fault(dice));
    }
    all.push(Step::Run(run(dice, config, trouble)));
}

fn draw_fault(dice: &mut Dice) -> Step {
    let times = dice.pick(&[1, 1, 2, 6, 16]);
    let fault = fault(dice);
    let is_lie = matches!(fault, Fault::WrongTotal | Fault::EmptyInside);
    Step::Fault(dice.below(7), if is_lie { 1 } else { times }, fault)
}

fn op(dice: &mut Dice, config: &Config) -> Op {
    let tables = u32::try_from(config.tables.len()).unwrap_or(1);
    let table = usize::try_from(dice.below(tables)).unwrap_or_default();
    let key = dice.below(KEYS);
    let value = dice.below(40);
    match dice.below(16) {
        0..=5 => Op::Put {
            table,
            key,
            value,
            late: if dice.one_in(3) {
                dice.between(1, 120)
            } else {
                0
            },
        },
        6..=7 => Op::Bulk {
            table,
            key,
            count: dice.pick(&[3, 9, 20]),
            value,
        },
        8 => Op::Ahead {
            table,
            key,
            value,
            by: dice.pick(&[30, 7_200, 200_000]),
        },
        9 => Op::Undated { table, key, value },
        10..=11 => Op::Child {
            table,
            key,
            children: dice.below(4),
        },
        12..=13 => Op::Delete {
            table,
            key,
            count: dice.pick(&[1, 1, 1, 4, 16]),
            marked: dice.one_in(2),
        },
        _ => Op::Restore { table, key },
    }
}

fn run(dice: &mut Dice, config: &Config, trouble: bool) -> Run {
    let at = |dice: &mut Dice| {
        let number = dice.pick(&[0, 1, 2, 3, 5, 8, 13]);
        if dice.one_in(2) {
            Break::Before(number)
        } else {
            Break::After(number)
        }
    };
    let end = match dice.below(if trouble { 12 } else { 6 }) {
        6 | 7 => End::Cancel(dice.below(12)),
        8 => End::Kill(dice.below(12)),
        9 | 10 => End::KillAt(at(dice)),
        11 => End::Overtaken(at(dice)),
        _ => End::Itself,
    };
    let two = config.tables.len() > 1;
    Run {
        mode: dice.pick(&[
            Mode::Incremental,
            Mode::Incremental,
            Mode::Incremental,
            Mode::Full,
        ]),
        only: (two && dice.one_in(5)).then(|| dice.pick(&[0, 1])),
        listings: dice.one_in(4),
        end,
    }
}

fn fault(dice: &mut Dice) -> Fault {
    dice.pick(&[
        Fault::TooMany(None),
        Fault::TooMany(Some(1)),
        Fault::TooMany(Some(20)),
        Fault::TooMany(Some(400)),
        Fault::Broken,
        Fault::Broken,
        Fault::Refused,
        Fault::Unauthorized,
        Fault::Forbidden,
        Fault::Dropped,
        Fault::TimeOut,
        Fault::CutOff,
        Fault::CutJson,
        Fault::ErrorInside,
        Fault::ErrorInside,
        Fault::ErrorInside,
        Fault::ErrorInside,
        Fault::PageInside,
        Fault::EmptyInside,
        Fault::EmptyInside,
        Fault::EmptyInside,
        Fault::WrongTotal,
        Fault::Repeated,
        Fault::Twice,
    ])
}
