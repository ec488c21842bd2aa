#!/usr/bin/env python3
"""Lets the reference implementation of Standard Webhooks judge what the service delivers.

Usage: standard_webhooks.py SERVICE_BINARY

Needs `python3 -m pip install standardwebhooks`, and nothing else outside the standard library.
"""

import base64
import http.server
import json
import os
import pathlib
import queue
import sys
import tempfile
import threading
import time

from standardwebhooks import Webhook, WebhookVerificationError

from support.exports import SYSTEM, settings, write
from support.service import PATIENCE, Failed, Service, tell

EXPORTS = {
    "units.csv": [{"RecordNumber": "1", "Unit": "PUMP-1", "Description": "Kühlwasserpumpe", "Status": "Active"}],
    "work_orders.csv": [
        {"RecordNumber": "7", "Number": "WO-7", "Unit": "PUMP-1", "Description": "Seal leaks \"badly\" – 3 l/h"}
    ],
    "vendors.csv": [{"RecordNumber": "3", "Name": "Bearings & Belts, Inc."}],
}


class Receiver:
    """Keeps what is posted: headers and the exact bytes."""

    def __init__(self):
        self.messages = queue.Queue()
        messages = self.messages

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                messages.put((dict(self.headers.items()), body))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/webhooks"

    def wanted(self, kinds):
        """Waits for a message of each kind and returns them by kind."""
        found = {}
        deadline = time.monotonic() + PATIENCE
        while len(found) < len(kinds):
            try:
                message = self.messages.get(timeout=max(0.1, deadline - time.monotonic()))
            except queue.Empty:
                missing = sorted(kinds - found.keys())
                raise Failed(f"within {PATIENCE} seconds there came no {', '.join(missing)}") from None
            kind = json.loads(message[1])["type"]
            if kind in kinds:
                found[kind] = message
        return found


def accepted(webhook, headers, body):
    try:
        webhook.verify(body, headers)
        return True
    except WebhookVerificationError:
        return False


def other_byte(text, at):
    changed = bytearray(text)
    changed[at] ^= 1
    return bytes(changed)


def checks(kind, secret, headers, body):
    """Yields what is claimed of one delivered message, and whether the judge agrees."""
    webhook = Webhook(secret)
    headers = {name.lower(): value for name, value in headers.items()}
    with_header = lambda name, value: {**headers, name: value}
    yield f"{kind}: is verified", accepted(webhook, headers, body)
    yield f"{kind}: webhook-id is the body's id", headers["webhook-id"] == json.loads(body)["id"]
    refused = [accepted(webhook, headers, other_byte(body, at)) for at in range(len(body))]
    yield f"{kind}: any changed byte of the body is refused", not any(refused)
    yield f"{kind}: a shorter body is refused", not accepted(webhook, headers, body[:-1])
    identity = other_byte(headers["webhook-id"].encode(), -1).decode()
    yield f"{kind}: a changed id is refused", not accepted(webhook, with_header("webhook-id", identity), body)
    stamp = str(int(headers["webhook-timestamp"]) - 1)
    yield f"{kind}: a changed timestamp is refused", not accepted(webhook, with_header("webhook-timestamp", stamp), body)
    version, signature = headers["webhook-signature"].split(",", 1)
    signature = base64.b64encode(other_byte(base64.b64decode(signature), 0)).decode()
    forged = with_header("webhook-signature", f"{version},{signature}")
    yield f"{kind}: a changed signature is refused", not accepted(webhook, forged, body)
    other = Webhook("whsec_" + base64.b64encode(os.urandom(32)).decode())
    yield f"{kind}: another secret refuses it", not accepted(other, headers, body)


def judge(binary):
    receiver = Receiver()
    with tempfile.TemporaryDirectory(prefix="wrenchtime-judge-") as name:
        folder = pathlib.Path(name)
        exports = folder / "exports"
        write(exports, EXPORTS)
        service = Service(binary, folder)
        try:
            endpoint = service.post("/v1/webhook-endpoints", {"url": receiver.url, "include_initial": True})
            connect = {"system": SYSTEM, "settings": settings(exports), "schedule_seconds": 0}
            service.post("/v1/connections", connect)
            messages = receiver.wanted({"record.created", "sync.completed"})
        finally:
            service.stop()
            receiver.server.shutdown()
    for kind, (headers, body) in sorted(messages.items()):
        yield from checks(kind, endpoint["secret"], headers, body)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    tell("standardwebhooks", judge(sys.argv[1]))


if __name__ == "__main__":
    main()
