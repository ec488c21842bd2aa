//! Which host serves a company.

use serde::Deserialize;
use url::Url;
use wrenchtime_connector::{Context, Error, ErrorKind, Result};
use wrenchtime_transport::{Call, Http};

/// Where a company is, and who it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Host {
    /// Ends in a slash; `api/v1/...` is appended.
    pub(crate) url: Url,
    pub(crate) company_id: i64,
    pub(crate) company: String,
    pub(crate) version: Option<String>,
}

#[derive(Deserialize)]
struct Reply {
    #[serde(rename = "CommandResult")]
    result: Outcome,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Outcome {
    #[serde(default)]
    url: String,
    company_name: Option<String>,
    company_version: Option<String>,
    #[serde(default)]
    company_id: i64,
    error_info: Option<serde_json::Value>,
}

/// Asks the locator. Returns the host and how many requests it took.
pub(crate) async fn discover(http: &Http, cx: &Context, company: &str) -> Result<(Host, u32)> {
    let command = serde_json::json!({
        "Command": {"ApiType": "REST", "CompanyName": company, "Protocol": "HTTPS"},
        "RequestId": "locate",
    });
    let call = Call::post_json("api/v1/cmd/GetCompanyWsdkUrlCommand", &command)
        .safe()
        .operation("locate company");
    let reply = http
        .send_json::<Reply>(cx, call)
        .await
        .map_err(|error| match error.kind() {
            ErrorKind::Invalid if was_answered(&error) => unknown_company().with_source(error),
            ErrorKind::NotFound => Error::new(
                ErrorKind::Invalid,
                "locate the company: nothing answers at this address",
            )
            .with_field("locator_url", "does not lead to Corrigo's locator")
            .with_source(error),
            _ => error,
        })?;
    let outcome = reply.value.result;
    // A fault may hide inside a success; a present one counts whatever it says.
    if outcome.error_info.is_some_and(|info| !info.is_null()) {
        return Err(unknown_company());
    }
    let Some(url) = host_url(&outcome.url) else {
        return Err(Error::new(
            ErrorKind::Protocol,
            "locate the company: the locator names no usable host",
        ));
    };
    let company = outcome
        .company_name
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| company.to_owned());
    let host = Host {
        url,
        company_id: outcome.company_id,
        company,
        version: outcome.company_version,
    };
    Ok((host, reply.reply.attempts))
}

fn unknown_company() -> Error {
    Error::new(
        ErrorKind::Invalid,
        "locate the company: Corrigo knows none of this name in this region",
    )
    .with_field(
        "company",
        "must match the company's name exactly, capitals included; check the region too",
    )
}

/// Tells whether the refusal is the locator's own, and not that of our side: an address that may not be reached.
fn was_answered(error: &Error) -> bool {
    error.context().iter().any(|(name, _)| *name == "status")
}

/// Reads any form in which the locator writes a host.
fn host_url(text: &str) -> Option<Url> {
    let text = text.trim();
    let whole = if text.contains("://") {
        text.to_owned()
    } else {
        format!("https://{text}")
    };
    let soap = "/wsdk/corrigoservice.asmx";
    let base = match whole.to_ascii_lowercase().strip_suffix(soap) {
        Some(base) => whole.chars().take(base.chars().count()).collect(),
        None => whole,
    };
    let url = Url::parse(&format!("{}/", base.trim_end_matches('/'))).ok()?;
    (url.has_host() && matches!(url.scheme(), "http" | "https")).then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        assert_eq!(
            host_url(text).map(|url| url.to_string()).as_deref(),
            expected,
            "{text}"
        );
    }

    #[test]
    fn every_form_of_a_host_is_read() {
        let host = Some("https://am-ce00x.corrigo.com/");
        check("https://am-ce00x.corrigo.com/", host);
        check("https://am-ce00x.corrigo.com", host);
        check("am-ce00x.corrigo.com", host);
        check("am-ce00x.corrigo.com/wsdk/CorrigoService.asmx", host);
        check(
            "https://am-ce00x.corrigo.com/wsdk/CorrigoService.asmx",
            host,
        );
        check(
            "https://AM-CE00X.corrigo.com/WSDK/corrigoservice.ASMX",
            host,
        );
        check("http://127.0.0.1:8410/", Some("http://127.0.0.1:8410/"));
        check("", None);
        check("ftp://am-ce00x.corrigo.com/", None);
    }
}
