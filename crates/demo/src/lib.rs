#![doc = include_str!("../README.md")]

mod show;
mod story;
mod world;

use anyhow::Result;
use serde_json::Value;

use crate::world::World;

/// Who looks on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Audience {
    /// Somebody at a terminal: everything is told as it happens.
    Person,
    /// A program: nothing is told but the summary.
    Program,
}

/// What is demonstrated.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DemoOptions {
    /// Who looks on.
    pub audience: Audience,
    /// Makes the same plant again.
    pub seed: u64,
    /// How many work orders the tenant has; the exports have a fifth of them.
    pub work_orders: usize,
    /// Whether it stays up afterwards, so that there is something to invite to.
    pub stays: bool,
}

impl DemoOptions {
    /// Demonstrates with 2,000 work orders.
    pub fn new(audience: Audience) -> Self {
        Self {
            audience,
            seed: 1,
            work_orders: 2_000,
            stays: true,
        }
    }

    /// Invites to nothing, for it ends when the story is told.
    #[must_use]
    pub fn ending_at_once(mut self) -> Self {
        self.stays = false;
        self
    }

    /// Sets the plant.
    #[must_use]
    pub fn with_plant(mut self, seed: u64, work_orders: usize) -> Self {
        self.seed = seed;
        self.work_orders = work_orders;
        self
    }
}

/// A demonstration whose story was told, and whose service still runs.
#[derive(Debug)]
pub struct Demo {
    world: World,
    summary: Value,
}

impl Demo {
    /// Returns what was done, as one JSON document.
    pub fn summary(&self) -> &Value {
        &self.summary
    }

    /// Stops everything and removes its directory.
    ///
    /// # Errors
    /// When the directory cannot be removed.
    pub async fn stop(self) -> Result<()> {
        self.world.stop().await
    }
}

/// Tells the story: connect two systems, sync, change the sources, sync again, receive webhooks.
///
/// # Errors
/// When a part does not start, or a run does not end well.
pub async fn run(options: &DemoOptions) -> Result<Demo> {
    let world = World::start(options).await?;
    match story::tell(&world, options).await {
        Ok(summary) => Ok(Demo { world, summary }),
        Err(error) => {
            world.stop().await?;
            Err(error)
        }
    }
}
