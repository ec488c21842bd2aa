//! The state machine: its table, and that storage and machine agree.

use std::collections::BTreeSet;

use proptest::prelude::*;
use wrenchtime_model::EventType;
use wrenchtime_service::{State, Trigger};

/// The whole table: where a trigger means something, what it leads to, and what tells of it.
const TABLE: &[(State, Trigger, State, Option<EventType>)] = {
    use EventType as E;
    use wrenchtime_service::State as S;
    use wrenchtime_service::Trigger as T;
    &[
        (
            S::Pending,
            T::Authorized,
            S::Active,
            Some(E::ConnectionOnline),
        ),
        (
            S::Pending,
            T::Disconnect,
            S::Disconnected,
            Some(E::ConnectionDisconnected),
        ),
        (
            S::Active,
            T::Unreachable,
            S::Offline,
            Some(E::ConnectionOffline),
        ),
        (
            S::Active,
            T::Refused,
            S::ReauthorizationRequired,
            Some(E::ReauthorizationRequired),
        ),
        (S::Active, T::Pause, S::Paused, None),
        (
            S::Active,
            T::Disconnect,
            S::Disconnected,
            Some(E::ConnectionDisconnected),
        ),
        (
            S::Offline,
            T::Authorized,
            S::Active,
            Some(E::ConnectionOnline),
        ),
        (
            S::Offline,
            T::Succeeded,
            S::Active,
            Some(E::ConnectionOnline),
        ),
        (
            S::Offline,
            T::Refused,
            S::ReauthorizationRequired,
            Some(E::ReauthorizationRequired),
        ),
        (S::Offline, T::Pause, S::Paused, None),
        (
            S::Offline,
            T::Disconnect,
            S::Disconnected,
            Some(E::ConnectionDisconnected),
        ),
        (
            S::ReauthorizationRequired,
            T::Authorized,
            S::Active,
            Some(E::ConnectionOnline),
        ),
        (
            S::ReauthorizationRequired,
            T::Disconnect,
            S::Disconnected,
            Some(E::ConnectionDisconnected),
        ),
        (S::Paused, T::Resume, S::Active, None),
        (
            S::Paused,
            T::Disconnect,
            S::Disconnected,
            Some(E::ConnectionDisconnected),
        ),
    ]
};

#[test]
fn the_machine_is_its_table() {
    for state in State::ALL {
        for trigger in Trigger::ALL {
            let expected = TABLE
                .iter()
                .find(|(from, by, ..)| (*from, *by) == (state, trigger))
                .map(|(_, _, to, event)| (*to, *event));
            let change = state.after(trigger).map(|change| (change.to, change.event));
            assert_eq!(change, expected, "{state} {trigger:?}");
        }
    }
}

#[test]
fn every_state_can_be_ended_and_the_end_is_final() {
    for state in State::ALL {
        let ends = state.after(Trigger::Disconnect).is_some();
        assert_eq!(ends, state != State::Disconnected, "{state}");
        assert_eq!(state.name().parse::<State>().unwrap(), state);
    }
    let names: BTreeSet<&str> = State::ALL.iter().map(|state| state.name()).collect();
    assert_eq!(names.len(), State::ALL.len());
}

proptest! {
    #[test]
    fn a_walk_never_leaves_the_end(walk in prop::collection::vec(0..Trigger::ALL.len(), 0..60)) {
        let mut state = State::Pending;
        let mut ended = false;
        for at in walk {
            if let Some(change) = state.after(Trigger::ALL[at]) {
                prop_assert!(!ended);
                prop_assert_ne!(change.to, state);
                state = change.to;
                ended = state == State::Disconnected;
            }
        }
    }
}
