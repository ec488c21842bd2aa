//! Lists by the built service, against a handler that returns a constant body, and at growing numbers of rows.

mod fill;
mod size;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use chrono::{DateTime, Utc};
use serde_json::Value;
use wrenchtime_model::Timestamp;

use self::fill::{Filler, Template};
use crate::constant::Constant;
use crate::place::{Place, Store, Stores};
use crate::report::{float, median};
use crate::serve::{self, Connected, Service};
use crate::source::Source;

/// Pages that are asked for by turns, so that not always the same rows are shown.
const PAGES: usize = 50;
/// Requests of a pair, to each side.
const REQUESTS: usize = 100;
/// Clients that ask at once, when it is measured how much a machine can answer.
const CLIENTS: usize = 4;
/// Records of a page.
const RECORDS: usize = 100;

/// What is measured.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Numbers of rows at which pages are measured, rising.
    #[arg(long, value_delimiter = ',', default_value = "10000,100000,1000000")]
    rows: Vec<u32>,
    /// How many times each side answers its requests; the medians are told.
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u16).range(1..))]
    pairs: u16,
    /// Makes the same rows again.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    stores: Stores,
}

pub(crate) async fn run(options: &Options) -> Result<ExitCode> {
    let client = serve::client()?;
    let templates = fill::templates(options.seed).await?;
    let source = Source::start(&client, 10, options.seed).await?;
    for store in options.stores.chosen() {
        measure(options, &client, &source, (store, &templates)).await?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Fills a store step by step and measures at each.
async fn measure(
    options: &Options,
    client: &reqwest::Client,
    source: &Source,
    (store, templates): (Store, &[Template]),
) -> Result<()> {
    let place = options.stores.place(store).await?;
    let service = Service::start(client, &place).await?;
    let connected = service.connect(&source.address.settings, false).await;
    // Right behind its start it would not be ended in order.
    serve::pause(Duration::from_secs(1)).await;
    let connected = service.end_with(connected).await?;
    let mut filler = Filler::new(&connected.id, templates)?;
    let mut pages: Vec<(u32, f64)> = Vec::new();
    for rows in options.rows.iter().copied() {
        let begun = Instant::now();
        let added = filler.fill(&place, rows).await?;
        println!(
            "{} filled: {rows} rows, {:.0} rows/s by the store alone",
            store.name(),
            f64::from(added) / begun.elapsed().as_secs_f64()
        );
        size::print(&place, store, rows).await?;
        let service = Service::start(client, &place).await?;
        let reader = Reader {
            client,
            url: format!("{}/v1/work-orders", service.url()),
            connected: &connected,
        };
        let measured = at_size(options, &reader, (store, rows, &place)).await;
        let page = service.end_with(measured).await?;
        pages.push((rows, page));
    }
    print_growth(store, &pages);
    place.end().await
}

/// Measures lists and pages of changes. Returns the milliseconds of a page of changes.
async fn at_size(
    options: &Options,
    reader: &Reader<'_>,
    (store, rows, place): (Store, u32, &Place),
) -> Result<f64> {
    let targets = reader.pages().await?;
    let bytes = reader.read(&targets[0]).await?.len();
    let constant = Constant::start(bytes, place).await?;
    let bare: Vec<String> = (0..targets.len())
        .map(|page| format!("{}{page}", constant.url))
        .collect();
    let sides = Sides {
        ours: &targets,
        constant: std::slice::from_ref(&constant.url),
        bare: &bare,
    };
    let name = store.name();
    for clients in [1, CLIENTS] {
        let mut rounds = Vec::new();
        // The first round warms all up.
        for number in 0..=options.pairs {
            let round = sides.time(reader, clients).await?;
            if number > 0 {
                rounds.push(round);
            }
        }
        print_lists((name, rows, clients), &rounds);
    }
    println!(
        "{name} list: {RECORDS} records of {:.1} kB in all",
        float(bytes) / 1e3
    );
    let targets = reader.changes().await?;
    let mut times = Vec::new();
    for number in 0..=options.pairs {
        let time = reader.time(&targets, 1).await?;
        if number > 0 {
            times.push(time);
        }
    }
    let page = median(times.into_iter());
    println!("{name} modified_after page at {rows} rows: {page:.3} ms");
    Ok(page)
}

/// What is asked for: the service's lists, a constant body of as many bytes, and the same records without an API.
struct Sides<'s> {
    ours: &'s [String],
    constant: &'s [String],
    bare: &'s [String],
}

/// Milliseconds that each side takes for one request.
struct Round {
    ours: f64,
    constant: f64,
    bare: f64,
}

impl Sides<'_> {
    async fn time(&self, reader: &Reader<'_>, clients: usize) -> Result<Round> {
        let ours = reader.time(self.ours, clients).await?;
        let constant = reader.time(self.constant, clients).await?;
        let bare = reader.time(self.bare, clients).await?;
        Ok(Round {
            ours,
            constant,
            bare,
        })
    }
}

fn print_lists((name, rows, clients): (&str, u32, usize), rounds: &[Round]) {
    let middle = |value: &dyn Fn(&Round) -> f64| median(rounds.iter().map(value));
    let at = format!("at {rows} rows, {clients} at once");
    println!(
        "{name} list {at}: {:.3} ms each; the constant body {:.3} ms",
        middle(&|round| round.ours),
        middle(&|round| round.constant),
    );
    println!(
        "{name} list ratio: {:.2} ({at})",
        middle(&|round| round.constant / round.ours)
    );
    println!(
        "{name} bare list ratio: {:.2} ({at}): the same records by one statement without an API; ours to it {:.2}",
        middle(&|round| round.constant / round.bare),
        middle(&|round| round.bare / round.ours),
    );
}

fn print_growth(store: Store, pages: &[(u32, f64)]) {
    if let (Some((few, first)), Some((many, last))) = (pages.first(), pages.last()) {
        println!(
            "{} modified_after growth: {:.2} times at {many} rows what it takes at {few}",
            store.name(),
            last / first
        );
    }
}

/// A client of the one connection's lists.
struct Reader<'r> {
    client: &'r reqwest::Client,
    url: String,
    connected: &'r Connected,
}

impl Reader<'_> {
    async fn read(&self, url: &str) -> Result<bytes::Bytes> {
        let request = self.client.get(url).bearer_auth(&self.connected.token);
        Ok(request.send().await?.error_for_status()?.bytes().await?)
    }

    async fn page(&self, url: &str) -> Result<Value> {
        Ok(serde_json::from_slice(&self.read(url).await?)?)
    }

    /// Returns addresses of pages, one behind another.
    async fn pages(&self) -> Result<Vec<String>> {
        let first = format!("{}?limit={RECORDS}", self.url);
        let mut urls = vec![first];
        while urls.len() < PAGES {
            let last = urls.last().context("there is no page")?;
            let page = self.page(last).await?;
            if page["data"].as_array().map(Vec::len) != Some(RECORDS) {
                bail!("a page is not full: choose more rows");
            }
            let Some(next) = page["next"].as_str() else {
                break;
            };
            urls.push(format!("{}?limit={RECORDS}&cursor={next}", self.url));
        }
        Ok(urls)
    }

    /// Returns addresses of pages of changes, from instants spread over all of them.
    async fn changes(&self) -> Result<Vec<String>> {
        let first = format!("{}?limit={RECORDS}&modified_after=1970-01-01", self.url);
        let page = self.page(&first).await?;
        let instant = |value: &Value| {
            let text = value.as_str().context("an instant is missing")?;
            Ok::<_, anyhow::Error>(text.parse::<DateTime<Utc>>()?.timestamp_micros())
        };
        let from = instant(&page["data"][0]["modified_at"])?;
        let to = instant(&page["next_modified_after"])?;
        let steps = i64::try_from(PAGES)?;
        let mut urls = Vec::new();
        // Not at the very end, where a page would be short.
        for step in 0..steps {
            let micros = from + (to - from) * step / (steps + 5);
            let at = Timestamp::from_micros(micros).context("an instant is out of range")?;
            urls.push(format!("{}?limit={RECORDS}&modified_after={at}", self.url));
        }
        Ok(urls)
    }

    /// Has so many clients ask for these by turns, and returns milliseconds for each request.
    async fn time(&self, urls: &[String], clients: usize) -> Result<f64> {
        let begun = Instant::now();
        let asked = (0..clients).map(|client| async move {
            let urls = urls.iter().cycle().skip(client).step_by(clients);
            for url in urls.take(REQUESTS / clients) {
                self.read(url).await?;
            }
            Ok::<_, anyhow::Error>(())
        });
        futures_util::future::try_join_all(asked).await?;
        let requests = REQUESTS / clients * clients;
        Ok(begun.elapsed().as_secs_f64() * 1e3 / float(requests))
    }
}

impl Filler<'_> {
    /// Fills the store of a place up to so many rows, while no service runs on it. Returns how many were added.
    async fn fill(&mut self, place: &Place, rows: u32) -> Result<u32> {
        let before = self.filled();
        self.fill_to(place, rows).await?;
        Ok(rows.saturating_sub(before))
    }
}
