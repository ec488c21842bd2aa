//! Mapping work orders, against a bare parse of the same bytes.

use std::hint::black_box;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use wrenchtime_connector::{
    Connector, Context, Document, Factory, Items, Mapper, Next, PageRequest, Role, Settings,
};
use wrenchtime_corrigo::CorrigoFactory;
use wrenchtime_egress::{AllowRule, Policy};
use wrenchtime_mapping::Mapping;
use wrenchtime_model::{ConnectionId, Resource};
use wrenchtime_sandbox::corrigo::{CorrigoOptions, CorrigoSandbox};
use wrenchtime_transport::{Runtime, RuntimeOptions};

use crate::process::Usage;
use crate::report::median;

/// Processor time is told in hundredths of a second; a run takes many of them.
const SECONDS_OF_A_RUN: f64 = 1.0;

/// What is measured.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// How many different work orders there are.
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..))]
    work_orders: u32,
    /// How many times each side runs; the medians are told.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    pairs: u16,
    /// Makes the same work orders again.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

pub(crate) async fn run(options: &Options) -> Result<ExitCode> {
    let (documents, mapping) = documents(options.work_orders, options.seed).await?;
    let bytes: usize = documents.iter().map(|row| row.body.get().len()).sum();
    println!(
        "documents: {} work orders of {} bytes on average",
        documents.len(),
        bytes / documents.len(),
    );
    let mut pairs = Vec::new();
    for number in 1..=options.pairs {
        let ours = rate(&documents, |document| map(&mapping, document))?;
        let bare = rate(&documents, parse)?;
        println!("pair {number}: mapping {ours:.0} documents/s, bare parse {bare:.0} documents/s");
        pairs.push((ours, bare));
    }
    println!(
        "mapping: {:.0} documents/s of CPU",
        median(pairs.iter().map(|(ours, _)| *ours))
    );
    println!(
        "bare parse: {:.0} documents/s of CPU",
        median(pairs.iter().map(|(_, bare)| *bare))
    );
    println!(
        "map ratio: {:.2}",
        median(pairs.iter().map(|(ours, bare)| ours / bare))
    );
    Ok(ExitCode::SUCCESS)
}

/// Returns work orders as the connector reads them, and the mapping that makes records of them.
pub(crate) async fn documents(work_orders: u32, seed: u64) -> Result<(Vec<Document>, Mapping)> {
    let options = CorrigoOptions::new(seed, usize::try_from(work_orders)?);
    let sandbox = CorrigoSandbox::start(options).await?;
    let mut runtime = RuntimeOptions::default();
    runtime.egress = Policy::allowing(["127.0.0.0/8".parse::<AllowRule>()?]);
    let factory = CorrigoFactory::new(Runtime::new(runtime)?);
    let documents = work_orders_of(&factory, &sandbox).await?;
    sandbox.stop().await;
    Ok((documents, Mapping::default_of(&factory)?))
}

/// Reads what the connector reads in a first sync, with all that it joins to the rows.
async fn work_orders_of(
    factory: &CorrigoFactory,
    sandbox: &CorrigoSandbox,
) -> Result<Vec<Document>> {
    let settings = Settings::new([
        ("company", sandbox.company().to_owned()),
        ("client_id", sandbox.client_id().to_owned()),
        ("client_secret", sandbox.client_secret().to_owned()),
        ("token_url", sandbox.token_url()),
        ("locator_url", sandbox.host_url()),
    ]);
    let connector: Arc<dyn Connector> =
        factory.connect(&settings.validated(&factory.info().settings)?)?;
    let mut entities = factory.info().entities.iter();
    let entity = entities.find(|entity| entity.resources.contains(&Resource::WorkOrder));
    let mut streams = entity.into_iter().flat_map(|entity| &entity.streams);
    let listing = streams.find(|stream| stream.role == Role::Listing);
    let mut request = PageRequest::new(listing.context("there is no listing")?.name.clone());
    let mut documents = Vec::new();
    loop {
        let page = connector
            .read_page(&Context::new("bench"), request.clone())
            .await?;
        let Items::Documents(rows) = page.items else {
            bail!("the listing of work orders has no whole rows");
        };
        documents.extend(rows);
        let Next::Page(cursor) = page.next else {
            break;
        };
        request = request.with_cursor(Some(cursor));
    }
    if documents.is_empty() {
        bail!("the source has no work orders");
    }
    Ok(documents)
}

/// Returns documents in a second of processor time.
fn rate(documents: &[Document], work: impl Fn(&Document) -> Result<()>) -> Result<f64> {
    let begun = Usage::own()?.cpu;
    let mut done = 0.0;
    loop {
        for document in documents {
            work(document)?;
            done += 1.0;
        }
        let spent = Usage::own()?.cpu - begun;
        if spent >= SECONDS_OF_A_RUN {
            return Ok(done / spent);
        }
    }
}

fn map(mapping: &Mapping, document: &Document) -> Result<()> {
    let connection: ConnectionId = "01890a5d-ac96-774b-bcce-b302099a8057".parse()?;
    black_box(mapping.map(connection, document)?);
    Ok(())
}

fn parse(document: &Document) -> Result<()> {
    black_box(serde_json::from_str::<serde_json::Value>(
        document.body.get(),
    )?);
    Ok(())
}
