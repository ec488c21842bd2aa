"""A folder of exports, which is a source that a judge can write himself."""

import csv
import os
import time

UNITS = (
    "RecordNumber Unit Description Parent Site Location Category Type Status Manufacturer Model SerialNumber "
    "InstalledOn WarrantyEnd"
)
WORK_ORDERS = (
    "RecordNumber Number Unit Site Location Company ScheduledDate StartedDate CompletedDate Reference Category Group "
    "Class CreatedOn Priority Source Requester WorkGroup Employee Description Notes LabourHours Cost"
)
PARTS = (
    "RecordNumber Numbered Description CategoryID Type Vendor VendorID VendorNumber Manufacturer ManufacturerNumber "
    "Units QuantityOnHand MinimumOnHand MaxOnHand CurrentCost BillingPrice Taxable NotesText Site Location Shelf"
)
VENDORS = "RecordNumber Name AddressLine1 City State Phone Email"
ORDERS = "Numbered DateOrdered Reference Vendor VendorReference DeliverBy State"
LINES = "Porder Line PartRecordNumber PartNumber Description Quantity UnitPrice Received"

FILES = {
    "units.csv": UNITS,
    "work_orders.csv": WORK_ORDERS,
    "parts.csv": PARTS,
    "vendors.csv": VENDORS,
    "purchase_orders.csv": ORDERS,
    "purchase_order_lines.csv": LINES,
}

SYSTEM = "express-maintenance"
ZONE = "America/Chicago"


def settings(folder):
    """Returns what the service is given to connect the folder."""
    return {"folder": str(folder), "time_zone": ZONE}


def write(folder, tables):
    """Writes these files, and those that are not there yet without rows; each is put into its place whole."""
    folder.mkdir(exist_ok=True)
    for name, header in FILES.items():
        if name in tables or not (folder / name).exists():
            beside = folder / f".{name}"
            with beside.open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, header.split())
                writer.writeheader()
                writer.writerows(tables.get(name, []))
            # Files that were just written are left alone for a while.
            before = time.time() - 60
            os.utime(beside, (before, before))
            beside.replace(folder / name)
