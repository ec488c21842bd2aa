//! The recipe: ask inclusively, page to the end, then remember the first page's value.

use std::time::Duration;

use anyhow::{Result, bail};
use serde::Deserialize;
use serde_json::Value;

use crate::copy::Copy;

/// One resource of one connection.
#[derive(Debug)]
pub(crate) struct Source {
    client: reqwest::Client,
    url: String,
    token: String,
}

#[derive(Deserialize)]
struct Page {
    data: Vec<Value>,
    next: Option<String>,
    next_modified_after: String,
}

impl Source {
    pub(crate) fn new(url: &str, token: String, resource: &str) -> Result<Self> {
        let client = reqwest::Client::builder()
            .timeout(Duration::from_secs(30))
            .build()?;
        Ok(Self {
            client,
            url: format!("{}/v1/{resource}", url.trim_end_matches('/')),
            token,
        })
    }

    /// Brings the copy up to date and returns how many records came.
    pub(crate) async fn follow(&self, copy: &mut Copy) -> Result<usize> {
        let mut query = vec![("limit", "500".to_owned())];
        if let Some(instant) = &copy.modified_after {
            query.push(("modified_after", instant.clone()));
        }
        let mut page = self.page(&query).await?;
        let remembered = page.next_modified_after;
        let mut came = 0;
        loop {
            came += page.data.len();
            for record in page.data {
                copy.apply(record)?;
            }
            let Some(cursor) = page.next else { break };
            page = self.page(&[("cursor", cursor)]).await?;
        }
        copy.modified_after = Some(remembered);
        Ok(came)
    }

    async fn page(&self, query: &[(&str, String)]) -> Result<Page> {
        let reply = self
            .client
            .get(&self.url)
            .bearer_auth(&self.token)
            .query(query)
            .send()
            .await?;
        let status = reply.status();
        if !status.is_success() {
            let problem: Value = reply.json().await.unwrap_or_default();
            bail!(
                "{} answered {status}: {}",
                self.url,
                problem["detail"].as_str().unwrap_or("no detail")
            );
        }
        Ok(reply.json().await?)
    }
}
