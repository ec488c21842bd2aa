//! Discovery: which host serves a company.

use serde_json::{Map, Value as Json, json};

use super::{
    errors::{ApiError, Result},
    options::UrlForm,
    query::parse::member,
};

/// Path of the command, in lower case.
pub(super) const COMMAND: &str = "/api/v1/cmd/getcompanywsdkurlcommand";
/// Path of the form without a body, in lower case; the company follows.
pub(super) const GET_FORM: &str = "/api/v1/corrigoservice/getcompanywsdkurl/";

/// Answers the command.
pub(super) fn command(
    body: &Map<String, Json>,
    company: &str,
    host: &str,
    form: UrlForm,
) -> Result<Json> {
    let command = member(body, "Command")
        .and_then(Json::as_object)
        .ok_or_else(|| ApiError::empty_input("Command"))?;
    let text = |name: &str| member(command, name).and_then(Json::as_str);
    let wanted = text("CompanyName").ok_or_else(|| ApiError::empty_input("CompanyName"))?;
    let rest = text("ApiType").is_some_and(|kind| kind.eq_ignore_ascii_case("REST"));
    answer(wanted, company, host, (form, rest))
}

/// Answers for a company, with the form of the address and whether REST was asked for.
pub(super) fn answer(
    wanted: &str,
    company: &str,
    host: &str,
    (form, rest): (UrlForm, bool),
) -> Result<Json> {
    if wanted != company {
        return Err(ApiError::bad(
            "BUSINESS_LOGIC_ERROR",
            "The company was not found.",
        ));
    }
    let soap = || format!("{host}wsdk/CorrigoService.asmx");
    let bare = |url: String| {
        url.split_once("://")
            .map_or_else(|| url.clone(), |(_, rest)| rest.to_owned())
    };
    let url = match form {
        UrlForm::ByApiType if rest => host.to_owned(),
        UrlForm::ByApiType | UrlForm::Soap => soap(),
        UrlForm::RestWithoutScheme => bare(host.to_owned()),
        UrlForm::SoapWithoutScheme => bare(soap()),
    };
    Ok(json!({
        "Url": url,
        "CompanyName": company,
        "Protocol": "HTTPS",
        "CompanyVersion": "9.19.0.0",
        "CompanyId": 1001,
    }))
}
