//! What an operator's monitoring hears of runs. Told to whatever recorder the process has installed; without one it
//! goes nowhere. The labels are few: a system and a resource, never a connection.

use metrics::{counter, histogram};
use wrenchtime_model::Resource;

use crate::task::Task;
use crate::{Counts, Mode, Outcome, PageOutcome, RunReport};

impl Task<'_> {
    /// Counts what a commit brought, beside what the store then finds out.
    pub(crate) fn measure_rows<'c>(
        &self,
        counts: impl Iterator<Item = (&'c Resource, &'c Counts)>,
    ) {
        for (resource, counts) in counts {
            for (outcome, number) in [
                ("fetched", counts.fetched),
                ("unchanged", counts.unchanged),
                ("quarantined", counts.quarantined),
            ] {
                if number > 0 {
                    let (system, resource) = (self.system(), resource.name());
                    counter!("wrenchtime_sync_rows_total", "system" => system, "resource" => resource, "outcome" => outcome)
                        .increment(number);
                }
            }
            if counts.drifted > 0 {
                counter!("wrenchtime_sync_drift_rows_total", "system" => self.system(), "resource" => resource.name())
                    .increment(counts.drifted);
            }
        }
    }

    /// Counts what a commit changed.
    pub(crate) fn measure_records(&self, outcome: &PageOutcome) {
        let all = [
            ("created", &outcome.created),
            ("changed", &outcome.changed),
            ("deleted", &outcome.deleted),
        ];
        for (change, by_resource) in all {
            for (resource, number) in by_resource {
                let (system, resource) = (self.system(), resource.name());
                counter!("wrenchtime_sync_records_total", "system" => system, "resource" => resource, "change" => change)
                    .increment(*number);
            }
        }
    }

    /// Counts a run at its end.
    pub(crate) fn measure_run(&self, report: &RunReport) {
        let (mode, outcome) = (mode_name(report.mode), outcome_name(report.outcome));
        counter!("wrenchtime_sync_runs_total", "system" => self.system(), "mode" => mode, "outcome" => outcome)
            .increment(1);
        let took = (report.finished_at - report.started_at)
            .to_std()
            .unwrap_or_default();
        histogram!("wrenchtime_sync_run_seconds", "system" => self.system(), "mode" => mode)
            .record(took.as_secs_f64());
    }

    fn system(&self) -> String {
        self.request.connector.info().system.to_string()
    }
}

fn mode_name(mode: Mode) -> &'static str {
    match mode {
        Mode::Incremental => "incremental",
        Mode::Full => "full",
    }
}

fn outcome_name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Complete => "complete",
        Outcome::Partial => "partial",
        Outcome::Failed => "failed",
        Outcome::Cancelled => "cancelled",
    }
}
