"""Stands between a client and the service, and lets something happen between two pages of a list."""

import collections
import http.server
import json
import threading
import urllib.error
import urllib.parse
import urllib.request

from support.service import PATIENCE, Failed


class Between:
    """Hands on what is asked and answered. What it is told to do happens once a page is there and before it is given."""

    def __init__(self, service):
        self.service = service
        # Of each path the lists that were asked for, each as the sizes of its pages.
        self.lists = collections.defaultdict(list)
        # Called with the path and the records of a first page that has a next one.
        self.meddle = None
        # The page, counted from 1, that is refused in the first list that has one.
        self.refused = None
        between = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                status, kind, body = between.answer(self.path, self.headers["authorization"])
                self.send_response(status)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def answer(self, path, key):
        request = urllib.request.Request(self.service.url + path, headers={"authorization": key or ""})
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as reply:
                status, kind, body = reply.status, reply.headers["content-type"], reply.read()
        except urllib.error.HTTPError as problem:
            return problem.code, problem.headers["content-type"], problem.read()
        page = json.loads(body)
        if "next" not in page:
            return status, kind, body
        return self.turn(path, page) or (status, kind, body)

    def turn(self, path, page):
        """Takes note of a page, and lets happen what is to happen now."""
        parts = urllib.parse.urlsplit(path)
        query = urllib.parse.parse_qs(parts.query)
        pages = self.lists[parts.path]
        if "cursor" not in query:
            pages.append([])
        pages[-1].append(len(page["data"]))
        if len(pages[-1]) == self.refused:
            self.refused = None
            return 400, "application/json", b"{}"
        if self.meddle and "cursor" not in query and page["next"]:
            try:
                self.meddle(parts.path, page["data"])
            except Failed as reason:
                return 400, "text/plain", str(reason).encode()
        return None

    def newest(self):
        """Returns the last list of each path: how many records each of its pages had."""
        return sorted((path, lists[-1]) for path, lists in self.lists.items())

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
