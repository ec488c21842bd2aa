//! When the server looks at the large tables anew.
//!
//! It plans by what it saw when it last looked, and by itself it looks a minute after a table grew at the earliest. A
//! first sync fills the tables within that minute: each of its pages would be looked up as if there were next to no
//! rows, which takes longer with every page. So the store has it look as soon as there are rows, and some times more
//! while they grow.

use std::sync::atomic::{AtomicU64, Ordering};

use super::PostgresStore;

/// After so many documents that a process wrote. From then on the server looks often enough by itself.
const STEPS: [u64; 4] = [500, 4_000, 32_000, 256_000];

/// How much this process has written.
#[derive(Debug, Default)]
pub(super) struct Statistics {
    documents: AtomicU64,
}

impl Statistics {
    /// Counts documents that were written, and tells whether the tables are to be looked at.
    fn count(&self, documents: u64) -> bool {
        let before = self.documents.fetch_add(documents, Ordering::Relaxed);
        let after = before.saturating_add(documents);
        STEPS.iter().any(|step| (before..after).contains(step))
    }
}

impl PostgresStore {
    /// Has the server look at the large tables, if it is time to. What fails costs time later and nothing else.
    pub(super) async fn wrote(&self, documents: usize) {
        let documents = u64::try_from(documents).unwrap_or(u64::MAX);
        if !self.inner.statistics.count(documents) {
            return;
        }
        let look = sqlx::raw_sql("ANALYZE documents, records, events");
        if let Err(error) = look.execute(&self.inner.writers).await {
            tracing::debug!(%error, "the tables were not looked at");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_is_met_once_however_it_is_passed() {
        let statistics = Statistics::default();
        let met = |documents| statistics.count(documents);
        assert!(!met(0));
        assert!(!met(500), "up to the step, not past it");
        assert!(met(1));
        assert!(!met(100));
        assert!(met(1_000_000), "three at once");
        assert!(!met(1_000_000));
    }
}
