//! Every promise, kept against the simulator, which was written from the same facts by other hands.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use wrenchtime_conformance::{Edit, Fault, Harness, Powers};
use wrenchtime_connector::{
    Clock, Connector, EntityName, Factory, ManualClock, Mapper, RemoteKey, Settings,
};
use wrenchtime_corrigo::CorrigoFactory;
use wrenchtime_sandbox::corrigo::{CorrigoOptions, CorrigoSandbox, Tenant};
use wrenchtime_sandbox::plant::{Plant, Status};
use wrenchtime_sandbox::{Fault as Sent, SimClock};

use crate::support::{clock, mapping, runtime};

const SECRET: &str = "canary-s3cr3t";

struct Simulated {
    sandbox: CorrigoSandbox,
    clock: ManualClock,
}

impl Simulated {
    /// Does something to the tenant, a second after what was done before.
    fn edit<R>(&self, edit: impl FnOnce(&mut Tenant) -> R) -> R {
        self.sandbox.clock().advance(Duration::from_secs(1));
        self.sandbox.edit(edit)
    }
}

fn key(id: u32) -> RemoteKey {
    RemoteKey::new(id.to_string())
}

/// Leaves the assets that work is done on and the places above them: passes of the suite read row by row.
fn thin_out(plant: &mut Plant) {
    let worked_on = plant
        .work_orders
        .iter()
        .flat_map(|order| [Some(order.asset), order.second_asset]);
    let mut rest: Vec<u32> = worked_on.flatten().take(12).collect();
    rest.extend(
        plant
            .assets
            .iter()
            .find(|asset| asset.removed)
            .map(|asset| asset.id),
    );
    rest.extend(
        plant
            .places
            .iter()
            .find(|place| place.template)
            .map(|place| place.id),
    );
    rest.extend(plant.sites.iter().map(|site| site.root));
    let mut kept = BTreeSet::new();
    while let Some(id) = rest.pop() {
        if kept.insert(id) {
            rest.extend(plant.parent_of(id));
            rest.extend(plant.asset(id).map(|asset| asset.place));
        }
    }
    plant.assets.retain(|asset| kept.contains(&asset.id));
    plant.places.retain(|place| kept.contains(&place.id));
    let is_kept = |id: &u32| kept.contains(id);
    plant
        .work_orders
        .retain(|order| is_kept(&order.asset) && order.second_asset.as_ref().is_none_or(is_kept));
}

/// Any status but the present one.
fn another_status(tenant: &mut Tenant, id: u32) -> bool {
    let present = tenant
        .plant()
        .work_orders
        .iter()
        .find(|order| order.id == id)
        .unwrap()
        .status;
    let next = if present == Status::OnHold {
        Status::InProgress
    } else {
        Status::OnHold
    };
    tenant.change_work_order_status(id, next)
}

#[async_trait]
impl Harness for Simulated {
    async fn start() -> Self {
        let mut options = CorrigoOptions::new(7, 24);
        thin_out(&mut options.plant);
        options.client_secret = SECRET.to_owned();
        options.clock = SimClock::fixed(options.plant.now);
        Self {
            sandbox: CorrigoSandbox::start(options).await.unwrap(),
            clock: clock(),
        }
    }

    fn powers(&self) -> Powers {
        let zone = EntityName::from_static("WorkZone");
        Powers::new(Fault::ALL)
            .without(
                zone.clone(),
                Edit::Insert,
                "the simulator's plant keeps its sites",
            )
            .without(zone, Edit::Delete, "the simulator's plant keeps its sites")
    }

    fn connector(&self) -> Arc<dyn Connector> {
        let factory = CorrigoFactory::new(runtime(Arc::new(self.clock.clone())));
        let settings = Settings::new([
            ("company", self.sandbox.company().to_owned()),
            ("client_id", self.sandbox.client_id().to_owned()),
            ("client_secret", SECRET.to_owned()),
            ("token_url", self.sandbox.token_url()),
            ("locator_url", self.sandbox.host_url()),
        ]);
        factory
            .connect(&settings.validated(&factory.info().settings).unwrap())
            .unwrap()
    }

    fn mapper(&self) -> Arc<dyn Mapper> {
        Arc::new(mapping())
    }

    fn canaries(&self) -> Vec<String> {
        vec![SECRET.to_owned()]
    }

    async fn insert(&self, entity: &EntityName) -> Option<RemoteKey> {
        let id = self.edit(|tenant| match entity.as_str() {
            "WorkOrder" => tenant.add_work_order(tenant.plant().assets[0].id, "it drips"),
            "Location" => tenant.add_asset(tenant.plant().assets[0].place, "Pump of the test"),
            "Employee" => Some(tenant.add_person(tenant.plant().sites[0].id, "Tess", "Ting")),
            _ => None,
        });
        id.map(key)
    }

    async fn touch(&self, entity: &EntityName) -> Option<RemoteKey> {
        self.edit(|tenant| {
            let plant = tenant.plant();
            let (id, changed) = match entity.as_str() {
                "WorkOrder" => {
                    let id = plant.work_orders[2].id;
                    (id, another_status(tenant, id))
                }
                "Location" => {
                    let id = plant.assets[2].id;
                    (id, tenant.rename_asset(id, "Renamed"))
                }
                "WorkZone" => {
                    let id = plant.sites[1].id;
                    (id, tenant.rename_site(id, "Renamed"))
                }
                _ => {
                    let id = plant.people[2].id;
                    (id, tenant.rename_person(id, "Renamed"))
                }
            };
            changed.then(|| key(id))
        })
    }

    async fn delete(&self, entity: &EntityName) -> Option<RemoteKey> {
        self.edit(|tenant| {
            let plant = tenant.plant();
            let id = match entity.as_str() {
                "Location" => {
                    // One that nothing else is part of, for the others have to stay.
                    let is_leaf =
                        |id: u32| plant.assets.iter().all(|other| other.parent != Some(id));
                    let id = plant
                        .assets
                        .iter()
                        .find(|asset| !asset.removed && is_leaf(asset.id))?
                        .id;
                    tenant.remove_asset(id).then_some(id)
                }
                "Employee" => {
                    let id = plant.people.iter().find(|person| !person.removed)?.id;
                    tenant.remove_person(id).then_some(id)
                }
                _ => None,
            };
            id.map(key)
        })
    }

    async fn tie(&self, entity: &EntityName, count: usize) -> Option<Vec<RemoteKey>> {
        if entity.as_str() != "WorkOrder" {
            return None;
        }
        self.edit(|tenant| {
            let ids: Vec<u32> = tenant
                .plant()
                .work_orders
                .iter()
                .take(count)
                .map(|order| order.id)
                .collect();
            ids.iter()
                .all(|id| another_status(tenant, *id))
                .then(|| ids.into_iter().map(key).collect())
        })
    }

    async fn inject(&self, fault: Fault, times: u32) -> bool {
        let sent = match fault {
            Fault::RateLimited => Sent::TooManyRequests { retry_after: None },
            Fault::RateLimitedFor => Sent::TooManyRequests {
                retry_after: Some(Fault::RETRY_AFTER.as_secs()),
            },
            Fault::ServerError => Sent::ServerError(500),
            Fault::Dropped => Sent::Drop,
            Fault::Truncated => Sent::Truncate,
            Fault::ExpiredToken => Sent::ExpiredToken,
            Fault::Malformed => Sent::Malformed,
            Fault::UnknownField => Sent::UnknownField,
            Fault::UnknownMember => Sent::UnknownEnumMember,
            _ => return false,
        };
        self.sandbox
            .faults()
            .inject_times(times.try_into().unwrap(), sent);
        true
    }

    fn requests(&self) -> u64 {
        self.sandbox.request_count()
    }

    fn waited(&self) -> Option<Duration> {
        (self.clock.now() - clock().now()).to_std().ok()
    }
}

wrenchtime_conformance::suite!(Simulated);
