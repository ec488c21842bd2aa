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
            .described("Asks the store, which must take writes too.")
            .for_access(Access::Public)
            .answers_json("It does.", "Health"),
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
    call.service.ready().await?;
    Reply::json(StatusCode::OK, &json!({ "status": "ok" }))
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
