//! What must be known to open an account.

use secrecy::SecretString;
use url::Url;
use wrenchtime_connector::{Error, ErrorKind, Result, SettingField, SettingKind, Settings};
use wrenchtime_transport::Quota;

/// The vendor names no limit, so this is a guess that should trouble nobody.
const PER_SECOND: &str = "10";
/// Beyond it, a number is taken for a slip.
const MOST_PER_SECOND: u32 = 1000;
const TOKEN_URL: &str = "https://oauth-pro-v2.corrigo.com/OAuth/token";

/// An account's settings, read.
#[derive(Clone, Debug)]
pub(crate) struct Access {
    pub(crate) company: String,
    pub(crate) client_id: String,
    pub(crate) client_secret: SecretString,
    /// The whole address of the token endpoint.
    pub(crate) token_url: Url,
    /// What `api/v1/...` is appended to.
    pub(crate) locator_url: Url,
    /// How many requests the account allows.
    pub(crate) quota: Quota,
}

pub(crate) fn fields() -> Vec<SettingField> {
    vec![
        SettingField::required(
            "company",
            SettingKind::Text,
            "Company name",
            "The company's name exactly as Corrigo shows it, capitals and blanks included. It is given out together \
             with the client id.",
        ),
        SettingField::required(
            "client_id",
            SettingKind::Text,
            "Client id",
            "A system administrator makes it in Corrigo Enterprise for a service user whose role grants web-service access.",
        ),
        SettingField::required(
            "client_secret",
            SettingKind::Secret,
            "Client secret",
            "Shown once, when the client id is made.",
        ),
        SettingField::optional(
            "region",
            SettingKind::Choice(vec!["am", "emea", "apac"]),
            "Region",
            "Where the company is hosted: Americas (am), Europe, Middle East and Africa (emea), Asia and Pacific (apac).",
        )
        .with_default("am"),
        SettingField::optional(
            "token_url",
            SettingKind::Url,
            "Token address",
            "Only for sandboxes and proxies: the whole address at which tokens are asked for.",
        ),
        SettingField::optional(
            "locator_url",
            SettingKind::Url,
            "Locator address",
            "Only for sandboxes and proxies: the address of the locator, without /api/v1. The region then has no effect.",
        ),
        SettingField::optional(
            "requests_per_second",
            SettingKind::Text,
            "Requests in a second",
            "How many requests the account takes in a second, 1 to 1000. Corrigo names no limit; lower it where others \
             suffer, raise it where a first sync should be faster.",
        )
        .with_default(PER_SECOND),
    ]
}

impl Access {
    pub(crate) fn from_settings(settings: &Settings) -> Result<Self> {
        let region = settings.get("region").unwrap_or("am");
        let locator = match settings.get("locator_url") {
            Some(url) => url.to_owned(),
            None => format!("https://{region}-apilocator.corrigo.com/"),
        };
        let secret = settings
            .secret("client_secret")
            .ok_or_else(|| missing("client_secret"))?;
        Ok(Self {
            company: text(settings, "company")?,
            client_id: text(settings, "client_id")?,
            client_secret: secret.clone(),
            token_url: url("token_url", settings.get("token_url").unwrap_or(TOKEN_URL))?,
            locator_url: url("locator_url", &locator)?,
            quota: quota(settings.get("requests_per_second").unwrap_or(PER_SECOND))?,
        })
    }
}

fn text(settings: &Settings, name: &'static str) -> Result<String> {
    let value = settings
        .get(name)
        .map(str::trim)
        .filter(|value| !value.is_empty());
    value.map(str::to_owned).ok_or_else(|| missing(name))
}

fn missing(name: &'static str) -> Error {
    Error::new(ErrorKind::Invalid, "read the settings").with_field(name, "is required")
}

fn url(name: &'static str, text: &str) -> Result<Url> {
    let url = Url::parse(text.trim()).ok().filter(Url::has_host);
    url.ok_or_else(|| {
        Error::new(ErrorKind::Invalid, "read the settings")
            .with_field(name, "is not a whole address")
    })
}

fn quota(text: &str) -> Result<Quota> {
    let number = text.trim().parse().ok();
    let number = number.filter(|number| (1..=MOST_PER_SECOND).contains(number));
    let per_second = number.ok_or_else(|| {
        Error::new(ErrorKind::Invalid, "read the settings").with_field(
            "requests_per_second",
            "is not a whole number from 1 to 1000",
        )
    })?;
    Ok(Quota {
        per_second,
        burst: per_second,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(more: &[(&str, &str)]) -> Result<Access> {
        let base = [
            ("company", " Northwind Facilities "),
            ("client_id", "id"),
            ("client_secret", "s3cr3t"),
        ];
        let settings = Settings::new(base.into_iter().chain(more.iter().copied()));
        Access::from_settings(&settings.validated(&fields()).unwrap())
    }

    #[test]
    fn the_region_chooses_the_locator() {
        let locator = |more: &[(&str, &str)]| access(more).unwrap().locator_url.to_string();
        assert_eq!(locator(&[]), "https://am-apilocator.corrigo.com/");
        assert_eq!(
            locator(&[("region", "apac")]),
            "https://apac-apilocator.corrigo.com/"
        );
        let both = [("region", "emea"), ("locator_url", "http://127.0.0.1:8410")];
        assert_eq!(locator(&both), "http://127.0.0.1:8410/");
    }

    #[test]
    fn a_company_is_taken_as_written_but_for_blanks_around_it() {
        assert_eq!(access(&[]).unwrap().company, "Northwind Facilities");
    }

    #[test]
    fn an_address_without_host_is_named() {
        let error = access(&[("token_url", "https://")]).unwrap_err();
        assert_eq!(error.fields()[0].field, "token_url");
    }

    #[test]
    fn the_rate_is_the_one_that_is_set_or_ten() {
        let per_second = |more: &[(&str, &str)]| access(more).map(|access| access.quota.per_second);
        assert_eq!(per_second(&[]).unwrap(), 10);
        assert_eq!(per_second(&[("requests_per_second", " 2 ")]).unwrap(), 2);
        for wrong in ["0", "1001", "2.5", "-1", "fast"] {
            let error = per_second(&[("requests_per_second", wrong)]).unwrap_err();
            assert_eq!(error.fields()[0].field, "requests_per_second", "{wrong}");
        }
    }
}
