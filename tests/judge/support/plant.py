"""A plant that changes: what stands in the source, and so the truth."""

import datetime
import decimal
import random
import threading
import zoneinfo

from support import exports

STATUS = {"Active": "active", "Inactive": "inactive", "Down": "inactive", "Retired": "retired", "Mothballed": "unknown"}
CLASSES = {"On Hold": "on_hold", "Cancelled": "cancelled", "Routine": None, "": None}
# What a program that guesses types would take for something else than text, and what it would trip over.
TITLES = ("2031-05-01T08:00:00Z", "0017", "true", "Seal leaks \"badly\"", "Kühlwasser – 3 l/h", "a; b, c", "{\"a\": 1}")
TABLES = ("assets", "work_orders")


class Plant:
    """Units and work orders as rows of exports. Every eighth row of a table is quiet: it never changes."""

    def __init__(self, folder, seed, sizes):
        self.folder = folder
        self.random = random.Random(seed)
        self.rows = {table: {} for table in TABLES}
        self.gone = {table: [] for table in TABLES}
        self.changes = 0
        # Whoever changes the plant and writes it does both under this lock.
        self.lock = threading.RLock()
        for table in TABLES:
            for _ in range(sizes[table]):
                self.add(table)
        self.write()

    def write(self):
        """Exports everything; each file is replaced whole."""
        with self.lock:
            files = {"units.csv": "assets", "work_orders.csv": "work_orders"}
            exports.write(self.folder, {name: list(self.rows[table].values()) for name, table in files.items()})

    def add(self, table, key=None):
        """Adds a row, under a key of its own unless one is given."""
        if key is None:
            key = str(1 + len(self.rows[table]) + len(self.gone[table]))
        row = {"RecordNumber": key}
        if table == "assets":
            row |= {"Unit": f"U-{key}", "Manufacturer": "Nordwerk", "InstalledOn": "2019-03-31"}
        else:
            row |= {"Number": f"WO-{key}", "CreatedOn": "2031-01-02 03:04:00"}
        self.rows[table][key] = row
        self.edit(table, key)
        return key

    def edit(self, table, key):
        """Changes a row so that no earlier state equals it."""
        self.changes += 1
        draw, row = self.random, self.rows[table][key]
        text = f"{draw.choice(TITLES)} {self.changes}"
        if table == "assets":
            row |= {"Description": text, "SerialNumber": str(self.changes), "Status": draw.choice(list(STATUS))}
            return
        units = list(self.rows["assets"].values())
        done = datetime.datetime(2031, 2, 3) + datetime.timedelta(minutes=self.changes)
        row |= {
            # The bare word, too: a column must not take its type from it.
            "Description": draw.choice((text, draw.choice(TITLES))),
            "Notes": f"line one\n{text}",
            "Unit": draw.choice(units)["Unit"] if draw.random() < 0.9 else "none such",
            "Class": draw.choice(list(CLASSES)),
            "StartedDate": draw.choice(("", "2031-02-01 06:00:00")),
            "CompletedDate": draw.choice(("", f"{done:%Y-%m-%d %H:%M:%S}")),
            "Cost": draw.choice(("", f"{self.changes}.50")),
        }

    def remove(self, table, key):
        del self.rows[table][key]
        self.gone[table].append(key)

    def loud(self, table):
        """Returns the keys that may change."""
        return [key for key in self.rows[table] if int(key) % 8]

    def change(self, edits, churn=3):
        """Edits that many rows of each table, removes and adds fewer, and lets one that was removed come back."""
        with self.lock:
            for table in TABLES:
                for key in self.random.sample(self.loud(table), churn):
                    self.remove(table, key)
                for _ in range(churn):
                    self.add(table)
                back = self.gone[table].pop(self.random.randrange(len(self.gone[table])))
                self.add(table, back)
                for key in self.random.sample(self.loud(table), edits):
                    self.edit(table, key)
            self.write()

    def truth(self, table):
        """Returns what each row must look like behind the API, by its key."""
        with self.lock:
            shown = asset if table == "assets" else self.work_order
            return {key: shown(row) for key, row in self.rows[table].items()}

    def work_order(self, row):
        done, begun = row["CompletedDate"], row["StartedDate"]
        by_dates = "completed" if done else "in_progress" if begun else "open"
        names = {unit["Unit"] for unit in self.rows["assets"].values()}
        return {
            "number": row["Number"],
            "title": row["Description"],
            "notes": row["Notes"],
            "status": CLASSES[row["Class"]] or by_dates,
            "source_status": row["Class"] or None,
            "completed_at": instant(done) if done else None,
            "cost": decimal.Decimal(row["Cost"]) if row["Cost"] else None,
            "asset_name": row["Unit"],
            # What the reference leads to.
            "asset": row["Unit"] if row["Unit"] in names else None,
        }


def asset(row):
    return {
        "number": row["Unit"],
        "description": row["Description"],
        "serial_number": row["SerialNumber"],
        "status": STATUS[row["Status"]],
        "source_status": row["Status"],
        "manufacturer": row["Manufacturer"],
        "installed_on": datetime.date.fromisoformat(row["InstalledOn"]),
    }


def instant(local):
    """Reads a local time of the site."""
    naive = datetime.datetime.fromisoformat(local)
    return naive.replace(tzinfo=zoneinfo.ZoneInfo(exports.ZONE)).astimezone(datetime.timezone.utc)
