//! A first sync from a source that takes its time, against a client that only asks.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result};
use futures_util::{StreamExt, TryStreamExt};
use serde_json::Value;
use wrenchtime_connector::{
    Bound, Connector, Context, EntityInfo, Factory, Items, Next, Page, PageRequest, RemoteKey,
    Role, Settings, StreamInfo,
};
use wrenchtime_corrigo::CorrigoFactory;
use wrenchtime_egress::{AllowRule, Policy};
use wrenchtime_sync::EngineOptions;
use wrenchtime_transport::{Runtime, RuntimeOptions};

use crate::place::Stores;
use crate::report::median;
use crate::serve;
use crate::source::{Source, UNBOUNDED};

/// What an account is asked at where nothing else is set.
const USUAL: u32 = 10;

/// What is measured.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// How many work orders the source has.
    #[arg(long, default_value_t = 50_000)]
    work_orders: usize,
    /// How long each reply takes.
    #[arg(long, default_value_t = 80)]
    milliseconds: u64,
    /// How many times each side runs; the medians are told.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..))]
    pairs: u16,
    /// Makes the same source again.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    stores: Stores,
}

pub(crate) async fn run(options: &Options) -> Result<ExitCode> {
    let client = serve::client()?;
    let source = Source::start(&client, options.work_orders, options.seed).await?;
    let usual = source.settings_at(USUAL);
    let free = source.settings_at(UNBOUNDED);
    ask(&free).await.context("warm up")?;
    source.take_requests().await?;
    source.delay(options.milliseconds).await?;
    for store in options.stores.chosen() {
        let mut pairs = Vec::new();
        for _ in 0..options.pairs {
            let place = options.stores.place(store).await?;
            let ours = serve::first_sync(&client, &free, &place).await?;
            place.end().await?;
            let bound = ask(&free).await?;
            let requests = source.take_requests().await?.len() / 2;
            println!(
                "{}: wrenchtime {:.2} s, only asking {bound:.2} s, {requests} requests",
                store.name(),
                ours.seconds
            );
            pairs.push((ours.seconds, bound));
        }
        println!(
            "latency-{} ratio: {:.2} ({} ms a request, no rate budget in the way)",
            store.name(),
            median(pairs.iter().map(|(ours, bound)| bound / ours)),
            options.milliseconds,
        );
    }
    let store = options.stores.chosen()[0];
    let place = options.stores.place(store).await?;
    let ours = serve::first_sync(&client, &usual, &place).await?;
    place.end().await?;
    let bound = ask(&usual).await?;
    println!(
        "latency-{} ratio at {USUAL} requests/s: {:.2} ({:.2} s, only asking {bound:.2} s)",
        store.name(),
        bound / ours.seconds,
        ours.seconds
    );
    Ok(ExitCode::SUCCESS)
}

/// Asks for all that a first sync asks for, in the order and with the read-ahead of the engine, and does nothing with the
/// replies but what finds the next request. Returns the seconds that it takes.
async fn ask(settings: &Value) -> Result<f64> {
    let mut runtime = RuntimeOptions::default();
    runtime.egress = Policy::allowing(["127.0.0.0/8".parse::<AllowRule>()?]);
    let factory = CorrigoFactory::new(Runtime::new(runtime)?);
    let settings = settings.as_object().context("there are no settings")?;
    let settings = settings.iter().map(|(name, value)| {
        let text = value.as_str().unwrap_or_default();
        (name.clone(), text.to_owned())
    });
    let settings = Settings::new(settings).validated(&factory.info().settings)?;
    let connector: Arc<dyn Connector> = factory.connect(&settings)?;
    let begun = Instant::now();
    let entities: Vec<_> = factory.info().entities.iter().collect();
    futures_util::stream::iter(entities.into_iter().map(|entity| read(&*connector, entity)))
        .buffer_unordered(EngineOptions::default().entities_at_once)
        .try_collect::<()>()
        .await?;
    Ok(begun.elapsed().as_secs_f64())
}

/// Reads an entity's listings, then what changed since they began.
async fn read(connector: &dyn Connector, entity: &EntityInfo) -> Result<()> {
    let mut begun = None;
    let (listings, changes): (Vec<_>, Vec<_>) = entity
        .streams
        .iter()
        .partition(|stream| stream.role == Role::Listing);
    for stream in listings.into_iter().chain(changes) {
        read_stream(connector, (entity, stream), &mut begun).await?;
    }
    Ok(())
}

async fn read_stream(
    connector: &dyn Connector,
    (entity, stream): (&EntityInfo, &StreamInfo),
    begun: &mut Option<Bound>,
) -> Result<()> {
    let cx = Context::new("bench");
    let from = begun.clone().filter(|_| stream.role == Role::Changes);
    let request = PageRequest::new(stream.name.clone()).with_from(from);
    let mut page = connector.read_page(&cx, request.clone()).await?;
    if begun.is_none() {
        *begun = page.source_time.map(Bound::at);
    }
    while let Next::Page(cursor) = page.next.clone() {
        let ahead = request.clone().with_cursor(Some(cursor));
        let (fetched, next) = tokio::join!(
            fetch(connector, entity, &page),
            connector.read_page(&cx, ahead)
        );
        fetched?;
        page = next?;
    }
    fetch(connector, entity, &page).await
}

/// Fetches the rows of which a page tells keys alone.
async fn fetch(connector: &dyn Connector, entity: &EntityInfo, page: &Page) -> Result<()> {
    let Items::Stubs(stubs) = &page.items else {
        return Ok(());
    };
    let cx = Context::new("bench");
    let keys: Vec<RemoteKey> = stubs.iter().map(|stub| stub.key.clone()).collect();
    let limit = usize::try_from(entity.fetch_limit.unwrap_or(1))?;
    for keys in keys.chunks(limit.max(1)) {
        connector.fetch(&cx, &entity.name, keys).await?;
    }
    Ok(())
}
