//! Changes that the vendor's page calls hard to see, met at the simulator.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use wrenchtime_connector::{
    Bound, Connector, EntityName, ErrorKind, Factory, Items, Next, RemoteKey, Settings,
};
use wrenchtime_corrigo::CorrigoFactory;
use wrenchtime_sandbox::SimClock;
use wrenchtime_sandbox::corrigo::{CorrigoOptions, CorrigoSandbox, UrlForm};
use wrenchtime_sandbox::plant::Status;

use crate::support::{clock, context, page, runtime};

async fn start(change: impl FnOnce(&mut CorrigoOptions)) -> CorrigoSandbox {
    let mut options = CorrigoOptions::new(11, 30);
    options.clock = SimClock::fixed(options.plant.now);
    change(&mut options);
    CorrigoSandbox::start(options).await.unwrap()
}

fn connect(sandbox: &CorrigoSandbox, company: &str) -> Arc<dyn Connector> {
    let factory = CorrigoFactory::new(runtime(Arc::new(clock())));
    let settings = Settings::new([
        ("company", company.to_owned()),
        ("client_id", sandbox.client_id().to_owned()),
        ("client_secret", sandbox.client_secret().to_owned()),
        ("token_url", sandbox.token_url()),
        ("locator_url", sandbox.host_url()),
    ]);
    factory
        .connect(&settings.validated(&factory.info().settings).unwrap())
        .unwrap()
}

fn open(sandbox: &CorrigoSandbox) -> Arc<dyn Connector> {
    connect(sandbox, sandbox.company())
}

/// Reads a pass; keys with version and content, whichever the stream yields.
async fn read(
    connector: &dyn Connector,
    stream: &'static str,
    from: Option<Bound>,
) -> BTreeMap<RemoteKey, (Option<String>, Option<String>)> {
    let mut rows = BTreeMap::new();
    let mut request = page(stream).with_from(from);
    loop {
        let page = connector
            .read_page(&context(), request.clone())
            .await
            .unwrap();
        match page.items {
            Items::Documents(documents) => rows.extend(
                documents
                    .into_iter()
                    .map(|row| (row.key, (row.version, Some(row.body.get().to_owned())))),
            ),
            Items::Stubs(stubs) => {
                rows.extend(stubs.into_iter().map(|row| (row.key, (row.version, None))))
            }
        }
        let Next::Page(cursor) = page.next else {
            return rows;
        };
        request = request.with_cursor(Some(cursor));
    }
}

#[tokio::test]
async fn gotcha_4_a_note_moves_no_last_action_and_is_seen_in_the_log() {
    let sandbox = start(|_| {}).await;
    let connector = open(&sandbox);
    sandbox.clock().advance(Duration::from_secs(60));
    let from = Some(Bound::at(sandbox.clock().now()));
    let id = sandbox.edit(|tenant| tenant.plant().work_orders[4].id);
    assert!(sandbox.edit(|tenant| tenant.note_work_order(id, "the tenant called again")));
    let key = RemoteKey::new(id.to_string());
    assert!(
        !read(&*connector, "work-order-last-action", from.clone())
            .await
            .contains_key(&key)
    );
    let logged = read(&*connector, "work-order-action-log", from).await;
    assert_eq!(logged.into_keys().collect::<Vec<_>>(), [key]);
}

#[tokio::test]
async fn a_mail_address_that_leaves_its_owner_as_it_was_is_seen_in_the_sweep() {
    let sandbox = start(|_| {}).await;
    let connector = open(&sandbox);
    let before = read(&*connector, "employee-sweep", None).await;
    let id = sandbox.edit(|tenant| tenant.plant().people[1].id);
    assert!(sandbox.edit(|tenant| tenant.change_person_email(id, "new@example.test")));
    let after = read(&*connector, "employee-sweep", None).await;
    let changed: Vec<_> = after
        .iter()
        .filter(|(key, row)| before.get(*key) != Some(*row))
        .collect();
    assert_eq!(changed.len(), 1);
    assert_eq!(*changed[0].0, RemoteKey::new(id.to_string()));
}

#[tokio::test]
async fn gotcha_8_an_asset_that_moved_is_another_document() {
    let sandbox = start(|_| {}).await;
    let connector = open(&sandbox);
    let (id, place) = sandbox.edit(|tenant| {
        let plant = tenant.plant();
        let asset = plant
            .assets
            .iter()
            .find(|asset| asset.parent.is_none() && !asset.removed)
            .unwrap();
        let place = plant
            .places
            .iter()
            .find(|place| !place.template && place.id != asset.place && place.parent.is_some());
        (asset.id, place.unwrap().id)
    });
    let before = read(&*connector, "location-all", None).await;
    assert!(sandbox.edit(|tenant| tenant.move_asset(id, place)));
    let after = read(&*connector, "location-all", None).await;
    let key = RemoteKey::new(id.to_string());
    assert_ne!(before[&key], after[&key]);
    let body = after[&key].1.clone().unwrap();
    assert!(
        body.contains(&format!(r#""Joined":{{"Parent":{{"Id":{place},"#)),
        "{body}"
    );
}

#[tokio::test]
async fn a_source_that_cuts_pages_short_loses_no_row_of_a_listing() {
    let sandbox = start(|options| options.ceiling = 7).await;
    let whole = sandbox.edit(|tenant| tenant.plant().people.len() + tenant.plant().vendors.len());
    assert!(whole > 14, "several pages");
    let connector = open(&sandbox);
    let rows = read(&*connector, "employee-sweep", None).await;
    assert_eq!(rows.len(), whole);

    let keys: Vec<RemoteKey> = rows.into_keys().collect();
    let fetched = connector
        .fetch(&context(), &EntityName::from_static("Employee"), &keys)
        .await
        .unwrap();
    assert_eq!(
        fetched.len(),
        whole,
        "what is not in the first reply is not taken for gone"
    );
}

#[tokio::test]
async fn a_source_that_cuts_pages_short_loses_no_row_of_a_tie() {
    let sandbox = start(|options| options.ceiling = 7).await;
    let connector = open(&sandbox);
    sandbox.clock().advance(Duration::from_secs(60));
    let from = Some(Bound::at(sandbox.clock().now()));
    let tied: BTreeSet<RemoteKey> = sandbox.edit(|tenant| {
        let orders = tenant.plant().work_orders.iter().take(16);
        let ids: Vec<(u32, Status)> = orders.map(|order| (order.id, order.status)).collect();
        let change = |(id, status)| {
            let next = if status == Status::OnHold {
                Status::InProgress
            } else {
                Status::OnHold
            };
            assert!(tenant.change_work_order_status(id, next));
            RemoteKey::new(id.to_string())
        };
        ids.into_iter().map(change).collect()
    });
    assert_eq!(tied.len(), 16, "more than two pages of one instant");
    for stream in ["work-order-last-action", "work-order-action-log"] {
        let rows = read(&*connector, stream, from.clone()).await;
        assert_eq!(rows.into_keys().collect::<BTreeSet<_>>(), tied, "{stream}");
    }
}

#[tokio::test]
async fn every_form_of_the_locators_answer_leads_to_the_host() {
    // Without a scheme https is meant, which the simulator does not speak; those forms are read in unit tests.
    for form in [UrlForm::ByApiType, UrlForm::Soap] {
        let sandbox = start(|options| options.switches.url_form = form).await;
        let account = open(&sandbox).check(&context()).await.unwrap();
        assert_eq!(account.display_name, sandbox.company(), "{form:?}");
    }
}

#[tokio::test]
async fn gotcha_19_a_company_in_other_capitals_is_unknown() {
    let sandbox = start(|_| {}).await;
    let shouted = sandbox.company().to_uppercase();
    let error = connect(&sandbox, &shouted)
        .check(&context())
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.fields()[0].field.as_str()),
        (ErrorKind::Invalid, "company")
    );
}

#[tokio::test]
async fn gotcha_2_a_host_that_never_serves_the_company_is_unavailable() {
    let sandbox = start(|options| options.switches.wrong_host = true).await;
    let error = open(&sandbox).check(&context()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn gotcha_7_a_removed_person_is_fetched_with_the_mark() {
    let sandbox = start(|_| {}).await;
    let id = sandbox.edit(|tenant| {
        tenant
            .plant()
            .people
            .iter()
            .find(|person| !person.removed)
            .unwrap()
            .id
    });
    assert!(sandbox.edit(|tenant| tenant.remove_person(id)));
    let keys = [RemoteKey::new(id.to_string())];
    let fetched = open(&sandbox)
        .fetch(&context(), &EntityName::from_static("Employee"), &keys)
        .await
        .unwrap();
    assert!(fetched[0].deleted);
    assert!(
        fetched[0].body.get().contains("(deleted)"),
        "the row stays as the source wrote it"
    );
}
