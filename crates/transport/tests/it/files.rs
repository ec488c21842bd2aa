//! Files stay inside the roots, and what is wrong is told so that it can be put right.

use std::fs;
use std::io::Read;
use std::path::Path;

use tempfile::TempDir;
use wrenchtime_connector::{Error, ErrorKind};
use wrenchtime_transport::{BuildError, Files, Folder, Runtime, RuntimeOptions};

use crate::secrets::listen;
use crate::support::World;

/// A root with a folder `exports`, beside a folder that is nobody's business.
struct Disk {
    all: TempDir,
    files: Files,
}

impl Disk {
    fn new() -> Self {
        let all = TempDir::new().unwrap();
        let at = |path: &str| all.path().join(path);
        fs::create_dir_all(at("root/exports/deeper")).unwrap();
        fs::create_dir_all(at("root-two/exports2")).unwrap();
        fs::create_dir(at("outside")).unwrap();
        fs::write(at("outside/secret.csv"), "secret").unwrap();
        fs::write(at("root/exports/units.csv"), "No;Name\n1;Pump\n").unwrap();
        fs::write(at("root/exports/a.csv"), "").unwrap();
        let world =
            World::with(|options| options.folders = vec![at("root"), at("root-two"), at("gone")]);
        Self {
            files: world.runtime.files().clone(),
            all,
        }
    }

    fn path(&self, path: &str) -> String {
        self.all.path().join(path).to_str().unwrap().to_owned()
    }

    fn exports(&self) -> Folder {
        self.files.folder(&self.path("root/exports")).unwrap()
    }

    #[cfg(unix)]
    fn link(&self, target: &str, name: &str) {
        std::os::unix::fs::symlink(self.path(target), self.path(name)).unwrap();
    }
}

#[track_caller]
fn expect(error: &Error, kind: ErrorKind, words: &str) {
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.message().contains(words), "`{error}` lacks `{words}`");
}

#[test]
fn a_folder_is_found_by_each_of_its_names() {
    let disk = Disk::new();
    for path in [
        disk.path("root/exports"),
        disk.path("root/./exports/"),
        format!(" {} ", disk.path("root/exports")),
    ] {
        assert_eq!(
            disk.files.folder(&path).unwrap().list().unwrap().len(),
            2,
            "{path}"
        );
    }
    let other = disk.path("root-two/exports2");
    assert_eq!(disk.files.folder(&other).unwrap().path(), other);
}

#[test]
fn a_part_of_a_path_is_refused() {
    let disk = Disk::new();
    // Each would be found if roots were tried in turn: whose folder it is would depend on which shares are there.
    for path in ["exports", "./exports", "exports2", ".", "root/exports"] {
        expect(
            &disk.files.folder(path).unwrap_err(),
            ErrorKind::Invalid,
            "must be given with its whole path",
        );
    }
}

#[test]
fn files_are_listed_and_read() {
    let disk = Disk::new();
    let folder = disk.exports();
    let list = folder.list().unwrap();
    let names: Vec<(&str, u64)> = list
        .iter()
        .map(|entry| (entry.name.as_str(), entry.len))
        .collect();
    assert_eq!(names, [("a.csv", 0), ("units.csv", 15)]);
    assert!(list[0].modified.is_some());
    assert_eq!(folder.metadata("units.csv").unwrap(), list[1]);
    let mut text = String::new();
    folder
        .open("units.csv")
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    assert_eq!(text, "No;Name\n1;Pump\n");
}

#[test]
fn folders_outside_the_roots_are_refused() {
    let disk = Disk::new();
    let outside = [
        disk.path("outside"),
        disk.path("root-three"),
        disk.path("roo"),
        "/etc".to_owned(),
        "/".to_owned(),
        "/does/not/exist".to_owned(),
    ];
    for path in outside {
        expect(
            &disk.files.folder(&path).unwrap_err(),
            ErrorKind::Invalid,
            "add their folder to the allowed folders",
        );
    }
    for path in [
        &disk.path("root/.."),
        &disk.path("root/exports/../exports"),
        &disk.path("root/../outside"),
    ] {
        expect(
            &disk.files.folder(path).unwrap_err(),
            ErrorKind::Invalid,
            "must be written without `..`",
        );
    }
    expect(
        &disk.files.folder("  ").unwrap_err(),
        ErrorKind::Invalid,
        "no folder is given",
    );
}

#[test]
fn without_roots_nothing_can_be_read() {
    let world = World::new();
    let error = world.runtime.files().folder("/tmp").unwrap_err();
    expect(
        &error,
        ErrorKind::Invalid,
        "add one to the allowed folders in the configuration",
    );
}

#[test]
fn what_is_missing_is_told_with_what_to_do() {
    let disk = Disk::new();
    let missing = "does not exist; create it, or correct the path";
    expect(
        &disk.files.folder(&disk.path("gone/nothing")).unwrap_err(),
        ErrorKind::Unavailable,
        "bring back its drive",
    );
    expect(
        &disk.files.folder(&disk.path("root/nothing")).unwrap_err(),
        ErrorKind::Unavailable,
        missing,
    );
    let gone = disk.files.folder(&disk.path("gone/exports")).unwrap_err();
    let away = format!("the allowed folder `{}` does not exist", disk.path("gone"));
    expect(&gone, ErrorKind::Unavailable, &away);
    expect(&gone, ErrorKind::Unavailable, "bring back its drive");
    expect(
        &disk.exports().open("nothing.csv").unwrap_err(),
        ErrorKind::NotFound,
        missing,
    );
    let folder = disk.exports();
    fs::remove_dir_all(disk.path("root/exports")).unwrap();
    expect(&folder.list().unwrap_err(), ErrorKind::Unavailable, missing);
}

#[test]
fn a_root_that_comes_back_is_read_like_any_other() {
    let disk = Disk::new();
    let exports = disk.path("gone/exports");
    assert!(disk.files.folder(&exports).is_err());
    fs::create_dir_all(&exports).unwrap();
    fs::write(disk.path("gone/exports/units.csv"), "No\n").unwrap();
    assert!(
        disk.files
            .folder(&exports)
            .unwrap()
            .open("units.csv")
            .is_ok()
    );
    expect(
        &disk
            .files
            .folder(&disk.path("gone/../outside"))
            .unwrap_err(),
        ErrorKind::Invalid,
        "must be written without `..`",
    );
    // Gone again, and back with nothing in it.
    fs::remove_dir_all(disk.path("gone")).unwrap();
    expect(
        &disk.files.folder(&exports).unwrap_err(),
        ErrorKind::Unavailable,
        "bring back its drive",
    );
    fs::create_dir(disk.path("gone")).unwrap();
    expect(
        &disk.files.folder(&exports).unwrap_err(),
        ErrorKind::Unavailable,
        "does not exist; create it",
    );
}

#[cfg(unix)]
#[test]
fn links_lead_out_of_no_root_that_came_back() {
    let disk = Disk::new();
    fs::create_dir_all(disk.path("gone/exports")).unwrap();
    disk.link("outside/secret.csv", "gone/exports/leak.csv");
    disk.link("outside", "gone/leak");
    let folder = disk.files.folder(&disk.path("gone/exports")).unwrap();
    expect(
        &folder.open("leak.csv").unwrap_err(),
        ErrorKind::Invalid,
        "outside the folders",
    );
    assert!(folder.list().unwrap().is_empty());
    expect(
        &disk.files.folder(&disk.path("gone/leak")).unwrap_err(),
        ErrorKind::Invalid,
        "outside the folders",
    );
}

#[test]
fn roots_that_can_be_no_folders_are_refused() {
    let disk = Disk::new();
    let refused = |folder: &str| {
        let mut options = RuntimeOptions::default();
        options.folders = vec![disk.all.path().join("root"), folder.into()];
        Runtime::new(options).unwrap_err()
    };
    for blank in ["", "  "] {
        let error = refused(blank);
        assert!(matches!(error, BuildError::EmptyFolder), "{error}");
    }
    let file = disk.path("outside/secret.csv");
    let error = refused(&file);
    assert!(matches!(error, BuildError::NotAFolder { .. }), "{error}");
    assert!(error.to_string().contains(&file), "{error}");
    let long = format!("/{}", "x".repeat(300));
    for path in [&format!("{file}/below"), "/nul\0byte", &long] {
        let error = refused(path);
        assert!(matches!(error, BuildError::Folder { .. }), "{error}");
        assert!(error.to_string().contains("`folders`"), "{error}");
    }
}

#[test]
fn a_root_that_is_not_there_is_warned_of_once() {
    let all = TempDir::new().unwrap();
    let gone = all.path().join("gone");
    // Everything is heard from here on, also by a first test.
    World::new();
    let (log, guard) = listen();
    let folders = vec![gone.clone(), all.path().to_owned(), gone.clone()];
    World::with(|options| options.folders = folders);
    drop(guard);
    let told = log.text();
    let lines: Vec<&str> = told
        .lines()
        .filter(|line| line.contains("an allowed folder is not there"))
        .collect();
    let [line] = lines.as_slice() else {
        panic!("{told}");
    };
    assert!(line.contains("WARN"), "{line}");
    assert!(line.contains(gone.to_str().unwrap()), "{line}");
    assert!(line.contains("correct `folders`"), "{line}");
}

#[test]
fn what_is_no_folder_or_no_file_is_told() {
    let disk = Disk::new();
    expect(
        &disk
            .files
            .folder(&disk.path("root/exports/units.csv"))
            .unwrap_err(),
        ErrorKind::Invalid,
        "is not a folder",
    );
    expect(
        &disk
            .files
            .folder(&disk.path("root/exports/units.csv/x"))
            .unwrap_err(),
        ErrorKind::Invalid,
        "not a folder; correct the path",
    );
    expect(
        &disk.exports().open("deeper").unwrap_err(),
        ErrorKind::Invalid,
        "is a folder, not a file",
    );
    expect(
        &disk.exports().metadata("deeper").unwrap_err(),
        ErrorKind::Invalid,
        "is a folder, not a file",
    );
}

#[test]
fn names_with_paths_in_them_are_refused() {
    let disk = Disk::new();
    let absolute = disk.path("root/exports/units.csv");
    for name in [
        "",
        ".",
        "..",
        "../exports/a.csv",
        "deeper/x",
        "./a.csv",
        "a.csv/",
        "a\0",
        "..\\a.csv",
        &absolute,
    ] {
        expect(
            &disk.exports().open(name).unwrap_err(),
            ErrorKind::Invalid,
            "is not the name of a file",
        );
    }
}

#[cfg(unix)]
#[test]
fn links_are_followed_inside_a_root_only() {
    let disk = Disk::new();
    disk.link("root/exports/units.csv", "root/exports/inside.csv");
    disk.link("outside/secret.csv", "root/exports/leak.csv");
    disk.link("root-two", "root/exports/other-root");
    disk.link("nowhere", "root/exports/dangling.csv");
    disk.link("outside", "root/exports/leak");
    disk.link("root/exports", "root/alias");
    let folder = disk.exports();
    assert!(folder.open("inside.csv").is_ok());
    expect(
        &folder.open("leak.csv").unwrap_err(),
        ErrorKind::Invalid,
        "outside the folders",
    );
    expect(
        &folder.open("dangling.csv").unwrap_err(),
        ErrorKind::NotFound,
        "does not exist",
    );
    let names: Vec<String> = folder
        .list()
        .unwrap()
        .into_iter()
        .map(|entry| entry.name)
        .collect();
    assert_eq!(names, ["a.csv", "inside.csv", "units.csv"]);
    expect(
        &disk
            .files
            .folder(&disk.path("root/exports/leak"))
            .unwrap_err(),
        ErrorKind::Invalid,
        "outside the folders",
    );
    expect(
        &disk
            .files
            .folder(&disk.path("root/exports/other-root"))
            .unwrap_err(),
        ErrorKind::Invalid,
        "outside",
    );
    assert!(
        disk.files
            .folder(&disk.path("root/alias"))
            .unwrap()
            .open("units.csv")
            .is_ok()
    );
}

#[cfg(unix)]
#[test]
fn a_file_replaced_by_a_link_after_listing_is_refused() {
    let disk = Disk::new();
    let folder = disk.exports();
    assert_eq!(folder.list().unwrap().len(), 2);
    fs::remove_file(disk.path("root/exports/a.csv")).unwrap();
    disk.link("outside/secret.csv", "root/exports/a.csv");
    expect(
        &folder.open("a.csv").unwrap_err(),
        ErrorKind::Invalid,
        "outside the folders",
    );
    // The same with the folder itself.
    fs::remove_dir_all(disk.path("root/exports")).unwrap();
    disk.link("outside", "root/exports");
    expect(
        &folder.open("secret.csv").unwrap_err(),
        ErrorKind::Invalid,
        "outside the folders",
    );
    assert!(folder.list().unwrap().is_empty());
}

#[cfg(unix)]
#[test]
fn devices_pipes_and_sockets_are_refused() {
    let disk = Disk::new();
    let _socket = std::os::unix::net::UnixListener::bind(disk.path("root/exports/s.csv")).unwrap();
    expect(
        &disk.exports().open("s.csv").unwrap_err(),
        ErrorKind::Invalid,
        "is a device or pipe",
    );
    assert_eq!(disk.exports().list().unwrap().len(), 2);
    // A root that holds devices, for making one needs rights that a test should not have.
    let world = World::with(|options| options.folders = vec![Path::new("/dev").to_owned()]);
    let devices = world.runtime.files().folder("/dev").unwrap();
    for name in ["null", "zero"] {
        expect(
            &devices.open(name).unwrap_err(),
            ErrorKind::Invalid,
            "is a device or pipe",
        );
    }
}
