//! A folder of exports, and connectors to it.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use tempfile::TempDir;
use wrenchtime_connector::{
    Bound, Connector, Context, Cursor, Document, Factory, Items, ManualClock, Next, Page,
    PageRequest, Result, Settings, StreamName,
};
use wrenchtime_express_maintenance::ExpressMaintenanceFactory;
use wrenchtime_transport::{Runtime, RuntimeOptions};

/// The smallest files that fit the default profile.
pub(crate) const FILES: [(&str, &str); 6] = [
    (
        "units.csv",
        "RecordNumber,Unit,Description,Parent,Site,Location,Category,Type,Status,Manufacturer,Model,SerialNumber,InstalledOn,WarrantyEnd\n",
    ),
    (
        "work_orders.csv",
        "RecordNumber,Number,Unit,Site,Location,Company,ScheduledDate,StartedDate,CompletedDate,Reference,Category,Group,Class,CreatedOn,Priority,Source,Requester,WorkGroup,Employee,Description,Notes,LabourHours,Cost\n",
    ),
    (
        "parts.csv",
        "RecordNumber,Numbered,Description,CategoryID,Type,Vendor,VendorID,VendorNumber,Manufacturer,ManufacturerNumber,Units,QuantityOnHand,MinimumOnHand,MaxOnHand,CurrentCost,BillingPrice,Taxable,NotesText,Site,Location,Shelf\n",
    ),
    (
        "vendors.csv",
        "RecordNumber,Name,AddressLine1,City,State,Phone,Email\n",
    ),
    (
        "purchase_orders.csv",
        "Numbered,DateOrdered,Reference,Vendor,VendorReference,DeliverBy,State\n",
    ),
    (
        "purchase_order_lines.csv",
        "Porder,Line,PartRecordNumber,PartNumber,Description,Quantity,UnitPrice,Received\n",
    ),
];

/// A profile that reads vendors alone.
pub(crate) const VENDORS: &str = r#"
format = 1
[entities.vendors]
file = "vendors.csv"
key = ["Id"]
[entities.vendors.columns]
Id = "Id"
Name = "Name"
"#;

pub(crate) struct Exports {
    dir: TempDir,
    factory: ExpressMaintenanceFactory,
}

impl Exports {
    /// Makes an empty folder.
    pub(crate) fn empty() -> Self {
        let dir = TempDir::new().unwrap();
        let noon = "2031-05-01T12:00:00Z".parse().unwrap();
        let mut options = RuntimeOptions::new(Arc::new(ManualClock::new(noon)));
        options.folders = vec![dir.path().to_owned()];
        let factory = ExpressMaintenanceFactory::new(Runtime::new(options).unwrap());
        Self { dir, factory }
    }

    /// Makes a folder with all files of the default profile, with headers and no rows.
    pub(crate) fn headers() -> Self {
        let exports = Self::empty();
        for (name, header) in FILES {
            exports.write(name, header);
        }
        exports
    }

    /// Makes a folder with a file of vendors.
    pub(crate) fn vendors(text: impl AsRef<[u8]>) -> Self {
        let exports = Self::empty();
        exports.write("vendors.csv", text);
        exports
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn factory(&self) -> &ExpressMaintenanceFactory {
        &self.factory
    }

    /// Writes a file in one step, as a careful exporter does.
    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let hidden = self.dir.path().join(format!(".{name}.tmp"));
        fs::write(&hidden, text).unwrap();
        fs::rename(hidden, self.dir.path().join(name)).unwrap();
    }

    /// Lets a file be written so many seconds before the connector's now, or after it.
    pub(crate) fn written(&self, name: &str, seconds_ago: i64) {
        let noon: DateTime<Utc> = "2031-05-01T12:00:00Z".parse().unwrap();
        let at = noon - TimeDelta::seconds(seconds_ago);
        let path = self.dir.path().join(name);
        let file = File::options().write(true).open(path).unwrap();
        file.set_modified(at.into()).unwrap();
    }

    /// Adds rows to a file.
    pub(crate) fn append(&self, name: &str, text: &str) {
        let path = self.dir.path().join(name);
        let before = fs::read_to_string(&path).unwrap();
        self.write(name, before + text);
    }

    pub(crate) fn connect(&self, settings: &[(&str, &str)]) -> Result<Arc<dyn Connector>> {
        let folder = self.dir.path().to_str().unwrap();
        let mut values = vec![("folder", folder)];
        values.retain(|(name, _)| settings.iter().all(|(given, _)| given != name));
        values.extend_from_slice(settings);
        let settings = Settings::new(values);
        self.factory
            .connect(&settings.validated(&self.factory.info().settings).unwrap())
    }

    /// Opens the folder with the default profile in Chicago.
    pub(crate) fn chicago(&self) -> Arc<dyn Connector> {
        self.connect(&[("time_zone", "America/Chicago")]).unwrap()
    }

    /// Opens the folder with [`VENDORS`].
    pub(crate) fn of_vendors(&self) -> Arc<dyn Connector> {
        self.connect(&[("profile", VENDORS)]).unwrap()
    }
}

/// Where a page of a stream begins.
#[derive(Default)]
pub(crate) struct From {
    pub(crate) token: Option<String>,
    pub(crate) cursor: Option<Cursor>,
    pub(crate) limit: Option<u32>,
}

pub(crate) async fn page(connector: &dyn Connector, stream: &str, from: From) -> Result<Page> {
    let request = PageRequest::new(StreamName::new(stream))
        .with_from(from.token.map(Bound::Token))
        .with_cursor(from.cursor)
        .with_limit(from.limit);
    connector.read_page(&Context::new("test"), request).await
}

/// Reads a stream that has one page.
pub(crate) async fn all(connector: &dyn Connector, stream: &str) -> Page {
    let page = page(connector, stream, From::default()).await.unwrap();
    assert!(matches!(page.next, Next::End { .. }), "{:?}", page.next);
    page
}

pub(crate) fn documents(page: &Page) -> &[Document] {
    match &page.items {
        Items::Documents(documents) => documents,
        Items::Stubs(_) => &[],
    }
}

pub(crate) fn bodies(page: &Page) -> Vec<Value> {
    let body = |document: &Document| serde_json::from_str(document.body.get()).unwrap();
    documents(page).iter().map(body).collect()
}

pub(crate) fn keys(page: &Page) -> Vec<&str> {
    documents(page)
        .iter()
        .map(|document| document.key.as_str())
        .collect()
}

/// Returns place and reason of each row that could not be read.
pub(crate) fn issues(page: &Page) -> Vec<(&str, &str)> {
    page.issues
        .iter()
        .map(|issue| (issue.place.as_str(), issue.reason.as_str()))
        .collect()
}

/// Returns the cursor of a page that is not the last.
pub(crate) fn cursor(page: &Page) -> Cursor {
    match &page.next {
        Next::Page(cursor) => Some(cursor.clone()),
        Next::End { .. } | Next::Unchanged => None,
    }
    .unwrap()
}

/// Returns the token of the last page.
pub(crate) fn token(page: &Page) -> String {
    match &page.next {
        Next::End { token } => token.clone(),
        Next::Page(_) | Next::Unchanged => None,
    }
    .unwrap()
}
