//! The same on PostgreSQL, and what only a server of its own can do wrong.

#[cfg(target_os = "linux")]
mod outage;

use crate::support::Home;
use crate::{command_line, failpoints, following, killing, stopping};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_sync_that_is_killed_again_and_again_ends_as_an_unbroken_one() {
    killing::kill_a_first_sync(Home::on_postgres().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn later_syncs_that_are_killed_lose_nothing() {
    killing::kill_later_syncs(Home::on_postgres().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_point_it_dies_at_nothing_is_lost_and_nothing_doubled() {
    failpoints::die_at_points(Home::on_postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_polls_with_the_returned_value_misses_nothing() {
    following::follow(Home::on_postgres().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sync_that_was_asked_to_end_goes_on_after_the_next_start() {
    stopping::stop_a_sync(Home::on_postgres().await).await;
}

/// Returns what stands between the user and the host.
fn password(url: &str) -> &str {
    let (_, behind) = url.split_once("://postgres:").unwrap();
    behind.split_once('@').unwrap().0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_open_the_database_and_tell_its_password_to_nobody() {
    let home = Home::on_postgres().await;
    command_line::do_it_without_a_service(&home).await;
    assert!(!home.data().join("wrenchtime.db").exists());
    home.assert_nowhere(password(home.database()));
    let home = Home::on_postgres().await;
    command_line::tell_a_running_service(&home).await;
    home.assert_nowhere(password(home.database()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_does_not_open_is_told_in_a_sentence() {
    let home = Home::on_postgres().await;
    let url = home.database();
    let secret = password(url);
    let cases = [
        (
            url.replace(secret, "canary"),
            "correct the user or the password",
        ),
        (format!("{url}_of_nobody"), "create it or name another one"),
        (
            url.replace("postgres://", "mysql://"),
            "write postgres://USER:PASSWORD@HOST",
        ),
        (
            format!("{url}?pasword=canary"),
            "\"pasword\" that is not known",
        ),
        (
            "postgres://me:canary@127.0.0.1:1/plant".to_owned(),
            "see that PostgreSQL runs there",
        ),
    ];
    for (url, words) in cases {
        for arguments in [&["serve", "--listen", "127.0.0.1:0"][..], &["connections"]] {
            let ended = home
                .wrenchtime(arguments.iter().copied())
                .env("WRENCHTIME_DATABASE", &url)
                .env("WRENCHTIME_LOG", "trace")
                .run()
                .await;
            ended.refused(&[words]);
        }
    }
    home.assert_nowhere("canary");
    home.assert_nowhere(secret);
}
