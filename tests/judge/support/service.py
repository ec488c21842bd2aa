"""The service under judgement, and how a judge's verdict is told."""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request

# The database of the service; none is a file of its own.
DATABASE = os.environ.get("WRENCHTIME_JUDGE_DATABASE")
# Seconds after which what should come is taken for lost.
PATIENCE = 60


class Failed(Exception):
    """A promise does not hold."""


class Service:
    """The service, in a directory of its own."""

    def __init__(self, binary, folder):
        environment = {
            "WRENCHTIME_DATA_DIR": str(folder / "data"),
            "WRENCHTIME_LISTEN": "127.0.0.1:0",
            "WRENCHTIME_ALLOW": "127.0.0.0/8",
            "WRENCHTIME_FOLDERS": str(folder),
        }
        if DATABASE:
            environment["WRENCHTIME_DATABASE"] = DATABASE
        self.log = folder / "serve.log"
        self.process = subprocess.Popen(
            [binary, "serve", "--json"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self.log.open("w"),
            text=True,
        )
        line = self.process.stdout.readline()
        if not line:
            raise Failed(f"the service did not start: {self.log.read_text()}")
        self.url = json.loads(line)["url"]
        self.key = json.loads((folder / "data" / "service.json").read_text())["key"]

    def get(self, path):
        return self._call("GET", path, None)

    def post(self, path, body):
        return self._call("POST", path, json.dumps(body).encode())

    def _call(self, method, path, body):
        headers = {"authorization": f"Bearer {self.key}", "content-type": "application/json"}
        request = urllib.request.Request(self.url + path, data=body, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as reply:
                return json.load(reply)
        except urllib.error.HTTPError as refused:
            raise Failed(f"{method} {path}: {refused.code} {refused.read().decode()}") from None

    def all(self, path):
        """Returns every row of a list."""
        rows, page = [], self.get(f"{path}?limit=500")
        while True:
            rows += page["data"]
            if page["next"] is None:
                return rows
            page = self.get(f"{path}?limit=500&cursor={page['next']}")

    def idle(self, connection, after=None):
        """Waits until the connection's newest run, which is another than `after`, has ended, and returns it."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            runs = self.get(f"/v1/connections/{connection}/syncs?limit=1")["data"]
            if runs and runs[0]["id"] != after and runs[0]["finished_at"] is not None:
                return runs[0]
            time.sleep(0.02)
        raise Failed(f"within {PATIENCE} seconds no run came to its end")

    def sync(self, connection):
        """Runs a sync that begins after this call, to its end."""
        before = self.idle(connection)
        self.post(f"/v1/connections/{connection}/syncs", {})
        run = self.idle(connection, before["id"])
        if run["outcome"] != "complete":
            raise Failed(f"a sync was {run['outcome']}: {run['faults']}")

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def tell(judge, claims):
    """Prints what does not hold of these claims, each with whether it does, and how many do; ends the program."""
    passed = failed = 0
    try:
        for claim, holds in claims:
            passed += holds
            failed += not holds
            if not holds:
                print(f"FAILED {claim}")
    except Failed as reason:
        failed += 1
        print(f"FAILED {reason}")
    print(f"judge {judge}: {passed} passed, {failed} failed")
    sys.exit(1 if failed or not passed else 0)
