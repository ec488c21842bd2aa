//! The trait.

use std::fmt;

use async_trait::async_trait;

use crate::{ConnectorInfo, Context, Document, EntityName, Page, PageRequest, RemoteKey, Result};

/// One connected account at a source, readable as streams of source documents.
///
/// Small and object safe. Mapping is not its business: it yields what the source says, verbatim. It owns no
/// HTTP client, spawns no task, reads no environment and never sleeps; its factory was lent all of that.
/// A power that only some systems have (writing, vendor webhooks) is a trait of its own behind an accessor, not
/// a method here that fails.
#[async_trait]
pub trait Connector: fmt::Debug + Send + Sync + 'static {
    /// Returns what the system is, what it offers and what the engine may rely on: plain data, always the same.
    fn info(&self) -> &ConnectorInfo;

    /// Tells whose account it is, with the cheapest request that proves the credentials.
    ///
    /// # Behavior
    /// - Writes nothing at the source.
    /// - The identity is the same for the same account, whichever credentials opened it.
    ///
    /// # Errors
    /// [`ReauthorizationRequired`](crate::ErrorKind::ReauthorizationRequired) when the credentials are refused,
    /// [`Invalid`](crate::ErrorKind::Invalid) when a setting names what does not exist there,
    /// [`Unavailable`](crate::ErrorKind::Unavailable) when the source does not answer.
    async fn check(&self, cx: &Context) -> Result<Account>;

    /// Reads one page of one stream.
    ///
    /// # Requires
    /// The stream is one of [`Connector::info`]'s; the cursor, if any, came from this stream in the same pass,
    /// perhaps in an earlier process.
    ///
    /// # Behavior
    /// - Without a cursor the pass begins at the request's bound, inclusively.
    /// - Items stand in the order that the stream declares.
    /// - The end is told by [`Next::End`](crate::Next::End), never by a short page.
    /// - A row that cannot be read becomes a [`RowIssue`](crate::RowIssue) and does not fail the page.
    /// - Reading the same page again yields the same rows, unless they changed meanwhile.
    ///
    /// # Errors
    /// Any kind; the page is then as if it had never been asked for.
    async fn read_page(&self, cx: &Context, request: PageRequest) -> Result<Page>;

    /// Reads these rows whole. Completes stubs and confirms absence.
    ///
    /// # Requires
    /// The entity declares [`EntityInfo::fetch_limit`](crate::EntityInfo::fetch_limit), and there are no more
    /// keys than that.
    ///
    /// # Behavior
    /// - Rows that are gone are left out; rows marked as deleted come with the mark.
    /// - Order is free.
    ///
    /// # Errors
    /// Any kind; [`Unsupported`](crate::ErrorKind::Unsupported) without a request where the entity declares no
    /// fetching.
    async fn fetch(
        &self,
        cx: &Context,
        entity: &EntityName,
        keys: &[RemoteKey],
    ) -> Result<Vec<Document>>;
}

/// Whose account a connection opens.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Account {
    /// Tells accounts apart. Reauthorizing with credentials of another identity is refused.
    pub identity: String,
    /// What people call it.
    pub display_name: String,
    /// The source's version, where it tells one.
    pub server_version: Option<String>,
}

impl Account {
    /// Makes an account without a server version.
    pub fn new(identity: impl Into<String>, display_name: impl Into<String>) -> Self {
        Self {
            identity: identity.into(),
            display_name: display_name.into(),
            server_version: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trait_is_object_safe() {
        fn takes(_: Option<&dyn Connector>) {}
        takes(None);
    }
}
