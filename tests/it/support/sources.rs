//! Simulated systems that live in the test's own process.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use wrenchtime_sandbox::corrigo::{CorrigoOptions, CorrigoSandbox};
use wrenchtime_sandbox::express_maintenance::{ExportOptions, export};
use wrenchtime_sandbox::plant::{Plant, PlantOptions};

/// A folder of exports, and the plant that they show.
#[derive(Debug)]
pub(crate) struct Exports {
    pub(crate) plant: Plant,
    folder: PathBuf,
}

/// Starts a tenant with so many work orders.
pub(crate) async fn corrigo(seed: u64, work_orders: usize) -> CorrigoSandbox {
    CorrigoSandbox::start(CorrigoOptions::new(seed, work_orders))
        .await
        .unwrap()
}

/// Returns what the tenant is connected with.
pub(crate) fn corrigo_settings(tenant: &CorrigoSandbox) -> Value {
    json!({
        "company": tenant.company(),
        "client_id": tenant.client_id(),
        "client_secret": tenant.client_secret(),
        "token_url": tenant.token_url(),
        "locator_url": tenant.host_url(),
    })
}

/// Writes exports of a plant with so many work orders.
pub(crate) fn exports(folder: &Path, seed: u64, work_orders: usize) -> Exports {
    let exports = Exports {
        plant: Plant::generate(&PlantOptions::new(seed, work_orders)),
        folder: folder.to_owned(),
    };
    exports.write();
    exports
}

impl Exports {
    /// Writes the files as the plant is now.
    pub(crate) fn write(&self) {
        export(&self.plant, &self.folder, &ExportOptions::default()).unwrap();
        // Files that were just written are left alone for a while.
        for entry in fs::read_dir(&self.folder).unwrap() {
            let file = File::options().write(true).open(entry.unwrap().path());
            let file = file.unwrap();
            let written = file.metadata().unwrap().modified().unwrap();
            file.set_modified(written - Duration::from_secs(60))
                .unwrap();
        }
    }

    /// Returns what the folder is connected with.
    pub(crate) fn settings(&self) -> Value {
        json!({ "folder": self.folder, "time_zone": "America/Chicago" })
    }
}
