//! Webhook endpoints and deliveries.

use http::{Method, StatusCode};
use secrecy::ExposeSecret;
use url::Url;
use wrenchtime_model::EndpointId;
use wrenchtime_service::webhooks::{
    DeliveryFilter, DeliveryId, DeliveryState, EndpointScope, NewEndpoint,
};

use super::{cursor, limit, parse_body};
use crate::cursor::{self as cursors, IdCursor};
use crate::dto::{CreatedEndpointBody, DeliveryBody, EndpointBody, NewEndpointBody, PageBody};
use crate::parameter::{Kind, Parameter};
use crate::problem::{Code, Problem};
use crate::reply::Reply;
use crate::route::{Call, Content, Route};

const ENDPOINTS: &str = "/v1/webhook-endpoints";
const DELIVERIES: &str = "/v1/webhook-deliveries";
const STATES: [DeliveryState; 3] = [
    DeliveryState::Pending,
    DeliveryState::Delivered,
    DeliveryState::Failed,
];

pub(super) fn routes() -> Vec<Route> {
    let mut routes = endpoint_routes();
    routes.extend(delivery_routes());
    routes
}

fn endpoint_routes() -> Vec<Route> {
    let id = || Parameter::new("endpoint_id", Kind::Uuid, "The endpoint.");
    let one = format!("{ENDPOINTS}/{{endpoint_id}}");
    vec![
        Route::new(Method::POST, ENDPOINTS, create)
            .named("webhooks", "create_webhook_endpoint", "Add a webhook endpoint")
            .described(
                "It gets events from now on. The reply holds the secret that its messages are signed with (Standard \
                 Webhooks); it is shown this once.",
            )
            .with_body("NewWebhookEndpoint", true)
            .may_fail([Code::NotFound])
            .answers(
                StatusCode::CREATED,
                "The endpoint with its secret.",
                Content::Json("CreatedWebhookEndpoint".to_owned()),
            ),
        Route::new(Method::GET, ENDPOINTS, list)
            .named("webhooks", "list_webhook_endpoints", "List webhook endpoints")
            .described("All of them, oldest first.")
            .answers_json("The endpoints.", "WebhookEndpointList"),
        Route::new(Method::GET, one.clone(), get)
            .named("webhooks", "get_webhook_endpoint", "Get a webhook endpoint")
            .with_path(id())
            .answers_json("The endpoint.", "WebhookEndpoint"),
        Route::new(Method::DELETE, one, remove)
            .named("webhooks", "delete_webhook_endpoint", "Remove a webhook endpoint")
            .described("With its deliveries, also those that are not made yet.")
            .with_path(id())
            .answers(StatusCode::NO_CONTENT, "It is gone.", Content::Nothing),
    ]
}

fn delivery_routes() -> Vec<Route> {
    let states = STATES.iter().map(|state| state.name().to_owned()).collect();
    vec![
        Route::new(Method::GET, DELIVERIES, deliveries)
            .named(
                "webhooks",
                "list_webhook_deliveries",
                "List webhook deliveries",
            )
            .described("Newest first.")
            .with_query([
                Parameter::new("endpoint_id", Kind::Uuid, "Only those to this endpoint."),
                Parameter::new("state", Kind::Choice(states), "Only those in this state."),
                limit(),
                cursor(),
            ])
            .answers_json("A page of deliveries.", "WebhookDeliveryList"),
        Route::new(
            Method::POST,
            format!("{DELIVERIES}/{{delivery_id}}/retry"),
            retry,
        )
        .named("webhooks", "retry_webhook_delivery", "Deliver again")
        .described(
            "Due at once, with a full plan of retries. The message and its id stay the same.",
        )
        .with_path(Parameter::new(
            "delivery_id",
            Kind::Text,
            "The delivery's id: `msg_...`.",
        ))
        .answers(StatusCode::ACCEPTED, "It is due.", Content::Nothing),
    ]
}

async fn create(call: Call) -> Result<Reply, Problem> {
    let body: NewEndpointBody = parse_body(&call.body)?;
    let url = Url::parse(&body.url).map_err(|_| {
        Problem::new(Code::InvalidBody)
            .with_detail("url must be an https address")
            .with_error("url", "must be an https address")
    })?;
    let new = NewEndpoint {
        url,
        description: body.description,
        scope: body
            .connection_id
            .map_or(EndpointScope::All, EndpointScope::Connection),
        events: body.events,
        include_initial: body.include_initial,
    };
    let issued = call.service.create_endpoint(new, &call.actor()).await?;
    let id = issued.endpoint.id;
    let body = CreatedEndpointBody {
        endpoint: issued.endpoint.into(),
        secret: issued.secret.expose_secret().to_owned(),
    };
    Ok(Reply::json(StatusCode::CREATED, &body)?.at(format!("{ENDPOINTS}/{id}")))
}

async fn list(call: Call) -> Result<Reply, Problem> {
    let endpoints = call.service.endpoints().await?;
    let data: Vec<EndpointBody> = endpoints.into_iter().map(EndpointBody::from).collect();
    Reply::json(StatusCode::OK, &PageBody { data, next: None })
}

async fn get(call: Call) -> Result<Reply, Problem> {
    let endpoint = call
        .service
        .endpoint(call.id("endpoint_id")?)
        .await?
        .ok_or_else(|| Problem::no("webhook endpoint"))?;
    Reply::json(StatusCode::OK, &EndpointBody::from(endpoint))
}

async fn remove(call: Call) -> Result<Reply, Problem> {
    let id = call.id("endpoint_id")?;
    if call.service.remove_endpoint(id, &call.actor()).await? {
        Ok(Reply::done())
    } else {
        Err(Problem::no("webhook endpoint"))
    }
}

async fn deliveries(call: Call) -> Result<Reply, Problem> {
    let limit = call.query.limit()?;
    let before = call
        .query
        .text("cursor")
        .map(cursors::read::<IdCursor<_>>)
        .transpose()?
        .map(|cursor| cursor.after);
    let state = call.query.text("state");
    let filter = DeliveryFilter {
        endpoint: call.query.parsed::<EndpointId>("endpoint_id", "a UUID")?,
        state: state
            .map(|name| {
                STATES
                    .into_iter()
                    .find(|state| state.name() == name)
                    .ok_or_else(|| {
                        Problem::parameter("state", "must be pending, delivered or failed")
                    })
            })
            .transpose()?,
        before,
        limit: limit + 1,
    };
    let mut deliveries = call.service.deliveries(&filter).await?;
    let more = deliveries.len() > limit as usize;
    deliveries.truncate(limit as usize);
    let next = match deliveries.last() {
        Some(last) if more => Some(cursors::write(&IdCursor {
            after: (last.created_at, last.id),
        })?),
        _ => None,
    };
    let data: Vec<DeliveryBody> = deliveries.into_iter().map(DeliveryBody::from).collect();
    Reply::json(StatusCode::OK, &PageBody { data, next })
}

async fn retry(call: Call) -> Result<Reply, Problem> {
    let id: DeliveryId = call
        .segment("delivery_id")
        .parse()
        .map_err(|_| Problem::parameter("delivery_id", "must be a delivery's id: msg_..."))?;
    if call.service.retry_delivery(id).await? {
        Ok(Reply::text(StatusCode::ACCEPTED, "", bytes::Bytes::new()))
    } else {
        Err(Problem::no("delivery"))
    }
}
