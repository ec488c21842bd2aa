#!/usr/bin/env python3
"""Lets dlt follow our lists by a cursor of its own while the source changes, and compares what it has with the source.

Usage: dlt_follows.py SERVICE_BINARY

Needs `python3 -m pip install 'dlt[duckdb]'`. What dlt is given is the example for users, unchanged. Beside it there are
pipelines with mistakes, and each must be found out: a judge that no mistake can fail says nothing.
"""

import collections
import concurrent.futures
import copy
import datetime
import decimal
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import threading

from support import exports
from support.between import Between
from support.plant import TABLES, Plant
from support.service import Failed, Service, tell

EXAMPLE = pathlib.Path(__file__).resolve().parents[2] / "examples/load-with-dlt"
SIZES = {"assets": 170, "work_orders": 260}
LIMIT = 40
# Loads while the source changes. Before one of them another breaks off, before one all that dlt keeps is lost.
ROUNDS = 8
BROKEN = 3
LOST = 5

# Mistakes of pipelines.
WITHOUT = "begins without a value"
AHEAD = "runs ahead an hour"
HEEDLESS = "does not heed what is gone"
ROUNDING = "rounds up to seconds"
MISTAKES = (WITHOUT, AHEAD, HEEDLESS, ROUNDING)

HOME = tempfile.TemporaryDirectory(prefix="wrenchtime-judge-")
FOLDER = pathlib.Path(HOME.name)
# Read when dlt is loaded. Nothing of it is kept, and nothing is told to anybody.
os.environ |= {
    "HOME": HOME.name,
    "DLT_DATA_DIR": str(FOLDER / "dlt"),
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "RUNTIME__LOG_LEVEL": "CRITICAL",
}
for variable in ("http_proxy", "https_proxy", "all_proxy"):
    os.environ.pop(variable, None)
    os.environ.pop(variable.upper(), None)
os.chdir(FOLDER)
sys.path.insert(0, str(EXAMPLE))

import dlt  # noqa: E402
from dlt.pipeline.exceptions import PipelineStepFailed  # noqa: E402
from dlt.sources.rest_api import rest_api_source  # noqa: E402

import wrenchtime_dlt  # noqa: E402

QUERIES = {
    "assets": "SELECT * FROM assets",
    "work_orders": "SELECT w.*, a.number AS asset_number, w.cost->>'amount' AS amount "
    "FROM work_orders w LEFT JOIN assets a ON a.id = w.asset->>'id'",
}


def keep_inside():
    """Lets this process connect to the loopback only, and returns where else it wanted to go."""
    outside = []
    connect, find = socket.socket.connect, socket.getaddrinfo

    def guarded(self, address):
        if self.family != socket.AF_UNIX and not address[0].startswith("127."):
            outside.append(address)
            raise OSError(f"{address} is outside")
        return connect(self, address)

    def found(host, *rest, **options):
        if host not in ("127.0.0.1", "localhost"):
            outside.append(host)
            raise socket.gaierror(f"{host} is outside")
        return find(host, *rest, **options)

    socket.socket.connect, socket.getaddrinfo = guarded, found
    return outside


class Pipeline:
    """A pipeline of dlt with a database of its own."""

    def __init__(self, name, configuration):
        self.name = name
        self.configuration = configuration

    def open(self):
        return dlt.pipeline(self.name, destination="duckdb", dataset_name="maintenance")

    def load(self):
        self.open().run(rest_api_source(copy.deepcopy(self.configuration), name="wrenchtime"))

    def rows(self, table):
        """Returns what stands in a table, by the source's key."""
        with self.open().sql_client() as client, client.execute_query(QUERIES[table]) as found:
            names = [column[0] for column in found.description]
            rows = [dict(zip(names, row)) for row in found.fetchall()]
        by_key = {row["remote_id"]: row for row in rows}
        if len(by_key) < len(rows):
            raise Failed(f"{self.name}: {table} has a record twice")
        return by_key

    def differences(self, plant):
        """Returns what tells the loaded rows from the source: each wrong row with what it is and what it should be."""
        wrong = {}
        for table in TABLES:
            rows, truth = self.rows(table), plant.truth(table)
            for key in rows.keys() | truth.keys():
                found = shown(table, rows.get(key), truth.get(key))
                if found != truth.get(key):
                    wrong[table, key] = (found, truth.get(key))
        return wrong


def shown(table, row, like):
    """Returns the members of a loaded row that the truth speaks of."""
    if row is None:
        return None
    if table == "work_orders":
        row["asset"] = row["asset_number"]
        row["cost"] = row["amount"] and decimal.Decimal(row["amount"])
    return {name: row[name] for name in like} if like else row


class Trial:
    """The service, the plant that it reads, and what dlt is given to follow it."""

    def __init__(self, binary):
        self.plant = Plant(FOLDER / "exports", 7, SIZES)
        self.service = Service(binary, FOLDER)
        self.between = Between(self.service)
        connect = {"system": exports.SYSTEM, "settings": exports.settings(FOLDER / "exports"), "schedule_seconds": 0}
        made = self.service.post("/v1/connections", connect)
        self.connection, self.token = made["id"], made["token"]
        self.meddled = collections.Counter()
        self.service.idle(self.connection)

    def configuration(self, limit=LIMIT):
        return wrenchtime_dlt.configuration(self.between.url, self.token, TABLES, limit)

    def sync(self):
        self.service.sync(self.connection)

    def meddle(self, path, records):
        """Between two pages changes a record that was on the first, and after it one that was not."""
        table = table_of(path)
        plant, seen = self.plant, {record["remote_id"] for record in records}
        for side in (lambda key: key in seen, lambda key: key not in seen):
            with plant.lock:
                first, second, *_ = [key for key in plant.loud(table) if side(key)] + [None] * 2
                if second is None:
                    continue
                plant.edit(table, first)
                plant.remove(table, second)
                plant.write()
            self.sync()
            self.meddled[table] += 1

    def unrest(self, until):
        """Changes the source and asks for syncs, without waiting for any, until it is told to end."""
        # Few enough that what one sync misses is believed.
        for _ in range(8):
            if until.wait(0.05):
                return
            self.plant.change(2, churn=1)
            self.service.post(f"/v1/connections/{self.connection}/syncs", {})
            self.meddled["at any time"] += 1

    def load_in_unrest(self, pipeline):
        until = threading.Event()
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            unrest = pool.submit(self.unrest, until)
            try:
                pipeline.load()
            finally:
                until.set()
                unrest.result()

    def load_while_meddled_with(self, pipeline):
        self.between.meddle = self.meddle
        try:
            pipeline.load()
        finally:
            self.between.meddle = None

    def stop(self):
        self.between.stop()
        self.service.stop()


def table_of(path):
    return path.rsplit("/", 1)[-1].replace("-", "_")


def mistaken(configuration, mistake):
    """Returns a configuration with a mistake in it."""
    defaults = configuration["resource_defaults"]
    incremental = defaults["endpoint"]["incremental"]
    if mistake == WITHOUT:
        del incremental["initial_value"]
    elif mistake == AHEAD:
        incremental["convert"] = lambda value: moved(value, hours=1)
    elif mistake == ROUNDING:
        incremental["convert"] = lambda value: moved(f"{value[:19]}Z", seconds=1)
    elif mistake == HEEDLESS:
        for resource in configuration["resources"]:
            del resource["columns"]["deleted"]["hard_delete"]
    return configuration


def one_page(configuration):
    """Lets a load ask for a single page: the cursor of dlt is all that leads on."""
    configuration["client"]["paginator"] = "single_page"
    return configuration


def moved(text, **by):
    """Returns a later instant than this one."""
    later = datetime.datetime.fromisoformat(text) + datetime.timedelta(**by)
    return f"{later:%Y-%m-%dT%H:%M:%S.%fZ}"


def follow(trial, pipeline):
    """Loads again and again while the source changes, and yields what is claimed of single loads."""
    for number in range(ROUNDS):
        if number:
            trial.plant.change(100)
            trial.sync()
        if number == BROKEN:
            trial.between.refused = 2
            yield "a load whose second page is refused fails", not loads(pipeline) and trial.between.refused is None
        if number == LOST:
            # What a machine that was made a minute ago begins with.
            shutil.rmtree(FOLDER / "dlt")
        trial.between.lists.clear()
        if number % 2:
            trial.load_in_unrest(pipeline)
        else:
            trial.load_while_meddled_with(pipeline)
        for path, pages in trial.between.newest():
            yield f"load {number} of {path} has more than two pages: {pages}", len(pages) > 2
            if number:
                everything = len(trial.plant.rows[table_of(path)])
                yield f"load {number} of {path} takes less than all {everything}: {pages}", sum(pages) < everything


def loads(pipeline):
    try:
        pipeline.load()
    except PipelineStepFailed:
        return False
    return True


def judge(trial):
    good = Pipeline("wrenchtime", trial.configuration())
    wrong = {mistake: Pipeline(mistake.replace(" ", "_"), mistaken(trial.configuration(), mistake)) for mistake in MISTAKES}
    # Two pages hold all records, the last of the first one twice.
    half = SIZES["work_orders"] // 2 + 1
    paged = Pipeline("page_by_page", one_page(trial.configuration(half)))
    wrong[ROUNDING].configuration = one_page(mistaken(trial.configuration(half), ROUNDING))

    # The first sync wrote all records within one batch, a microsecond apart.
    for pipeline in (paged, wrong[ROUNDING]):
        for _ in range(2):
            pipeline.load()
    yield "a cursor that stops amid a batch goes on there", not paged.differences(trial.plant)
    yield from follow(trial, good)

    for mistake in (AHEAD, HEEDLESS):
        wrong[mistake].load()
    trial.plant.change(100)
    trial.sync()
    # From here on nothing changes but this, so that nothing sets it right again.
    trial.load_while_meddled_with(wrong[WITHOUT])

    by_command(trial)
    trial.between.lists.clear()
    good.load()
    for path, pages in trial.between.newest():
        yield f"{path}: without a change there comes the last record once more: {pages}", pages == [1]
    yield from ended(trial, good)

    paged.configuration = one_page(trial.configuration(500))
    wrong[ROUNDING].configuration = one_page(mistaken(trial.configuration(500), ROUNDING))
    for pipeline in (paged, *wrong.values()):
        pipeline.load()
    yield "a load for each page ends equal to the source", not paged.differences(trial.plant)
    for mistake, pipeline in wrong.items():
        rows = len(pipeline.differences(trial.plant))
        print(f"a pipeline that {mistake} has {rows} wrong rows")
        yield f"a pipeline that {mistake} is found out", rows > 0


def by_command(trial):
    """Loads once more by the example's own command."""
    command = [sys.executable, str(EXAMPLE / "wrenchtime_dlt.py"), "--url", trial.between.url, *TABLES]
    done = subprocess.run(command, env=os.environ | {"WRENCHTIME_TOKEN": trial.token}, capture_output=True, text=True)
    if done.returncode:
        raise Failed(f"the example ended with {done.returncode}: {done.stderr[-2000:]}")


def ended(trial, pipeline):
    """Yields what is claimed of the pipeline that follows without a mistake, at its end."""
    wrong = pipeline.differences(trial.plant)
    for (table, key), (found, wanted) in sorted(wrong.items())[:5]:
        print(f"{table} {key} is {found} and not {wanted}")
    yield "what was loaded equals the source", not wrong
    for table in TABLES:
        rows, truth = pipeline.rows(table), trial.plant.truth(table)
        path = f"/v1/connections/{trial.connection}/{table.replace('_', '-')}"
        listed = {row["id"]: row["sequence"] for row in trial.service.all(path)}
        yield f"{table}: there are as many rows as in the source", len(rows) == len(truth) > SIZES[table] / 2
        yield f"{table}: each is the last state that is listed", {
            row["id"]: row["sequence"] for row in rows.values()
        } == listed
        other = [name for row in rows.values() for name in row if "__v_" in name]
        yield f"{table}: every value has the type that the schema says", not other
        print(f"{table}: {len(rows)} rows, {len(trial.plant.gone[table])} gone, meddled with {trial.meddled[table]} times")
    print(f"{trial.plant.changes} changes, {trial.meddled['at any time']} rounds of them at any time")
    runs = trial.service.all(f"/v1/connections/{trial.connection}/syncs")
    outcomes = collections.Counter(run["outcome"] for run in runs)
    yield f"every sync was complete: {dict(outcomes)}", outcomes.keys() == {"complete"}


def claims(binary):
    outside = keep_inside()
    trial = Trial(binary)
    try:
        yield from judge(trial)
    finally:
        trial.stop()
    yield f"nothing outside of this machine was asked for: {outside}", not outside


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    tell("dlt", claims(sys.argv[1]))


if __name__ == "__main__":
    main()
