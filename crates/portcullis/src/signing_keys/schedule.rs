//! What each key is for at a moment, and what is to be done about it: pure functions of the stored rows and the time.
//!
//! A key is made and published (`Next`), signs from its time on (`Active`) until the next one does, then verifies
//! until the last token that it signed is dead (`Verifying`), and is then wiped (`Retired`). Nothing is written to
//! come from one state to the next, so nodes that read the same rows agree without talking.

use std::time::Duration;

use crate::clock::Time;
use crate::config::CLOCK_MARGIN;
use crate::store::SealedKey;

/// What a signing key is for.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// It is published, and will sign.
    Next,
    /// It signs.
    Active,
    /// It signed, and its last tokens may still be alive.
    Verifying,
    /// It is wiped, and what it signed is refused.
    Retired,
}

/// The lengths of time that the states of keys depend on.
pub(super) struct Timing {
    /// How long a key signs; `None` for as long as nobody rotates it by hand.
    pub(super) rotate_every: Option<Duration>,
    /// How long a key is published before it signs.
    pub(super) publish_ahead: Duration,
    /// How long after its last signature a key must verify.
    pub(super) tokens_live: Duration,
}

/// Something to write down, by whichever node comes first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Chore {
    /// The key of that id has done its work.
    Retire(String),
    /// A further key is due, which signs from then on.
    Publish(Time),
    /// The next key was to sign too late: made by a clock that was ahead, or before the settings were changed.
    BringForward(String, Time),
}

impl Timing {
    /// The state of each key, in the order of the rows. One is active if one is not retired, whatever the clock says.
    pub(super) fn states(&self, rows: &[SealedKey], now: Time) -> Vec<KeyState> {
        let active = active(rows, now).map(place);
        let state = |row: &SealedKey| match active {
            Some(_) if row.retired_at.is_some() => KeyState::Retired,
            None => KeyState::Retired,
            Some(active) if place(row) == active => KeyState::Active,
            Some(_) if row.signs_from > now => KeyState::Next,
            Some(_) => match self.verifies_until(rows, row) {
                Some(until) if now >= until => KeyState::Retired,
                _ => KeyState::Verifying,
            },
        };
        rows.iter().map(state).collect()
    }

    /// When what a key signed is dead, which is known once there is a key after it.
    pub(super) fn verifies_until(&self, rows: &[SealedKey], row: &SealedKey) -> Option<Time> {
        let successor =
            living(rows).filter(|other| place(other) > place(row)).min_by_key(|other| place(other));
        successor.map(|successor| successor.signs_from.plus(self.tokens_live))
    }

    /// The first moment after `now` at which a state changes by the clock alone.
    pub(super) fn next_change(&self, rows: &[SealedKey], now: Time) -> Option<Time> {
        let begins = living(rows).map(|row| row.signs_from);
        let ends = living(rows).filter_map(|row| self.verifies_until(rows, row));
        begins.chain(ends).filter(|moment| *moment > now).min()
    }

    /// What is to be written down. `outdated` says that the active key is of another algorithm than is wanted.
    pub(super) fn chores(&self, rows: &[SealedKey], now: Time, outdated: bool) -> Vec<Chore> {
        let Some(active) = active(rows, now) else { return Vec::new() };
        let states = self.states(rows, now);
        let over = rows
            .iter()
            .zip(states)
            .filter(|(row, state)| *state == KeyState::Retired && row.retired_at.is_none())
            .map(|(row, _)| Chore::Retire(row.kid.clone()));
        over.chain(self.succession(rows, active, now, outdated)).collect()
    }

    fn succession(&self, rows: &[SealedKey], active: &SealedKey, now: Time, outdated: bool) -> Option<Chore> {
        let due = self.rotate_every.map(|every| active.signs_from.plus(every));
        match (next(rows, now), due) {
            (None, _) if outdated => Some(Chore::Publish(now.plus(self.publish_ahead))),
            (None, Some(due)) if due.minus(self.publish_ahead) <= now => {
                Some(Chore::Publish(due.max(now.plus(self.publish_ahead))))
            }
            (Some(next), Some(due)) => {
                let at = due.max(self.earliest(next, now));
                // Clocks of honest nodes differ a little; that is no reason to write.
                (next.signs_from > at.plus(CLOCK_MARGIN)).then(|| Chore::BringForward(next.kid.clone(), at))
            }
            _ => None,
        }
    }

    /// From when on a key can sign that everybody is to know beforehand.
    pub(super) fn earliest(&self, next: &SealedKey, now: Time) -> Time {
        // A clock that was ahead made it; how long it is published already is not known then.
        next.created_at.min(now).plus(self.publish_ahead).max(now)
    }
}

/// The key that signs: the latest whose time has come. If a clock has stepped back behind all of them, the oldest.
pub(super) fn active(rows: &[SealedKey], now: Time) -> Option<&SealedKey> {
    let begun = living(rows).filter(|row| row.signs_from <= now).max_by_key(|row| place(row));
    begun.or_else(|| living(rows).min_by_key(|row| row.serial))
}

/// The key that will sign after the active one, if it is published already.
pub(super) fn next(rows: &[SealedKey], now: Time) -> Option<&SealedKey> {
    let active = active(rows, now)?.serial;
    let to_come = living(rows).filter(|row| row.signs_from > now && row.serial != active);
    to_come.min_by_key(|row| place(row))
}

fn living(rows: &[SealedKey]) -> impl Iterator<Item = &SealedKey> {
    rows.iter().filter(|row| row.retired_at.is_none())
}

/// Keys sign in this order.
fn place(row: &SealedKey) -> (Time, i64) {
    (row.signs_from, row.serial)
}

#[cfg(test)]
mod tests {
    use super::KeyState::{Active, Next, Retired, Verifying};
    use super::*;

    const TIMING: Timing = Timing {
        rotate_every: Some(Duration::from_secs(1_000_000)),
        publish_ahead: Duration::from_secs(10_000),
        tokens_live: Duration::from_secs(900),
    };
    const NOW: i64 = 5_000_000;

    fn at(seconds: i64) -> Time {
        Time::from_millis((NOW + seconds) * 1000)
    }

    /// A key that was published `TIMING.publish_ahead` before it signs, in seconds from now.
    fn key(serial: i64, signs_from: i64) -> SealedKey {
        SealedKey {
            serial,
            kid: serial.to_string(),
            sealed: Vec::new(),
            created_at: at(signs_from - 10_000),
            signs_from: at(signs_from),
            retired_at: None,
        }
    }

    fn retired(serial: i64, signs_from: i64) -> SealedKey {
        SealedKey { retired_at: Some(at(0)), ..key(serial, signs_from) }
    }

    #[test]
    fn the_states_follow_from_the_rows_and_the_time() {
        for (what, rows, states) in [
            ("no key", vec![], vec![]),
            ("the first key", vec![key(1, 0)], vec![Active]),
            ("a published one", vec![key(1, -9), key(2, 1)], vec![Active, Next]),
            ("its time has come", vec![key(1, -9), key(2, 0)], vec![Verifying, Active]),
            ("its last second", vec![key(1, -5000), key(2, -899)], vec![Verifying, Active]),
            ("its last token is dead", vec![key(1, -5000), key(2, -900)], vec![Retired, Active]),
            (
                "each ends with its own successor",
                vec![key(1, -5000), key(2, -901), key(3, -10)],
                vec![Retired, Verifying, Active],
            ),
            ("what is retired stays so", vec![retired(1, -9), key(2, -5)], vec![Retired, Active]),
            ("also if it was to come", vec![key(1, -9), retired(2, 5)], vec![Active, Retired]),
            ("all are retired", vec![retired(1, -9), retired(2, 5)], vec![Retired, Retired]),
            ("two of one moment", vec![key(1, -1), key(2, -1)], vec![Verifying, Active]),
            (
                "a later one took over first",
                vec![key(1, -9), key(2, -1), key(3, -5)],
                vec![Verifying, Active, Verifying],
            ),
            ("a clock behind all of them", vec![key(2, 50), key(3, 60)], vec![Active, Next]),
            ("whatever the order of their times", vec![key(2, 60), key(3, 50)], vec![Active, Next]),
        ] {
            assert_eq!(TIMING.states(&rows, at(0)), states, "{what}");
            let active = states.iter().filter(|state| **state == Active).count();
            assert_eq!(active, usize::from(rows.iter().any(|row| row.retired_at.is_none())), "{what}");
        }
    }

    #[test]
    fn the_states_change_when_it_is_said_and_at_no_other_time() {
        let rows = [key(1, -5_000), key(2, 100), key(3, 5_000)];
        let mut changes = Vec::new();
        let mut now = at(0);
        while let Some(change) = TIMING.next_change(&rows, now) {
            assert_eq!(
                TIMING.states(&rows, now),
                TIMING.states(&rows, change.minus(Duration::from_millis(1)))
            );
            assert_ne!(TIMING.states(&rows, now), TIMING.states(&rows, change));
            changes.push(change);
            now = change;
        }
        assert_eq!(changes, [at(100), at(1_000), at(5_000), at(5_900)]);
    }

    #[test]
    fn what_is_to_be_done_follows_too() {
        let publish = |seconds| Chore::Publish(at(seconds));
        let forward = |serial: i64, seconds| Chore::BringForward(serial.to_string(), at(seconds));
        let retire = |serial: i64| Chore::Retire(serial.to_string());
        for (what, rows, chores) in [
            ("nothing yet", vec![key(1, 0)], vec![]),
            ("a second too early", vec![key(1, -989_999)], vec![]),
            ("in time", vec![key(1, -990_000)], vec![publish(10_000)]),
            ("late, since nobody came", vec![key(1, -3_000_000)], vec![publish(10_000)]),
            ("it is published already", vec![key(1, -995_000), key(2, 5_000)], vec![]),
            ("the next was retired", vec![key(1, -995_000), retired(2, 5_000)], vec![publish(10_000)]),
            ("the last token is dead", vec![key(1, -5_000), key(2, -900)], vec![retire(1)]),
            ("of two", vec![key(1, -5_000), key(2, -4_000), key(3, -900)], vec![retire(1), retire(2)]),
            ("once", vec![retired(1, -5_000), key(2, -900)], vec![]),
            ("both", vec![key(1, -995_000), key(2, -990_000)], vec![retire(1), publish(10_000)]),
            ("made by a clock ahead", vec![key(1, -990_000), key(2, 9_000_000)], vec![forward(2, 10_000)]),
            ("before its time", vec![key(1, 0), key(2, 9_000_000)], vec![forward(2, 1_000_000)]),
            ("clocks that differ a little", vec![key(1, -999_000), key(2, 1_300)], vec![]),
            ("no key at all", vec![retired(1, -5_000)], vec![]),
        ] {
            assert_eq!(TIMING.chores(&rows, at(0), false), chores, "{what}");
        }
    }

    #[test]
    fn another_algorithm_is_published_at_once_and_without_a_schedule_too() {
        let never = Timing { rotate_every: None, ..TIMING };
        let rows = [key(1, -9_000_000)];
        assert_eq!(never.chores(&rows, at(0), false), []);
        assert_eq!(never.chores(&rows, at(0), true), [Chore::Publish(at(10_000))]);
        assert_eq!(TIMING.chores(&[key(1, -5)], at(0), true), [Chore::Publish(at(10_000))]);
        assert_eq!(
            TIMING.chores(&[key(1, -5), key(2, 9_000)], at(0), true),
            [],
            "the one to come comes first"
        );
    }

    #[test]
    fn what_was_done_leaves_nothing_to_do() {
        for first in [-3_000_000, -990_000, -5] {
            let mut rows = vec![key(1, first)];
            for _ in 0..3 {
                for chore in TIMING.chores(&rows, at(0), first == -5 && rows.len() == 1) {
                    match chore {
                        Chore::Publish(from) => {
                            let signs_from = from.since(at(0)).as_secs() as i64;
                            rows.push(SealedKey { created_at: at(0), ..key(2, signs_from) });
                        }
                        other => panic!("{other:?}"),
                    }
                }
            }
            assert_eq!(rows.len(), 2, "{first}");
        }
    }
}
