//! Measuring side by side: all contestants of a row run in turn, round after round, so that whatever else the machine
//! does falls on all of them alike. What is shown is the median of the ratios within a round.

use std::time::{Duration, Instant};

/// One who does the task of a row.
pub struct Contestant {
    /// Who.
    pub name: &'static str,
    /// Does it once.
    pub run: Box<dyn Fn()>,
}

impl Contestant {
    /// By that name.
    pub fn new(name: &'static str, run: impl Fn() + 'static) -> Self {
        Self { name, run: Box::new(run) }
    }
}

/// What a contestant's median round was.
pub struct Measured {
    /// Nanoseconds of one run.
    pub nanoseconds: f64,
    /// Its time over that of the contestant who is the measure.
    pub ratio: f64,
    /// Heap blocks taken in one run.
    pub allocations: u64,
}

/// Runs all, in turn; `measure` is the index of the one who is the measure of the others.
pub fn side_by_side(contestants: &[Contestant], measure: usize, rounds: usize) -> Vec<Measured> {
    let repeats: Vec<u32> = contestants.iter().map(|one| repeats(&one.run)).collect();
    let mut times = vec![Vec::with_capacity(rounds); contestants.len()];
    for _ in 0..rounds {
        for ((one, &count), times) in contestants.iter().zip(&repeats).zip(&mut times) {
            times.push(time(&one.run, count));
        }
    }
    let of_measure = times[measure].clone();
    contestants
        .iter()
        .zip(times)
        .map(|(one, times)| Measured {
            ratio: median(times.iter().zip(&of_measure).map(|(time, measure)| time / measure).collect()),
            nanoseconds: median(times),
            allocations: allocation_counter::measure(&one.run).count_total,
        })
        .collect()
}

/// The middle one.
pub fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

/// Nanoseconds of one run, over `count` of them.
fn time(run: &dyn Fn(), count: u32) -> f64 {
    let start = Instant::now();
    for _ in 0..count {
        run();
    }
    start.elapsed().as_nanos() as f64 / f64::from(count)
}

/// How many runs make a round's share of a contestant.
fn repeats(run: &dyn Fn()) -> u32 {
    time(run, 50);
    (ROUND.as_nanos() as f64 / time(run, 100)).ceil() as u32
}

const ROUND: Duration = Duration::from_millis(3);
