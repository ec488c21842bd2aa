//! Who holds which token, remembered for as long as nothing is written.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use wrenchtime_service::storage::{ConnectionToken, SecretHash, StoredConnection};

/// How many tokens are remembered.
const MOST: usize = 1_000;

/// A token and its connection.
pub(super) type Caller = (ConnectionToken, StoredConnection);

/// What was read of tokens since the last transaction ended.
///
/// One process has the file, and all that it writes goes through one kind of transaction: what was read since the last one
/// ended is what stands there now. A way to the reading thread and back is as long as the rest of a small request.
#[derive(Debug, Default)]
pub(super) struct Callers(Mutex<Remembered>);

#[derive(Debug, Default)]
struct Remembered {
    /// How many transactions had ended.
    writes: u64,
    callers: HashMap<SecretHash, Caller>,
}

impl Callers {
    /// Returns who holds a token, if it was read since so many transactions have ended.
    pub(super) fn get(&self, writes: u64, hash: &SecretHash) -> Option<Caller> {
        let remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_current = remembered.writes == writes;
        is_current
            .then(|| remembered.callers.get(hash).cloned())
            .flatten()
    }

    /// Remembers who holds a token, as it was read after so many transactions had ended.
    pub(super) fn keep(&self, writes: u64, hash: &SecretHash, caller: &Caller) {
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.writes > writes {
            return;
        }
        if remembered.writes < writes || remembered.callers.len() >= MOST {
            remembered.writes = writes;
            remembered.callers.clear();
        }
        remembered.callers.insert(*hash, caller.clone());
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use chrono::{DateTime, Utc};
    use uuid::Uuid;
    use wrenchtime_connector::SystemName;
    use wrenchtime_model::ConnectionId;
    use wrenchtime_service::State;
    use wrenchtime_service::storage::{SealedSettings, StoredAccount};

    use super::*;

    fn caller(hash: SecretHash) -> Caller {
        let at = DateTime::<Utc>::UNIX_EPOCH;
        let connection = StoredConnection {
            id: ConnectionId::new(),
            system: SystemName::from_static("memory"),
            name: "Plant 7".to_owned(),
            state: State::Active,
            state_since: at,
            reason: None,
            account: StoredAccount {
                identity: "acme".to_owned(),
                display_name: "Acme".to_owned(),
                server_version: None,
            },
            sealed: SealedSettings {
                data_key: Vec::new(),
                settings: Vec::new(),
            },
            authorized_at: at,
            schedule: None,
            resource_schedules: BTreeMap::new(),
            records_since: None,
            created_at: at.into(),
        };
        let token = ConnectionToken {
            id: Uuid::nil(),
            connection: connection.id,
            hash,
            created_at: at,
            void_from: None,
        };
        (token, connection)
    }

    #[test]
    fn what_was_read_holds_until_something_is_written() {
        let callers = Callers::default();
        let (one, other) = (SecretHash([1; 32]), SecretHash([2; 32]));
        let (first, second) = (caller(one), caller(other));
        assert_eq!(callers.get(0, &one), None);
        callers.keep(0, &one, &first);
        callers.keep(0, &other, &second);
        assert_eq!(callers.get(0, &one), Some(first.clone()));
        assert_eq!(callers.get(0, &other), Some(second.clone()));
        assert_eq!(callers.get(1, &one), None);
        callers.keep(1, &other, &second);
        assert_eq!(callers.get(1, &one), None);
        // Whoever read before the write comes late.
        callers.keep(0, &one, &first);
        assert_eq!(callers.get(1, &one), None);
        assert_eq!(callers.get(1, &other), Some(second));
    }

    #[test]
    fn no_more_than_so_many_are_remembered() {
        let callers = Callers::default();
        let hash = |number: usize| {
            let mut hash = [0; 32];
            hash[..8].copy_from_slice(&number.to_le_bytes());
            SecretHash(hash)
        };
        for number in 0..=MOST {
            callers.keep(7, &hash(number), &caller(hash(number)));
        }
        assert_eq!(callers.0.lock().unwrap().callers.len(), 1);
        assert!(callers.get(7, &hash(MOST)).is_some());
    }
}
