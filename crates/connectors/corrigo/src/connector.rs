//! The trait's methods.

use async_trait::async_trait;
use wrenchtime_connector::{
    Account, Connector, ConnectorInfo, Context, Document, EntityName, Error, ErrorKind, Page,
    PageRequest, RemoteKey, Result,
};

use crate::info::{ACTION_LOG_STREAM, LAST_ACTION_STREAM, Table};
use crate::query::{Criteria, Query};
use crate::read::{Asked, Reader};
use crate::session::{Session, Tally};
use crate::tree::Remembered;

/// One account of Corrigo Enterprise.
#[derive(Debug)]
pub(crate) struct Corrigo {
    info: ConnectorInfo,
    session: Session,
    remembered: Remembered,
}

impl Corrigo {
    pub(crate) fn new(info: ConnectorInfo, session: Session) -> Self {
        Self {
            info,
            session,
            remembered: Remembered::default(),
        }
    }

    fn reader<'a>(&'a self, cx: &'a Context, table: Table) -> Reader<'a> {
        Reader {
            session: &self.session,
            remembered: &self.remembered,
            cx,
            table,
            tally: Tally::default(),
        }
    }
}

#[async_trait]
impl Connector for Corrigo {
    fn info(&self) -> &ConnectorInfo {
        &self.info
    }

    async fn check(&self, cx: &Context) -> Result<Account> {
        let mut tally = Tally::default();
        let check = async {
            let host = self.session.host(cx, &mut tally).await?;
            let query = Query::new(&["Id"], Criteria::all(), &["Id"], 1);
            let _rows: Vec<serde::de::IgnoredAny> = self
                .session
                .query(cx, "WorkZone", &query, &mut tally)
                .await?;
            let mut account = Account::new(host.company_id.to_string(), host.company);
            account.server_version = host.version;
            Ok(account)
        };
        check
            .await
            .map_err(|error: Error| error.at("corrigo", "check"))
    }

    async fn read_page(&self, cx: &Context, request: PageRequest) -> Result<Page> {
        let known = self.info.stream(&request.stream);
        let Some((stream, table)) =
            known.and_then(|(entity, stream)| Some((stream, Table::of(&entity.name)?)))
        else {
            let error = Error::new(
                ErrorKind::Unsupported,
                "read a page: there is no such stream",
            );
            return Err(error.at("corrigo", "read_page"));
        };
        let asked =
            Asked::new(stream, request).map_err(|error| error.at("corrigo", "read_page"))?;
        let reader = self.reader(cx, table);
        let page = match &asked.stream {
            stream if *stream == LAST_ACTION_STREAM => reader.last_actions(&asked).await,
            stream if *stream == ACTION_LOG_STREAM => reader.action_log(&asked).await,
            _ if asked.stubs => reader.sweep(&asked).await,
            _ => reader.listing(&asked).await,
        };
        page.map_err(|error| error.at("corrigo", "read_page"))
    }

    async fn fetch(
        &self,
        cx: &Context,
        entity: &EntityName,
        keys: &[RemoteKey],
    ) -> Result<Vec<Document>> {
        let Some(table) = Table::of(entity) else {
            let error = Error::new(
                ErrorKind::Unsupported,
                "fetch rows: there is no such entity",
            );
            return Err(error.at("corrigo", "fetch"));
        };
        self.reader(cx, table)
            .fetch(keys)
            .await
            .map_err(|error| error.at("corrigo", "fetch"))
    }
}
