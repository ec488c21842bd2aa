//! A start that fails locks nobody out.

use std::fs;
use std::path::{Path, PathBuf};

use secrecy::ExposeSecret;
use wrenchtime_host::{Host, HostOptions, StartError};
use wrenchtime_service::Principal;

fn options(data_dir: &Path) -> HostOptions {
    HostOptions::new(data_dir).with_listen("127.0.0.1:0".parse().unwrap())
}

/// Starts with nothing in the way, and sees that the first key is shown until it is kept, and opens the service then.
async fn check_first_start(data_dir: &Path) {
    let host = Host::start(options(data_dir)).await.unwrap();
    let unseen = host.first_key().unwrap().expose_secret().to_owned();
    let principal = host.service().authenticate(&unseen).await.unwrap();
    assert!(
        matches!(principal, Some(Principal::Management(_))),
        "who was shown it need not wait until it is kept"
    );
    host.shutdown().await;
    let host = Host::start(options(data_dir)).await.unwrap();
    assert!(
        host.service()
            .authenticate(&unseen)
            .await
            .unwrap()
            .is_none()
    );
    let key = host.first_key().unwrap().expose_secret();
    assert_ne!(key, unseen);
    host.keep_first_key().await.unwrap();
    let principal = host.service().authenticate(key).await.unwrap();
    assert!(matches!(principal, Some(Principal::Management(_))));
    host.shutdown().await;
    let host = Host::start(options(data_dir)).await.unwrap();
    assert!(host.first_key().is_none(), "the first key is shown once");
    host.shutdown().await;
}

#[tokio::test]
async fn a_bad_folder_leaves_no_trace() {
    let home = tempfile::tempdir().unwrap();
    let data_dir = home.path().join("data");
    let bad = options(&data_dir).with_folders(vec![PathBuf::new()]);
    let error = Host::start(bad).await.unwrap_err();
    assert!(matches!(error, StartError::Runtime(_)), "{error}");
    assert!(!data_dir.exists());
    check_first_start(&data_dir).await;
}

#[tokio::test]
async fn a_missing_key_is_refused_where_something_is_sealed() {
    let home = tempfile::tempdir().unwrap();
    check_first_start(home.path()).await;
    let file = home.path().join("master.key");
    let kept = fs::read(&file).unwrap();
    fs::remove_file(&file).unwrap();
    let error = Host::start(options(home.path())).await.unwrap_err();
    assert!(matches!(error, StartError::NoMasterKey { .. }), "{error}");
    assert!(!file.exists());
    fs::write(&file, kept).unwrap();
    let host = Host::start(options(home.path())).await.unwrap();
    host.shutdown().await;
}

#[tokio::test]
async fn a_start_that_could_not_write_its_key_is_made_again() {
    let home = tempfile::tempdir().unwrap();
    // A directory cannot be replaced by a file, whoever the test runs as.
    let obstacle = home.path().join("master.key.new");
    fs::create_dir_all(obstacle.join("inside")).unwrap();
    let error = Host::start(options(home.path())).await.unwrap_err();
    assert!(matches!(error, StartError::File { .. }), "{error}");
    assert!(home.path().join("wrenchtime.db").exists());
    fs::remove_dir_all(obstacle).unwrap();
    check_first_start(home.path()).await;
}

#[tokio::test]
async fn the_first_key_is_shown_by_the_first_start_that_succeeds() {
    let home = tempfile::tempdir().unwrap();
    let obstacle = home.path().join("service.json");
    fs::create_dir(&obstacle).unwrap();
    for _ in 0..2 {
        let error = Host::start(options(home.path())).await.unwrap_err();
        assert!(error.to_string().contains("service.json"), "{error}");
    }
    fs::remove_dir(obstacle).unwrap();
    check_first_start(home.path()).await;
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_reads_the_secrets() {
    use std::os::unix::fs::PermissionsExt;
    let home = tempfile::tempdir().unwrap();
    check_first_start(home.path()).await;
    for name in ["master.key", "service.json"] {
        let mode = fs::metadata(home.path().join(name))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
        assert!(!home.path().join(format!("{name}.new")).exists());
    }
}
