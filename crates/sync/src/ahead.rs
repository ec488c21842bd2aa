//! Reading on, while what was read before is mapped and written.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::mpsc;
use wrenchtime_connector::{Bound, Cursor, EntityInfo, Next, PageRequest, StreamInfo};

use crate::circle::LoopGuard;
use crate::ready::Ready;
use crate::task::{Stop, Task};

/// How many pages may wait for the one before them to be mapped. With one of them, one that is mapped and one that is being
/// written there is always something to do, whichever of the three takes longest.
const WAITING: usize = 1;

/// What is read on from: the first page of a pass.
pub(crate) struct Start<'a> {
    pub(crate) entity: &'a EntityInfo,
    pub(crate) stream: &'a StreamInfo,
    /// Where the pass began.
    pub(crate) from: Option<Bound>,
    /// What follows the first page.
    pub(crate) next: Next,
    /// How many bytes that page takes.
    pub(crate) bytes: u64,
    /// How many the page takes that was written last, with the rows that were read for it.
    pub(crate) written: &'a AtomicU64,
}

/// The pages behind the first one, in their order. Nothing comes behind an error.
#[derive(Debug)]
pub(crate) struct Pages(mpsc::Receiver<Result<Ready, Stop>>);

impl Pages {
    /// Waits for the next page. Only behind a page that another follows.
    pub(crate) async fn next(&mut self) -> Result<Ready, Stop> {
        // Nothing comes where whoever reads was stopped.
        self.0.recv().await.unwrap_or(Err(Stop::Cancelled))
    }
}

/// Returns the pages behind a first one, and what reads them as it is polled. It waits for nobody but the source, for
/// room, and for the pages before to be taken; and whoever takes them waits for no room. So no order of things stops both.
pub(crate) fn read<'a>(
    task: &'a Task<'a>,
    start: Start<'a>,
) -> (Pages, impl Future<Output = ()> + Send + 'a) {
    let (sender, pages) = mpsc::channel(WAITING);
    (Pages(pages), read_on(task, start, sender))
}

async fn read_on(task: &Task<'_>, start: Start<'_>, pages: mpsc::Sender<Result<Ready, Stop>>) {
    let mut loops = LoopGuard::default();
    let mut next = start.next.clone();
    let mut bytes = start.bytes;
    while let Next::Page(cursor) = next {
        // Before the page is asked for, so that none is in memory for which there is no place.
        let Ok(place) = pages.reserve().await else {
            return;
        };
        let about = bytes.max(start.written.load(Ordering::Relaxed));
        match page(task, &start, &mut loops, (cursor, about)).await {
            Ok(ready) => {
                bytes = ready.read.what.admission.load.bytes();
                next = ready.read.what.page.next.clone();
                place.send(Ok(ready));
            }
            Err(stop) => {
                place.send(Err(stop));
                return;
            }
        }
    }
}

async fn page(
    task: &Task<'_>,
    start: &Start<'_>,
    loops: &mut LoopGuard,
    (cursor, about): (Cursor, u64),
) -> Result<Ready, Stop> {
    loops.check(&cursor)?;
    let request = PageRequest::new(start.stream.name.clone())
        .with_from(start.from.clone())
        .with_cursor(Some(cursor));
    let admission = match task.admit_ahead(about) {
        Some(admission) => admission,
        None => task.admit(about).await?,
    };
    let read = task.read_page(request, admission).await?;
    Ok(Ready::new(read, start.entity))
}
