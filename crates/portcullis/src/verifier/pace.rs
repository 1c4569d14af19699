//! How often an issuer is asked for its keys: the rules, as values that change with the time they are told.

use std::time::Duration;

use crate::clock::Time;

/// How long after a failure, the `failures`th in a row, the next fetch begins by itself: 1, 2, 4 … 60 seconds.
pub(super) fn retry_after(failures: u32) -> Duration {
    Duration::from_secs(1 << failures.saturating_sub(1).min(6)).min(Duration::from_secs(60))
}

/// How many fetches tokens of unknown keys may cause: two at once, and one more every five seconds. So a rotation is
/// noticed by its first token, and a flood of invented keys costs the issuer twelve fetches a minute, each of which
/// would notice a rotation too.
pub(super) struct Allowance {
    left: u32,
    counted_at: Option<Time>,
}

impl Allowance {
    pub(super) const fn full() -> Self {
        Self { left: BURST, counted_at: None }
    }

    /// Takes one, if there is one.
    pub(super) fn take(&mut self, now: Time) -> bool {
        match self.counted_at {
            // A clock that stepped back starts the count anew and gives nothing.
            Some(counted) if counted <= now => {
                let more = u32::try_from(now.since(counted).as_millis() / EVERY.as_millis());
                let more = more.unwrap_or(u32::MAX);
                self.left = self.left.saturating_add(more).min(BURST);
                self.counted_at = Some(counted.plus(EVERY.saturating_mul(more)));
            }
            _ => self.counted_at = Some(now),
        }
        let some = self.left > 0;
        self.left = self.left.saturating_sub(1);
        some
    }
}

/// The keys that the issuer was asked for and did not have, for ten seconds. [`Allowance`] bounds how many there are.
#[derive(Default)]
pub(super) struct Unknown(Vec<(String, Time)>);

impl Unknown {
    pub(super) fn remember(&mut self, kid: &str, now: Time) {
        self.forget_old(now);
        self.0.push((kid.to_owned(), now));
    }

    pub(super) fn contains(&mut self, kid: &str, now: Time) -> bool {
        self.forget_old(now);
        self.0.iter().any(|(unknown, _)| unknown == kid)
    }

    pub(super) fn forget_all(&mut self) {
        self.0.clear();
    }

    fn forget_old(&mut self, now: Time) {
        self.0.retain(|(_, since)| *since <= now && now.since(*since) < REMEMBERED);
    }
}

const BURST: u32 = 2;
const EVERY: Duration = Duration::from_secs(5);
const REMEMBERED: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Time {
        Time::from_seconds(1_000 + seconds)
    }

    #[test]
    fn a_flood_of_unknown_keys_gets_two_fetches_and_then_one_in_five_seconds() {
        let mut allowance = Allowance::full();
        let taken: Vec<_> = (0..=20).filter(|&second| allowance.take(at(second))).collect();
        assert_eq!(taken, [0, 1, 5, 10, 15, 20]);
        let mut allowance = Allowance::full();
        let a_minute =
            (0..60_000).filter(|&millis| allowance.take(at(0).plus(Duration::from_millis(millis))));
        assert_eq!(a_minute.count(), 13);
    }

    #[test]
    fn what_was_not_taken_does_not_pile_up() {
        let mut allowance = Allowance::full();
        assert!(allowance.take(at(0)) && allowance.take(at(0)) && !allowance.take(at(0)));
        let later = at(3_600);
        assert!(allowance.take(later) && allowance.take(later) && !allowance.take(later));
    }

    #[test]
    fn a_clock_that_steps_back_gives_nothing_and_takes_nothing_for_good() {
        let mut allowance = Allowance::full();
        assert!(allowance.take(at(100)) && allowance.take(at(100)));
        assert!(!allowance.take(at(0)) && !allowance.take(at(4)));
        assert!(allowance.take(at(5)));
    }

    #[test]
    fn an_unknown_key_is_remembered_for_ten_seconds() {
        let mut unknown = Unknown::default();
        unknown.remember("k", at(0));
        for (seconds, known) in [(0, true), (9, true), (10, false)] {
            assert_eq!(unknown.contains("k", at(seconds)), known, "{seconds}");
        }
    }

    #[test]
    fn failures_are_retried_sooner_than_every_minute_and_never_at_once() {
        let waits: Vec<_> = [1, 2, 3, 6, 7, 8, u32::MAX].map(|n| retry_after(n).as_secs()).into();
        assert_eq!(waits, [1, 2, 4, 32, 60, 60, 60]);
    }
}
