//! The refresh protocol as a pure function. Nothing here reads a clock, a store or a token.
//!
//! A session holds one number, its generation; a refresh token names a session and a generation. The next
//! token is a function of the two, so whoever presents the same token gets the same answer, and tabs that
//! refresh at once all end up with one token. See `docs/features/refresh.md` for why each row is as it is.

use std::time::Duration;

use crate::clock::Time;

/// What a session remembers of its rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State {
    /// The generation of the one live refresh token.
    pub generation: u32,
    /// When the generation last advanced.
    pub rotated_at: Time,
    /// When the session dies if nobody refreshes it.
    pub idle_expires_at: Time,
    /// When it dies whatever happens.
    pub absolute_expires_at: Time,
    /// Whether it was ended.
    pub ended: bool,
}

/// What to do with a refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// The live token: advance the generation by one and answer with the next token.
    Advance,
    /// The token before it, and only just: answer with the live token, change nothing.
    Replay,
    /// A token that was replaced longer ago than the grace: two hold it. End this session and no other.
    Reuse,
    /// The session is over; no alarm, since its owner may have ended it.
    Ended,
    /// The session has outlived a limit.
    Expired,
    /// A token that was never issued: the database was rolled back, or the key leaked. Refuse and report.
    FromTheFuture,
}

/// Decides about the token of generation `presented`.
pub fn decide(state: &State, presented: u32, now: Time, grace: Duration) -> Decision {
    if state.ended {
        return Decision::Ended;
    }
    if now >= state.idle_expires_at || now >= state.absolute_expires_at {
        return Decision::Expired;
    }
    match state.generation.checked_sub(presented) {
        None => Decision::FromTheFuture,
        Some(0) => Decision::Advance,
        Some(1) if now.since(state.rotated_at) <= grace => Decision::Replay,
        Some(_) => Decision::Reuse,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(10);

    fn state() -> State {
        State {
            generation: 5,
            rotated_at: Time::from_millis(100_000),
            idle_expires_at: Time::from_millis(200_000),
            absolute_expires_at: Time::from_millis(300_000),
            ended: false,
        }
    }

    #[test]
    fn each_row_of_the_table_decides_as_written() {
        for (presented, now, decision) in [
            (5, 100_000, Decision::Advance),
            (5, 199_999, Decision::Advance),
            (5, 200_000, Decision::Expired),
            (4, 100_000, Decision::Replay),
            (4, 110_000, Decision::Replay),
            (4, 110_001, Decision::Reuse),
            (4, 99_000, Decision::Replay),
            (4, 200_000, Decision::Expired),
            (3, 100_000, Decision::Reuse),
            (0, 100_000, Decision::Reuse),
            (6, 100_000, Decision::FromTheFuture),
            (u32::MAX, 100_000, Decision::FromTheFuture),
        ] {
            let made = decide(&state(), presented, Time::from_millis(now), GRACE);
            assert_eq!(made, decision, "presented {presented} at {now}");
        }
    }

    #[test]
    fn the_absolute_limit_holds_however_lively_the_session() {
        let state = State { idle_expires_at: Time::from_millis(900_000), ..state() };
        assert_eq!(decide(&state, 5, Time::from_millis(299_999), GRACE), Decision::Advance);
        assert_eq!(decide(&state, 5, Time::from_millis(300_000), GRACE), Decision::Expired);
    }

    #[test]
    fn an_ended_session_raises_no_alarm_whatever_is_presented() {
        let state = State { ended: true, ..state() };
        for presented in [0, 3, 4, 5, 6] {
            assert_eq!(decide(&state, presented, Time::from_millis(100_000), GRACE), Decision::Ended);
        }
    }
}
