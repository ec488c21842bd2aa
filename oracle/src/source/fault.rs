//! Answers that are not what they should be.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use super::{Answer, Reply, Source};

/// What may be wrong with an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// 429, with the seconds to wait or without.
    TooMany(Option<u32>),
    /// 500.
    Broken,
    /// 400, as for a cursor that is too old.
    Refused,
    /// 401.
    Unauthorized,
    /// 403.
    Forbidden,
    /// The connection ends without an answer.
    Dropped,
    /// A minute passes, and the connection ends.
    TimeOut,
    /// The answer ends in the middle, and the connection with it.
    CutOff,
    /// The answer is complete by its length, and its JSON ends in the middle.
    CutJson,
    /// 200 with an error as JSON.
    ErrorInside,
    /// 200 with a page for people.
    PageInside,
    /// 200 with an empty list and no next page.
    EmptyInside,
    /// The total is another.
    WrongTotal,
    /// Rows of the page before come again.
    Repeated,
    /// The first or the last row of the page stands there twice.
    Twice,
}

impl Source {
    /// Answers a request, wrongly where it is to be.
    pub(super) fn faulty(
        &mut self,
        path: &str,
        query: &BTreeMap<String, String>,
        (origin, fault): (&str, Option<Fault>),
    ) -> Answer {
        let refused = |status, headers| {
            let body = json!({"error": "not now"}).to_string();
            Answer::Reply(Reply {
                status,
                headers,
                body,
                cut_off: false,
            })
        };
        match fault {
            Some(Fault::TooMany(wait)) => {
                let wait = wait.map(|wait| ("retry-after", wait.to_string()));
                return refused(429, wait.into_iter().collect());
            }
            Some(Fault::Broken) => return refused(500, Vec::new()),
            Some(Fault::Refused) => return refused(400, Vec::new()),
            Some(Fault::Unauthorized) => return refused(401, Vec::new()),
            Some(Fault::Forbidden) => return refused(403, Vec::new()),
            Some(Fault::Dropped) => return Answer::Nothing,
            Some(Fault::TimeOut) => {
                self.clock.advance(Duration::from_secs(60));
                return Answer::Nothing;
            }
            Some(Fault::ErrorInside) => return refused(200, Vec::new()),
            Some(Fault::PageInside) => {
                return Answer::Reply(Reply {
                    status: 200,
                    headers: Vec::new(),
                    body: "<html><body>We will be back soon.</body></html>".to_owned(),
                    cut_off: false,
                });
            }
            _ => {}
        }
        let mut reply = self.reply(path, query, (origin, fault));
        match fault {
            Some(Fault::CutOff) => reply.cut_off = true,
            Some(Fault::CutJson) => {
                let half = reply.body.len() / 2;
                reply.body.truncate(half);
            }
            _ => {}
        }
        Answer::Reply(reply)
    }
}
