#!/usr/bin/env python3
"""Loads the records of one connection into a warehouse with dlt: all of them once, from then on what changed.

    python3 -m pip install 'dlt[duckdb]'
    WRENCHTIME_TOKEN=wtc_... python3 wrenchtime_dlt.py work_orders assets
"""

import argparse
import os

import dlt
from dlt.sources.helpers import requests
from dlt.sources.rest_api import rest_api_source

# Lists stand in the order of change only when they are asked for by time. So the first load asks by time as well.
BEGINNING = "1970-01-01T00:00:00.000000Z"

TYPES = {"string": "text", "integer": "bigint", "boolean": "bool"}
FORMATS = {"date-time": "timestamp", "date": "date"}


def types_of(schema, definitions):
    """Returns the JSON types that a value may have, `null` aside."""
    if "$ref" in schema:
        return types_of(definitions[schema["$ref"].rsplit("/", 1)[-1]], definitions)
    types = schema.get("type", [])
    found = {types} if isinstance(types, str) else set(types)
    for part in schema.get("anyOf", []) + schema.get("oneOf", []):
        found |= types_of(part, definitions)
    return found - {"null"}


def columns(schema):
    """Returns a column for each member that the resource's JSON Schema declares, so that dlt has nothing to guess."""
    found = {}
    for name, member in schema["properties"].items():
        types = types_of(member, schema.get("$defs", {}))
        if types:
            plain = TYPES.get(types.pop(), "json") if len(types) == 1 else "json"
            found[name] = {"data_type": FORMATS.get(member.get("format"), plain)}
    # A record that changes while a list is read comes twice: its last state counts. One that is gone is removed.
    found["sequence"]["dedup_sort"] = "desc"
    found["deleted"]["hard_delete"] = True
    return found


def configuration(url, token, resources, limit=500):
    """Returns what dlt's REST source takes. Resources are named as their tables: `work_orders`, `assets`."""

    def resource(name):
        path = f"{url}/v1/schemas/{name.removesuffix('s')}"
        schema = requests.get(path, headers={"authorization": f"Bearer {token}"}).json()
        return {"name": name, "endpoint": {"path": name.replace("_", "-")}, "columns": columns(schema)}

    return {
        "client": {
            "base_url": f"{url}/v1/",
            "auth": {"type": "bearer", "token": token},
            "paginator": {"type": "cursor", "cursor_path": "next", "cursor_param": "cursor"},
        },
        "resource_defaults": {
            "primary_key": "id",
            "write_disposition": "merge",
            "max_table_nesting": 0,
            "endpoint": {
                "data_selector": "data",
                "params": {"limit": limit},
                "incremental": {
                    "cursor_path": "modified_at",
                    "start_param": "modified_after",
                    "initial_value": BEGINNING,
                },
            },
        },
        "resources": [resource(name) for name in resources],
    }


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("resources", nargs="+", metavar="RESOURCE", help="work_orders, assets, locations, ...")
    arguments.add_argument("--url", default="http://127.0.0.1:8321", help="where the service answers")
    arguments.add_argument("--pipeline", default="wrenchtime", help="what dlt keeps its cursors under")
    arguments.add_argument("--destination", default="duckdb", help="where dlt loads to")
    arguments.add_argument("--dataset", default="maintenance", help="the schema that holds the tables")
    given = arguments.parse_args()
    pipeline = dlt.pipeline(given.pipeline, destination=given.destination, dataset_name=given.dataset)
    token = os.environ["WRENCHTIME_TOKEN"]
    print(pipeline.run(rest_api_source(configuration(given.url, token, given.resources), name="wrenchtime")))


if __name__ == "__main__":
    main()
