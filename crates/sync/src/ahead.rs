//! Reading on, while what was read before is mapped and written.

use tokio::sync::{mpsc, watch};
use wrenchtime_connector::{Bound, EntityInfo, Next, PageRequest, StreamInfo};

use crate::admission::Admission;
use crate::circle::LoopGuard;
use crate::ready::Ready;
use crate::task::{Stop, Task};

/// How many pages may wait for the one before them to be mapped. With one of them, one that is mapped and one that is being
/// written there is always something to do, whichever of the three takes longest.
const WAITING: usize = 1;

/// How far the writing of a pass is.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Written {
    /// How many pages are written, the first included.
    pub(crate) pages: u64,
    /// How many bytes the last one took, with the rows that were read for it.
    pub(crate) bytes: u64,
}

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
    pub(crate) written: watch::Receiver<Written>,
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

/// Returns the pages behind a first one, and what reads them as it is polled. It waits for the source, for the pages before to
/// be taken or written, and for room; and whoever writes them waits for no room. So no order of things stops both.
pub(crate) fn read<'a>(
    task: &'a Task<'a>,
    start: Start<'a>,
) -> (Pages, impl Future<Output = ()> + Send + 'a) {
    let (sender, pages) = mpsc::channel(WAITING);
    (Pages(pages), read_on(task, start, sender))
}

async fn read_on(task: &Task<'_>, mut start: Start<'_>, pages: mpsc::Sender<Result<Ready, Stop>>) {
    let mut loops = LoopGuard::default();
    let mut bytes = start.bytes;
    let mut read = 1;
    // Before a page is asked for, so that none is in memory for which there is no place.
    while let Next::Page(cursor) = start.next.clone()
        && let Ok(place) = pages.reserve().await
    {
        let page = async {
            loops.check(&cursor)?;
            let admission = admit(task, &mut start.written, (read, bytes)).await?;
            let request = PageRequest::new(start.stream.name.clone())
                .with_from(start.from.clone())
                .with_cursor(Some(cursor));
            let page = task.read_page(request, admission).await?;
            Ok(Ready::new(page, start.entity))
        };
        match page.await {
            Ok(ready) => {
                read += 1;
                bytes = ready.read.what.admission.load.bytes();
                start.next = ready.read.what.page.next.clone();
                place.send(Ok(ready));
            }
            Err(stop) => {
                place.send(Err(stop));
                return;
            }
        }
    }
}

/// Lets a page be asked for that is about as large as the one before it, at once if there is room.
///
/// If there is none, the pages before are written first: what they give back goes to those who wait already, and while they
/// have it nobody waits behind this one.
async fn admit(
    task: &Task<'_>,
    written: &mut watch::Receiver<Written>,
    (read, bytes): (u64, u64),
) -> Result<Admission, Stop> {
    let about = bytes.max(written.borrow().bytes);
    if let Some(admission) = task.admit_ahead(about) {
        return Ok(admission);
    }
    let all_written = written.wait_for(|written| written.pages >= read).await;
    // Nobody writes any more where the pass was left.
    let about = bytes.max(all_written.map_err(|_| Stop::Cancelled)?.bytes);
    task.admit(about).await
}
