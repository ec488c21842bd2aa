//! Makes whole addresses, and checks where they lead.

use std::sync::Arc;

use tower::ServiceExt;
use url::Url;
use wrenchtime_connector::ErrorKind;

use super::{Failure, Inner, Job, Shared, layer};
use crate::{Reply, Target};

layer! {
    /// Completes addresses and lets through those that may be reached.
    BaseLayer(shared: Arc<Shared>, base: Option<Arc<Url>>) => Base
}

impl<S: Inner> Base<S> {
    async fn handle(self, mut job: Job) -> Result<Reply, Failure> {
        let base = self.base.as_deref();
        let mut url = match (&job.call.target, base) {
            (Target::Absolute(url), _) => url.clone(),
            (Target::Path(path), Some(base)) => appended(base, path)
                .ok_or_else(|| invalid(&job, "the base address cannot have a path"))?,
            (Target::Path(_), None) => {
                return Err(invalid(&job, "the account has no base address"));
            }
        };
        if !job.call.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&job.call.query);
        }
        self.shared.egress.check_url(&url).map_err(|refused| {
            let error = job.error(ErrorKind::Invalid, &refused).with_source(refused);
            Failure::last(error)
        })?;
        job.own = base.is_none_or(|base| base.origin() == url.origin());
        if !job.own {
            job.credentials.clear();
        }
        job.url = Some(url);
        self.inner.oneshot(job).await
    }
}

fn invalid(job: &Job, what: &str) -> Failure {
    Failure::last(job.error(ErrorKind::Invalid, what))
}

/// Appends segments to the base address. A path cannot leave it: it is escaped, and dots are left out.
fn appended(base: &Url, path: &str) -> Option<Url> {
    let mut url = base.clone();
    url.set_query(None);
    url.set_fragment(None);
    url.path_segments_mut()
        .ok()?
        .pop_if_empty()
        .extend(path.trim_start_matches('/').split('/'));
    Some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(base: &str, path: &str, expected: &str) {
        let url = appended(&base.parse().unwrap(), path).unwrap();
        assert_eq!(url.as_str(), expected, "{base} + {path}");
    }

    #[test]
    fn paths_are_appended_and_stay_inside() {
        check("https://a.example", "assets", "https://a.example/assets");
        check(
            "https://a.example/api/v1",
            "assets/7",
            "https://a.example/api/v1/assets/7",
        );
        check(
            "https://a.example/api/v1/",
            "/assets/7",
            "https://a.example/api/v1/assets/7",
        );
        check(
            "https://a.example/api?x=1#y",
            "assets",
            "https://a.example/api/assets",
        );
        check(
            "https://a.example/api",
            "assets/",
            "https://a.example/api/assets/",
        );
        check(
            "https://a.example/api",
            "../../admin",
            "https://a.example/api/admin",
        );
        check(
            "https://a.example/api",
            "//evil.example/x",
            "https://a.example/api/evil.example/x",
        );
        check(
            "https://a.example/api",
            "https://evil.example",
            "https://a.example/api/https://evil.example",
        );
        check(
            "https://a.example/api",
            "a?b=c#d",
            "https://a.example/api/a%3Fb=c%23d",
        );
        check(
            "https://a.example/api",
            "50% off",
            "https://a.example/api/50%25%20off",
        );
    }
}
