//! Spellings of addresses that must not be reached, and of some that may.

use url::Url;
use wrenchtime_egress::{AllowRule, Policy, Refused};

/// What the policy says of a URL, in a word.
fn verdict(policy: &Policy, url: &str) -> &'static str {
    let Ok(url) = url.parse::<Url>() else {
        return "unreadable";
    };
    match policy.check_url(&url) {
        Ok(()) => "reached",
        Err(Refused::Address { .. }) => "address",
        Err(Refused::Metadata { .. }) => "metadata",
        Err(Refused::PlainHttp { .. }) => "plain",
        Err(Refused::UserInfo) => "user",
        Err(Refused::Scheme { .. }) => "scheme",
        Err(_) => "other",
    }
}

const TABLE: &[(&str, &str)] = &[
    // Loopback.
    ("https://127.0.0.1/", "address"),
    ("https://127.0.0.1./", "address"),
    ("https://127.1/", "address"),
    ("https://127.0.1/", "address"),
    ("https://2130706433/", "address"),
    ("https://0x7f000001/", "address"),
    ("https://0x7f.1/", "address"),
    ("https://0X7F.0.0.0x1/", "address"),
    ("https://0177.0.0.1/", "address"),
    ("https://017700000001/", "address"),
    ("https://127.255.255.254/", "address"),
    ("https://%31%32%37.0.0.1/", "address"),
    ("https://１２７.0.0.1/", "address"),
    ("https://127。0。0。1/", "address"),
    ("https://①②⑦.⓪.⓪.①/", "address"),
    ("https://[::1]/", "address"),
    ("https://[0:0:0:0:0:0:0:1]/", "address"),
    ("https://[::ffff:127.0.0.1]/", "address"),
    ("https://[::ffff:7f00:1]/", "address"),
    ("https://[::127.0.0.1]/", "address"),
    ("https://[64:ff9b::127.0.0.1]/", "address"),
    ("https://[64:ff9b:1::7f00:1]/", "address"),
    ("https://[2002:7f00:1::]/", "address"),
    ("https://[2001:0:7f00:1::]/", "address"),
    ("https:\\\\127.0.0.1\\", "address"),
    ("https:127.0.0.1", "address"),
    ("https://127.0.0.1:443/", "address"),
    // Nowhere and everywhere.
    ("https://0.0.0.0/", "address"),
    ("https://0/", "address"),
    ("https://[::]/", "address"),
    ("https://255.255.255.255/", "address"),
    ("https://224.0.0.1/", "address"),
    ("https://[ff02::1]/", "address"),
    ("https://240.0.0.1/", "address"),
    // Private and near.
    ("https://10.0.0.1/", "address"),
    ("https://167772161/", "address"),
    ("https://172.16.0.1/", "address"),
    ("https://172.31.255.255/", "address"),
    ("https://192.168.1.1/", "address"),
    ("https://0xc0a80101/", "address"),
    ("https://100.64.0.1/", "address"),
    ("https://169.254.1.1/", "address"),
    ("https://[fe80::1]/", "address"),
    ("https://[fec0::1]/", "address"),
    ("https://[fc00::1]/", "address"),
    ("https://[fd12:3456::1]/", "address"),
    ("https://[::ffff:192.168.1.1]/", "address"),
    ("https://[64:ff9b::a00:1]/", "address"),
    ("https://[2002:c0a8:101::1]/", "address"),
    // Set aside.
    ("https://192.0.2.1/", "address"),
    ("https://198.51.100.1/", "address"),
    ("https://203.0.113.1/", "address"),
    ("https://198.18.0.1/", "address"),
    ("https://192.88.99.1/", "address"),
    ("https://192.0.0.8/", "address"),
    ("https://[2001:db8::1]/", "address"),
    ("https://[3fff::1]/", "address"),
    ("https://[5f00::1]/", "address"),
    ("https://[100::1]/", "address"),
    // Metadata.
    ("https://169.254.169.254/", "metadata"),
    ("https://0xa9fea9fe/", "metadata"),
    ("https://2852039166/", "metadata"),
    ("https://[::ffff:169.254.169.254]/", "metadata"),
    ("https://[::a9fe:a9fe]/", "metadata"),
    ("https://[64:ff9b::a9fe:a9fe]/", "metadata"),
    ("https://[2002:a9fe:a9fe::]/", "metadata"),
    ("https://[fd00:ec2::254]/", "metadata"),
    ("https://[fd20:ce::254]/", "metadata"),
    ("https://169.254.170.2/", "metadata"),
    ("https://100.100.100.200/", "metadata"),
    ("https://192.0.0.192/", "metadata"),
    ("https://168.63.129.16/", "metadata"),
    // Not how addresses are given.
    ("http://example.com/", "plain"),
    ("http://8.8.8.8/", "plain"),
    ("https://user@example.com/", "user"),
    ("https://user:password@example.com/", "user"),
    ("https://:password@example.com/", "user"),
    ("https://example.com@127.0.0.1/", "user"),
    ("ftp://example.com/", "scheme"),
    ("file:///etc/passwd", "scheme"),
    ("gopher://127.0.0.1/", "scheme"),
    ("data:text/plain,x", "scheme"),
    ("https://[fe80::1%25eth0]/", "unreadable"),
    ("https://256.0.0.1/", "unreadable"),
    ("https://1.2.3.4.5/", "unreadable"),
    ("https:///", "unreadable"),
    // What may be reached.
    ("https://example.com/", "reached"),
    ("https://example.com:8443/path?query", "reached"),
    ("https://8.8.8.8/", "reached"),
    ("https://[2606:4700::1111]/", "reached"),
    ("https://[64:ff9b::808:808]/", "reached"),
    ("https://172.32.0.1/", "reached"),
    // Names are judged where they are resolved.
    ("https://localhost/", "reached"),
];

#[test]
fn hostile_spellings() {
    let policy = Policy::strict();
    let wrong: Vec<String> = TABLE
        .iter()
        .map(|(url, expected)| (url, expected, verdict(&policy, url)))
        .filter(|(_, expected, actual)| *expected != actual)
        .map(|(url, expected, actual)| format!("{url}: {actual} instead of {expected}"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn rules(rules: &[&str]) -> Policy {
    Policy::allowing(rules.iter().map(|rule| rule.parse::<AllowRule>().unwrap()))
}

#[track_caller]
fn check(allowed: &[&str], url: &str, expected: &str) {
    assert_eq!(
        verdict(&rules(allowed), url),
        expected,
        "{url} with {allowed:?}"
    );
}

#[test]
fn what_an_operator_allows() {
    check(&["10.1.0.0/16"], "http://10.1.2.3:8080/", "reached");
    check(&["10.1.0.0/16"], "https://10.1.2.3/", "reached");
    check(&["10.1.0.0/16"], "https://[::ffff:10.1.2.3]/", "reached");
    check(&["10.1.0.0/16"], "http://10.2.0.1/", "address");
    check(&["10.1.0.0/16"], "http://user@10.1.2.3/", "user");
    check(&["10.1.0.0/16"], "ftp://10.1.2.3/", "scheme");
    check(&["fd00::/8"], "http://[fd12::1]/", "reached");
    check(&["plant.local"], "http://plant.local/", "reached");
    check(&["plant.local"], "http://PLANT.local./", "reached");
    check(&["plant.local"], "http://sub.plant.local/", "plain");
    check(&["plant.local"], "http://plant.local.example.com/", "plain");
    check(&["8.8.8.8"], "http://8.8.8.8/", "reached");
    check(&["127.0.0.0/8"], "http://localhost:8080/", "reached");
    check(&["::1"], "http://localhost:8080/", "reached");
    check(&["10.0.0.0/8"], "http://localhost:8080/", "plain");
    check(&["127.0.0.0/8"], "http://127.0.0.1:8080/", "reached");
}

#[test]
fn metadata_services_are_never_allowed() {
    let everything = [
        "0.0.0.0/0",
        "::/0",
        "169.254.169.254/31",
        "100.64.0.0/10",
        "fd00:ec2::/32",
    ];
    for url in [
        "http://169.254.169.254/latest/meta-data",
        "http://100.100.100.200/",
        "http://[fd00:ec2::254]/",
        "http://[::ffff:a9fe:a9fe]/",
        "http://[64:ff9b::a9fe:a9fe]/",
    ] {
        check(&everything, url, "metadata");
    }
    check(&["169.254.0.0/16"], "http://169.254.1.1/", "reached");
}

#[test]
fn refusals_tell_what_to_do_and_no_credentials() {
    let policy = Policy::strict();
    let told = |url: &str| {
        policy
            .check_url(&url.parse().unwrap())
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        told("https://10.0.0.1/?key=s3cr3t"),
        "10.0.0.1 is a private network; to reach it, put it into the list of allowed addresses"
    );
    assert_eq!(
        told("http://cmms.example.com/?key=s3cr3t"),
        "cmms.example.com must be reached by https://; plain http needs the host in the list of allowed addresses"
    );
    assert!(!told("https://user:s3cr3t@example.com/").contains("s3cr3t"));
}
