//! A client that polls with the value it was given, while sources change and syncs run.

use std::collections::BTreeMap;

use serde_json::Value;
use wrenchtime_sandbox::corrigo::CorrigoSandbox;

use crate::support::{
    Api, Connection, Draw, Home, Server, TENANT_RESOURCES, corrigo, corrigo_settings, count,
};

/// A client's copy of one resource.
#[derive(Debug, Default)]
struct Copy {
    records: BTreeMap<String, Value>,
    modified_after: Option<String>,
    /// A list that is under way: what the first page said to remember, and where it goes on.
    open: Option<(String, String)>,
}

/// What happens at random.
#[derive(Debug)]
struct World {
    tenant: CorrigoSandbox,
    server: Server,
    connection: Connection,
    draw: Draw,
    changes: u64,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_polls_with_the_returned_value_misses_nothing() {
    follow(Home::new()).await;
}

pub(crate) async fn follow(home: Home) {
    let rounds = count("E2E_ROUNDS", 15);
    let tenant = corrigo(41, 200).await;
    let server = home.serve().await;
    let connection = server
        .api
        .connect("corrigo", &corrigo_settings(&tenant), true)
        .await;
    let mut world = World {
        tenant,
        server,
        connection,
        draw: Draw::new(41),
        changes: 0,
    };
    let mut copies: Vec<(&str, Copy)> = TENANT_RESOURCES
        .iter()
        .map(|resource| (*resource, Copy::default()))
        .collect();
    // The first rounds fall into the first sync.
    for _ in 0..rounds {
        for _ in 0..6 {
            world.step(&mut copies).await;
        }
    }
    world.settle().await;
    for (resource, copy) in &mut copies {
        copy.follow_to_the_end(&world.connection.own, resource)
            .await;
        let listed = world.connection.own.all(&format!("/v1/{resource}")).await;
        let wanted: BTreeMap<String, Value> = listed
            .into_iter()
            .map(|record| (record["id"].as_str().unwrap().to_owned(), record))
            .collect();
        assert_eq!(
            copy.records.keys().collect::<Vec<_>>(),
            wanted.keys().collect::<Vec<_>>(),
            "{resource}"
        );
        for (id, record) in &wanted {
            assert_eq!(&copy.records[id], record, "{resource} {id}");
        }
    }
    assert!(world.changes > 0, "the sources never changed");
    world.server.terminate(20).await.succeeded();
}

impl World {
    /// Does one thing: changes the source, starts a sync without waiting, or reads one page of one list.
    async fn step(&mut self, copies: &mut [(&str, Copy)]) {
        match self.draw.below(6) {
            0 => {
                self.changes += 1;
                let seed = self.changes;
                self.tenant.edit(|tenant| tenant.mutate(seed));
            }
            1 => {
                let api = &self.server.api;
                api.start_sync(&self.connection.id, "incremental").await;
            }
            _ => {
                let (resource, copy) = &mut copies[self.draw.below(TENANT_RESOURCES.len())];
                let limit = 1 + self.draw.below(40);
                copy.read_page(&self.connection.own, resource, limit).await;
            }
        }
    }

    /// Waits until the copy here has everything that the source has.
    async fn settle(&self) {
        // What runs now may have passed the last change already: only the run after it counts.
        for _ in 0..2 {
            let api = &self.server.api;
            let newest = api.newest_run(&self.connection.id).await.unwrap();
            if newest["finished_at"].is_null() {
                api.finished_run(&self.connection.id, None).await;
            }
            api.sync(&self.connection.id).await;
        }
    }
}

impl Copy {
    /// Asks for the next page of the list under way, or begins one.
    async fn read_page(&mut self, own: &Api, resource: &str, limit: usize) {
        let asked = match (&self.open, &self.modified_after) {
            (Some((_, cursor)), _) => format!("&cursor={cursor}"),
            (None, Some(instant)) => format!("&modified_after={instant}"),
            (None, None) => String::new(),
        };
        let page = own
            .get(&format!("/v1/{resource}?limit={limit}{asked}"))
            .await;
        for record in page["data"].as_array().unwrap() {
            let id = record["id"].as_str().unwrap().to_owned();
            if record["deleted"] == true {
                self.records.remove(&id);
            } else {
                self.records.insert(id, record.clone());
            }
        }
        let remember = match self.open.take() {
            Some((remember, _)) => remember,
            None => page["next_modified_after"].as_str().unwrap().to_owned(),
        };
        match page["next"].as_str() {
            Some(cursor) => self.open = Some((remember, cursor.to_owned())),
            None => self.modified_after = Some(remember),
        }
    }

    /// Ends the list under way, and reads one more.
    async fn follow_to_the_end(&mut self, own: &Api, resource: &str) {
        for _ in 0..2 {
            loop {
                self.read_page(own, resource, 500).await;
                if self.open.is_none() {
                    break;
                }
            }
        }
    }
}
