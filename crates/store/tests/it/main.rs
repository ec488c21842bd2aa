//! What stores promise, on every database there is.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests end a test by panicking, and allow-in-tests covers test functions only"
)]

mod backups;
mod connections;
mod fixture;
mod lists;
mod pages;
mod property;
mod quarantine;
mod rows;
mod runs;
mod sqlite;
mod webhooks;

/// Runs every promise on a fixture, each as a test of its own.
#[macro_export]
macro_rules! store_suite {
    ($fixture:ty: $($module:ident { $($name:ident)* })*) => {
        $(mod $module {
            $(
                #[tokio::test]
                async fn $name() {
                    $crate::$module::$name::<$fixture>().await;
                }
            )*
        })*
    };
}
