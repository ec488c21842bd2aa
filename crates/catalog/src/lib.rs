#![doc = include_str!("../README.md")]

use std::sync::Arc;

use wrenchtime_connector::{Factory, Systems};
use wrenchtime_transport::Runtime;

/// Returns every system that this build was made with, each with its share of the runtime.
pub fn systems(runtime: &Runtime) -> Systems {
    let factories: Vec<Arc<dyn Factory>> = vec![
        #[cfg(feature = "corrigo")]
        Arc::new(wrenchtime_corrigo::CorrigoFactory::new(runtime.clone())),
        #[cfg(feature = "express-maintenance")]
        Arc::new(wrenchtime_express_maintenance::ExpressMaintenanceFactory::new(runtime.clone())),
    ];
    Systems::new(factories)
}
