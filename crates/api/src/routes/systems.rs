//! Systems that can be connected, and the schemas of what they are read into.

use http::{Method, StatusCode};
use wrenchtime_connector::SystemName;
use wrenchtime_model::{Resource, record_schema};

use crate::dto::PageBody;
use crate::parameter::{Kind, Parameter};
use crate::problem::Problem;
use crate::reply::Reply;
use crate::route::{Access, Call, Route};

pub(super) fn routes() -> Vec<Route> {
    let names = Resource::ALL
        .iter()
        .map(|resource| resource.name().to_owned())
        .collect();
    vec![
        Route::new(Method::GET, "/v1/systems", list)
            .named("systems", "list_systems", "List systems")
            .described("Every system that can be connected, whole: there are few.")
            .answers_json("The systems.", "SystemList"),
        Route::new(Method::GET, "/v1/systems/{system}", get)
            .named("systems", "get_system", "Get a system")
            .described(
                "What must be known to connect, what is read, how changes and deletions are noticed, and what can be \
                 done with each resource.",
            )
            .with_path(Parameter::new("system", Kind::Text, "The system's name."))
            .answers_json("The system.", "System"),
        Route::new(Method::GET, "/v1/schemas/{resource}", schema)
            .named("systems", "get_schema", "Get the JSON Schema of a resource")
            .for_access(Access::Any)
            .with_path(Parameter::new(
                "resource",
                Kind::Choice(names),
                "The resource's name.",
            ))
            .answers_json("JSON Schema, draft 2020-12.", "Anything"),
    ]
}

async fn list(call: Call) -> Result<Reply, Problem> {
    let data = call
        .service
        .systems()
        .iter()
        .map(|factory| factory.info())
        .collect();
    Reply::json(StatusCode::OK, &PageBody { data, next: None })
}

async fn get(call: Call) -> Result<Reply, Problem> {
    let name = SystemName::new(call.segment("system"));
    let factory = call
        .service
        .systems()
        .get(&name)
        .ok_or_else(|| Problem::no("system"))?;
    Reply::json(StatusCode::OK, factory.info())
}

async fn schema(call: Call) -> Result<Reply, Problem> {
    let resource: Resource = call
        .segment("resource")
        .parse()
        .map_err(|_| Problem::no("resource"))?;
    Reply::json(StatusCode::OK, &record_schema(resource))
}
