//! The service itself: is it there, is it ready, what does it offer.

use http::{Method, StatusCode};
use serde_json::json;

use crate::openapi;
use crate::parameter::{Kind, Parameter};
use crate::problem::{Code, Problem};
use crate::reply::Reply;
use crate::route::{Access, Call, Content, Route};

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new(Method::GET, "/healthz", healthz)
            .named("service", "get_health", "Is the process there?")
            .for_access(Access::Public)
            .answers_json("It is.", "Health"),
        Route::new(Method::GET, "/readyz", readyz)
            .named("service", "get_readiness", "Does it answer requests?")
            .described("Asks the store, which must answer within 5 seconds and take writes too. After a write that failed it is told by a trial, which leaves nothing.")
            .for_access(Access::Public)
            .answers_json("It does.", "Health"),
        Route::new(Method::GET, "/metrics", metrics)
            .named("service", "get_metrics", "What is measured, for Prometheus")
            .described(
                "Counters since the start of the process, and how the connections stand now. docs/metrics.md explains \
                 each.",
            )
            .may_fail([Code::NotFound])
            .answers(
                StatusCode::OK,
                "In the text format of Prometheus.",
                Content::Text("text/plain; version=0.0.4"),
            ),
        Route::new(Method::GET, "/openapi.json", document)
            .named("service", "get_openapi", "This document")
            .for_access(Access::Public)
            .answers_json("The OpenAPI 3.1 document.", "Anything"),
        Route::new(Method::GET, "/problems/{code}", problem)
            .named("service", "get_problem_page", "What a problem means")
            .described("The `type` of every problem is the address of its page.")
            .for_access(Access::Public)
            .with_path(Parameter::new(
                "code",
                Kind::Choice(
                    Code::ALL
                        .iter()
                        .map(|code| code.name().to_owned())
                        .collect(),
                ),
                "The problem's code.",
            ))
            .answers(
                StatusCode::OK,
                "The page.",
                Content::Text("text/markdown; charset=utf-8"),
            ),
    ]
}

async fn healthz(_: Call) -> Result<Reply, Problem> {
    Reply::json(StatusCode::OK, &json!({ "status": "ok" }))
}

async fn readyz(call: Call) -> Result<Reply, Problem> {
    // Probes come every few seconds, and the service told of it once.
    let ready = call.service.ready().await;
    ready.map_err(|_| Problem::new(Code::Unavailable))?;
    Reply::json(StatusCode::OK, &json!({ "status": "ok" }))
}

async fn metrics(call: Call) -> Result<Reply, Problem> {
    let exposition = call.exposition.as_ref().ok_or_else(|| {
        Problem::new(Code::NotFound).with_detail("nothing is measured in this process")
    })?;
    call.service.measure().await?;
    Ok(Reply::text(
        StatusCode::OK,
        "text/plain; version=0.0.4",
        exposition(),
    ))
}

async fn document(_: Call) -> Result<Reply, Problem> {
    Ok(Reply::json_text(openapi::text().to_owned()))
}

async fn problem(call: Call) -> Result<Reply, Problem> {
    let code = Code::ALL
        .iter()
        .find(|code| code.name() == call.segment("code"))
        .ok_or_else(|| Problem::no("problem"))?;
    Ok(Reply::text(
        StatusCode::OK,
        "text/markdown; charset=utf-8",
        code.page(),
    ))
}
