//! What Corrigo's refusals mean.

use serde::Deserialize;
use wrenchtime_connector::{Error, ErrorKind, Retry};
use wrenchtime_transport::{Refusal, Verdict};

const MOVED: &str = "DATABASE_VERSION_MISMATCH";

#[derive(Deserialize)]
struct Body {
    #[serde(rename = "ErrorCode")]
    code: String,
}

/// Refines the shared table for calls of the API.
pub(crate) fn refine(refusal: &Refusal<'_>) -> Option<Verdict> {
    let body: Body = serde_json::from_slice(refusal.body).ok()?;
    let code = if is_code(&body.code) {
        body.code.as_str()
    } else {
        "unreadable"
    };
    let verdict = match (refusal.status.as_u16(), code) {
        // An old token is 403 here, not 401.
        (401 | 403, "EXPIRED_TOKEN" | "INCORRECT_TOKEN") => {
            Verdict::new(ErrorKind::ReauthorizationRequired)
                .with_message("the token is not accepted")
                .refreshing_token()
        }
        (403, _) => Verdict::new(ErrorKind::PermissionDenied).with_message(
            "the service user may not do this: look at its role and work zones in Corrigo",
        ),
        (400, MOVED) => Verdict::new(ErrorKind::Unavailable)
            .with_retry(Retry::Never)
            .with_message("this host does not serve the company (any more)"),
        (400, "ERROR_CODE_6") => {
            Verdict::new(ErrorKind::Conflict).with_message("the row changed or went meanwhile")
        }
        (400, "ERROR_CODE_1019") => {
            Verdict::new(ErrorKind::NotFound).with_message("there is no such row")
        }
        (400, _) => Verdict::new(ErrorKind::Invalid).with_message("the source refuses the request"),
        _ => return None,
    };
    Some(verdict.with_context("code", code))
}

/// Refines it for the token endpoint, whose own refusals all concern the credentials. What a gateway or a firewall
/// in front of it says does not: nobody should have to sign in anew because of that.
pub(crate) fn refine_token(refusal: &Refusal<'_>) -> Option<Verdict> {
    let verdict = match refusal.status.as_u16() {
        400 | 401 => credentials_refused(),
        404 => Verdict::new(ErrorKind::Unavailable).with_message(
            "there is no token endpoint at this address: check token_url, or leave it out",
        ),
        405 | 407 | 408 | 421 | 425 => not_answered(),
        429 => return None,
        400..=499 if is_oauth(refusal.body) => credentials_refused(),
        400..=499 => not_answered(),
        _ => return None,
    };
    Some(verdict)
}

fn credentials_refused() -> Verdict {
    Verdict::new(ErrorKind::ReauthorizationRequired).with_message(
        "client id and secret are not accepted: check both, or make new ones in Corrigo",
    )
}

fn not_answered() -> Verdict {
    Verdict::new(ErrorKind::Unavailable)
        .with_message("something answers in the place of the token endpoint")
}

/// Tells whether a body is of the shape in which OAuth refuses.
fn is_oauth(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct OAuth {
        error: String,
    }
    serde_json::from_slice(body).is_ok_and(|OAuth { error }| !error.is_empty())
}

/// Tells whether the host has to be looked up again.
pub(crate) fn is_moved(error: &Error) -> bool {
    error
        .context()
        .iter()
        .any(|(name, value)| *name == "code" && value == MOVED)
}

/// Codes are shown, so nothing else may pass for one.
fn is_code(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    (1..=60).contains(&text.len()) && text.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(status: u16, code: &str, expected: Option<(ErrorKind, bool)>) {
        let body =
            serde_json::json!({"ErrorMessage": "{!{Work Order}!} canary", "ErrorCode": code})
                .to_string();
        let verdict = refine(&Refusal::new(status.try_into().unwrap(), body.as_bytes()));
        let seen = verdict
            .as_ref()
            .map(|verdict| (verdict.kind, verdict.refresh_token));
        assert_eq!(seen, expected, "{status} {code}");
        assert!(!format!("{verdict:?}").contains("canary"));
    }

    #[test]
    fn gotcha_1_an_old_token_is_403_and_renewed() {
        check(
            403,
            "EXPIRED_TOKEN",
            Some((ErrorKind::ReauthorizationRequired, true)),
        );
        check(
            403,
            "INCORRECT_TOKEN",
            Some((ErrorKind::ReauthorizationRequired, true)),
        );
        check(
            403,
            "MISSING_AUTHORIZATION_SCHEME",
            Some((ErrorKind::PermissionDenied, false)),
        );
    }

    #[test]
    fn codes_decide_among_the_many_400() {
        check(400, "ERROR_CODE_6", Some((ErrorKind::Conflict, false)));
        check(400, "ERROR_CODE_1019", Some((ErrorKind::NotFound, false)));
        check(400, "ERROR_CODE_1002", Some((ErrorKind::Invalid, false)));
        check(
            400,
            "BUSINESS_LOGIC_ERROR",
            Some((ErrorKind::Invalid, false)),
        );
        check(400, "canary, not a code", Some((ErrorKind::Invalid, false)));
        check(500, "ERROR_CODE_6", None);
    }

    #[test]
    fn gotcha_2_a_wrong_host_is_recognized_and_not_simply_tried_again() {
        check(400, MOVED, Some((ErrorKind::Unavailable, false)));
        let body = format!(r#"{{"ErrorCode":"{MOVED}"}}"#);
        let verdict = refine(&Refusal::new(400.try_into().unwrap(), body.as_bytes())).unwrap();
        assert_eq!(verdict.retry, Retry::Never);
        let error = verdict
            .context
            .into_iter()
            .fold(Error::new(verdict.kind, "query"), |error, (name, value)| {
                error.with_context(name, value)
            });
        assert!(is_moved(&error));
    }

    #[test]
    fn a_body_of_another_shape_is_left_to_the_shared_table() {
        assert_eq!(
            refine(&Refusal::new(400.try_into().unwrap(), b"<html>")),
            None
        );
    }

    /// Checks what refusals of the token endpoint mean; nothing where the shared table decides.
    #[track_caller]
    fn check_token(statuses: &[u16], bodies: &[&str], expected: Option<(ErrorKind, Retry)>) {
        for status in statuses {
            for body in bodies {
                let refusal = Refusal::new((*status).try_into().unwrap(), body.as_bytes());
                let verdict = refine_token(&refusal);
                let seen = verdict
                    .as_ref()
                    .map(|verdict| (verdict.kind, verdict.retry));
                assert_eq!(seen, expected, "{status} {body}");
                assert!(!format!("{verdict:?}").contains("canary"));
            }
        }
    }

    const OAUTH: &str = r#"{"error":"invalid_client","error_description":"canary"}"#;
    const FOREIGN: [&str; 4] = [
        "",
        "<html>canary: blocked</html>",
        r#"{"error":{"message":"canary"}}"#,
        r#"{"ErrorCode":"CANARY"}"#,
    ];

    #[test]
    fn the_token_endpoints_own_refusals_concern_the_credentials() {
        let expected = Some((ErrorKind::ReauthorizationRequired, Retry::Never));
        check_token(&[400, 401], &[OAUTH], expected);
        check_token(&[400, 401], &FOREIGN, expected);
        check_token(&[402, 403, 406, 410, 415, 422], &[OAUTH], expected);
    }

    #[test]
    fn what_stands_between_does_not_speak_of_the_credentials() {
        let expected = Some((ErrorKind::Unavailable, Retry::After(None)));
        check_token(
            &[402, 403, 406, 410, 413, 415, 422, 451],
            &FOREIGN,
            expected,
        );
        let never_about_credentials = [404, 405, 407, 408, 421, 425];
        check_token(&never_about_credentials, &FOREIGN, expected);
        check_token(&never_about_credentials, &[OAUTH], expected);
        check_token(&[301, 429, 500, 503], &[OAUTH, ""], None);
    }

    #[test]
    fn a_token_endpoint_that_is_not_there_is_named() {
        let verdict = refine_token(&Refusal::new(404.try_into().unwrap(), b"")).unwrap();
        assert!(verdict.message.unwrap().contains("token_url"));
    }
}
