use serde_json::{Value, json};
use wrenchtime_sandbox::corrigo::UrlForm;

use crate::support::Desk;

async fn locate(desk: &Desk, api_type: Option<&str>, company: &str) -> (u16, Value) {
    let mut command = json!({"CompanyName": company, "Protocol": "HTTPS"});
    if let Some(kind) = api_type {
        command["ApiType"] = json!(kind);
    }
    desk.post(
        "cmd/GetCompanyWsdkUrlCommand",
        &json!({"Command": command, "RequestId": "disc-1"}),
    )
    .await
}

async fn url(desk: &Desk, api_type: Option<&str>) -> String {
    let (status, body) = locate(desk, api_type, "Example Facilities").await;
    assert_eq!((status, &body["RequestId"]), (200, &json!("disc-1")));
    body["CommandResult"]["Url"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn address_has_the_form_that_the_api_type_asks_for() {
    let desk = Desk::open(1).await;
    let host = desk.sandbox.host_url();
    assert_eq!(url(&desk, Some("REST")).await, host);
    assert_eq!(
        url(&desk, None).await,
        format!("{host}wsdk/CorrigoService.asmx")
    );
    assert_eq!(
        url(&desk, Some("SOAP")).await,
        format!("{host}wsdk/CorrigoService.asmx")
    );
    assert_eq!(desk.sandbox.data_request_count(), 0);
    assert_eq!(desk.sandbox.request_count(), 4);
}

#[tokio::test]
async fn scheme_may_be_missing() {
    let desk = Desk::open(1).await;
    let bare = desk.sandbox.host_url().replace("http://", "");
    desk.sandbox
        .edit(|tenant| tenant.switches_mut().url_form = UrlForm::SoapWithoutScheme);
    assert_eq!(
        url(&desk, Some("REST")).await,
        format!("{bare}wsdk/CorrigoService.asmx")
    );
    desk.sandbox
        .edit(|tenant| tenant.switches_mut().url_form = UrlForm::RestWithoutScheme);
    assert_eq!(url(&desk, None).await, bare);
}

#[tokio::test]
async fn unknown_company_is_refused() {
    let desk = Desk::open(1).await;
    assert_eq!(
        locate(&desk, Some("REST"), "Example facilities").await.0,
        400
    );
}

#[tokio::test]
async fn get_form_answers_too() {
    let desk = Desk::open(1).await;
    let (status, body) = desk
        .get("CorrigoService/GetCompanyWsdkUrl/Example%20Facilities")
        .await;
    assert_eq!(
        (status, &body["CommandResult"]["CompanyId"]),
        (200, &json!(1001))
    );
    assert_eq!(
        desk.get("CorrigoService/GetCompanyWsdkUrl/Nobody").await.0,
        400
    );
}

#[tokio::test]
async fn locator_wants_a_token_unless_told_otherwise() {
    let mut desk = Desk::open(1).await;
    desk.token = "wrong".to_owned();
    assert_eq!(
        locate(&desk, Some("REST"), "Example Facilities").await.0,
        403
    );
    desk.sandbox
        .edit(|tenant| tenant.switches_mut().locator_needs_token = false);
    assert_eq!(
        locate(&desk, Some("REST"), "Example Facilities").await.0,
        200
    );
}
