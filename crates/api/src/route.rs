//! The route table: one list, from which the router and the OpenAPI document are made.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use http::{Method, StatusCode};
use uuid::Uuid;
use wrenchtime_model::Resource;
use wrenchtime_service::storage::StoredConnection;
use wrenchtime_service::{Actor, Principal, Service};

use crate::app::Exposition;
use crate::parameter::{Parameter, Query};
use crate::problem::{Code, Problem};
use crate::reply::Reply;

/// What a route is, does and answers.
pub(crate) struct Route {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) id: String,
    pub(crate) tag: &'static str,
    pub(crate) summary: String,
    pub(crate) description: String,
    pub(crate) access: Access,
    pub(crate) path_parameters: Vec<Parameter>,
    pub(crate) query_parameters: Vec<Parameter>,
    pub(crate) body: Option<Body>,
    pub(crate) success: Success,
    pub(crate) problems: Vec<Code>,
    pub(crate) handler: Handler,
}

/// Who may call a route.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Access {
    /// Everybody.
    Public,
    /// Whoever has a valid key or token.
    Any,
    /// Holders of a management key.
    Management,
    /// Holders of a connection token, for that connection.
    Connection,
}

/// The body that a route takes.
#[derive(Clone, Debug)]
pub(crate) struct Body {
    /// Name of its schema.
    pub(crate) schema: &'static str,
    pub(crate) required: bool,
}

/// What a route answers when all is well.
#[derive(Clone, Debug)]
pub(crate) struct Success {
    pub(crate) status: StatusCode,
    pub(crate) description: &'static str,
    pub(crate) content: Content,
}

/// What a reply holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Content {
    Nothing,
    /// JSON of this schema.
    Json(String),
    /// Text of this type.
    Text(&'static str),
}

pub(crate) type Handler =
    Arc<dyn Fn(Call) -> BoxFuture<'static, Result<Reply, Problem>> + Send + Sync>;

/// A request that was let through: its parameters are known, whoever asks may.
pub(crate) struct Call {
    pub(crate) service: Service,
    pub(crate) principal: Option<Principal>,
    pub(crate) path: BTreeMap<String, String>,
    pub(crate) query: Query,
    pub(crate) body: bytes::Bytes,
    pub(crate) exposition: Option<Exposition>,
}

impl Call {
    /// Reads an id of the path.
    pub(crate) fn id<T: From<PathId>>(&self, name: &str) -> Result<T, Problem> {
        let uuid = self
            .path
            .get(name)
            .and_then(|text| Uuid::try_parse(text).ok())
            .ok_or_else(|| Problem::parameter(name, "must be a UUID"))?;
        Ok(PathId(uuid).into())
    }

    pub(crate) fn segment(&self, name: &str) -> &str {
        self.path.get(name).map_or("", String::as_str)
    }

    /// Returns who asks, for the audit log.
    pub(crate) fn actor(&self) -> Actor {
        match &self.principal {
            Some(Principal::Management(key)) => Actor::Key(key.id),
            Some(Principal::Connection(_)) | None => Actor::System,
        }
    }

    /// Returns the connection that is asked about: the one of the path, or the token's own.
    pub(crate) async fn connection(&self) -> Result<StoredConnection, Problem> {
        match &self.principal {
            Some(Principal::Connection(connection)) => Ok((**connection).clone()),
            _ => Ok(self.service.connection(self.id("connection_id")?).await?),
        }
    }
}

/// A UUID of the path on its way to the id that it is.
pub(crate) struct PathId(Uuid);

macro_rules! path_ids {
    ($($id:ty)*) => {$(
        impl From<PathId> for $id {
            fn from(id: PathId) -> Self {
                Self::from_uuid(id.0)
            }
        }
    )*};
}

path_ids! {
    wrenchtime_model::ConnectionId
    wrenchtime_model::EndpointId
    wrenchtime_model::RecordId
    wrenchtime_model::RunId
    wrenchtime_model::SuspicionId
}

impl Route {
    pub(crate) fn new<F, R>(method: Method, path: impl Into<String>, handler: F) -> Self
    where
        F: Fn(Call) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Reply, Problem>> + Send + 'static,
    {
        Self {
            method,
            path: path.into(),
            id: String::new(),
            tag: "",
            summary: String::new(),
            description: String::new(),
            access: Access::Management,
            path_parameters: Vec::new(),
            query_parameters: Vec::new(),
            body: None,
            success: Success {
                status: StatusCode::OK,
                description: "Done.",
                content: Content::Nothing,
            },
            problems: Vec::new(),
            handler: Arc::new(move |call| Box::pin(handler(call))),
        }
    }

    pub(crate) fn named(
        mut self,
        tag: &'static str,
        id: impl Into<String>,
        summary: impl Into<String>,
    ) -> Self {
        self.tag = tag;
        self.id = id.into();
        self.summary = summary.into();
        self
    }

    pub(crate) fn described(mut self, description: impl Into<String>) -> Self {
        self.description = description.into();
        self
    }

    pub(crate) fn for_access(mut self, access: Access) -> Self {
        self.access = access;
        self
    }

    pub(crate) fn with_path(mut self, parameter: Parameter) -> Self {
        self.path_parameters.push(parameter);
        self
    }

    pub(crate) fn with_query(mut self, parameters: impl IntoIterator<Item = Parameter>) -> Self {
        self.query_parameters.extend(parameters);
        self
    }

    pub(crate) fn with_body(mut self, schema: &'static str, required: bool) -> Self {
        self.body = Some(Body { schema, required });
        self
    }

    pub(crate) fn answers(
        mut self,
        status: StatusCode,
        description: &'static str,
        content: Content,
    ) -> Self {
        self.success = Success {
            status,
            description,
            content,
        };
        self
    }

    pub(crate) fn answers_json(self, description: &'static str, schema: impl Into<String>) -> Self {
        self.answers(StatusCode::OK, description, Content::Json(schema.into()))
    }

    pub(crate) fn may_fail(mut self, problems: impl IntoIterator<Item = Code>) -> Self {
        self.problems.extend(problems);
        self
    }

    /// Returns every problem that the route may end in, those that follow from its shape included.
    pub(crate) fn all_problems(&self) -> Vec<Code> {
        let mut codes = self.problems.clone();
        codes.extend([Code::InvalidParameter, Code::Internal, Code::Unavailable]);
        if self.access != Access::Public {
            codes.push(Code::Unauthorized);
        }
        if matches!(self.access, Access::Management | Access::Connection) {
            codes.push(Code::Forbidden);
        }
        if self.body.is_some() {
            codes.extend([
                Code::InvalidBody,
                Code::RequestTimeout,
                Code::BodyTooLarge,
                Code::UnsupportedMediaType,
            ]);
        }
        if !self.path_parameters.is_empty() {
            codes.push(Code::NotFound);
        }
        codes.sort_by_key(|code| (code.status().as_u16(), code.name()));
        codes.dedup();
        codes
    }
}

/// Returns the name of a resource's schema in the document: `WorkOrder`.
pub(crate) fn schema_name(resource: Resource) -> String {
    resource
        .name()
        .split('_')
        .map(|word| {
            let mut letters = word.chars();
            letters
                .next()
                .map(|first| first.to_ascii_uppercase())
                .into_iter()
                .chain(letters)
                .collect::<String>()
        })
        .collect()
}
