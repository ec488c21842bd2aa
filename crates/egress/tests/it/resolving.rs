//! What names stand for is judged when they are resolved, each time.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use wrenchtime_egress::{AllowRule, Policy, Refused};

/// Gives each question the next of these answers.
struct Scripted(Mutex<Vec<Vec<&'static str>>>);

impl Resolve for Scripted {
    fn resolve(&self, _: Name) -> Resolving {
        let answer = self.0.lock().unwrap().remove(0);
        let addresses: Vec<SocketAddr> = answer
            .into_iter()
            .map(|address| SocketAddr::new(address.parse().unwrap(), 0))
            .collect();
        Box::pin(async move { Ok(Box::new(addresses.into_iter()) as Addrs) })
    }
}

fn rules(rules: &[&str]) -> Policy {
    Policy::allowing(rules.iter().map(|rule| rule.parse::<AllowRule>().unwrap()))
}

#[tokio::test]
async fn a_name_that_changes_its_mind_gains_nothing() {
    let answers = Scripted(Mutex::new(vec![
        vec!["8.8.8.8"],
        vec!["127.0.0.1"],
        vec!["10.0.0.1", "8.8.4.4"],
    ]));
    let resolver = Policy::strict().resolver_over(Arc::new(answers));
    let ask = || async {
        let name = "rebind.example".parse().unwrap();
        resolver
            .resolve(name)
            .await
            .map(|found| found.map(|address| address.ip()).collect::<Vec<_>>())
    };
    assert_eq!(ask().await.unwrap(), ["8.8.8.8".parse::<IpAddr>().unwrap()]);
    let error = ask().await.unwrap_err();
    assert!(
        matches!(
            error.downcast_ref::<Refused>(),
            Some(Refused::Address { .. })
        ),
        "{error}"
    );
    assert_eq!(ask().await.unwrap(), ["8.8.4.4".parse::<IpAddr>().unwrap()]);
}

#[track_caller]
fn check(allowed: &[&str], name: &str, answers: &[&str], expected: &[&str]) {
    let parse = |texts: &[&str]| -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    };
    let kept = rules(allowed)
        .check_answers(name, parse(answers))
        .unwrap_or_default();
    assert_eq!(kept, parse(expected), "{name} with {allowed:?}");
}

#[test]
fn answers_are_kept_or_dropped() {
    check(
        &[],
        "a.example",
        &["8.8.8.8", "2606:4700::1"],
        &["8.8.8.8", "2606:4700::1"],
    );
    check(
        &[],
        "a.example",
        &["192.168.0.1", "::1", "::ffff:10.0.0.1", "fe80::1"],
        &[],
    );
    check(
        &["plant.local"],
        "plant.local",
        &["192.168.0.1"],
        &["192.168.0.1"],
    );
    check(
        &["plant.local"],
        "Plant.Local.",
        &["192.168.0.1"],
        &["192.168.0.1"],
    );
    check(&["plant.local"], "other.local", &["192.168.0.1"], &[]);
    check(
        &["192.168.0.0/24"],
        "other.local",
        &["192.168.0.1", "192.168.1.1"],
        &["192.168.0.1"],
    );
    check(
        &["plant.local", "0.0.0.0/0"],
        "plant.local",
        &["169.254.169.254", "10.0.0.1"],
        &["10.0.0.1"],
    );
    check(&["plant.local"], "plant.local", &["fd00:ec2::254"], &[]);
    check(&[], "a.example", &[], &[]);
}

#[tokio::test]
async fn a_client_is_refused_where_it_connects() {
    let client = Policy::strict().client_builder().build().unwrap();
    let error = client.get("https://localhost:1/").send().await.unwrap_err();
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    let refused = std::iter::from_fn(|| {
        let current = cause?;
        cause = current.source();
        Some(current.downcast_ref::<Refused>().cloned())
    });
    assert!(
        matches!(refused.flatten().next(), Some(Refused::Address { .. })),
        "{error:?}"
    );
}

#[test]
fn the_tls_provider_can_be_installed_twice() {
    wrenchtime_egress::install_tls_provider();
    wrenchtime_egress::install_tls_provider();
    assert!(rustls::crypto::CryptoProvider::get_default().is_some());
}

#[test]
fn rules_are_read_from_configuration() {
    let rule: AllowRule = serde::Deserialize::deserialize(text("10.0.0.0/8")).unwrap();
    assert_eq!(rule.to_string(), "10.0.0.0/8");
    let refused: Result<AllowRule, _> = serde::Deserialize::deserialize(text("http://x"));
    assert!(
        refused
            .unwrap_err()
            .to_string()
            .contains("is not a host name, an address or a network")
    );
}

fn text(text: &str) -> serde::de::value::StrDeserializer<'_, serde::de::value::Error> {
    serde::de::IntoDeserializer::into_deserializer(text)
}
