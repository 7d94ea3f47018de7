"""A web server in a thread that serves one file and misbehaves on request."""

import http.server
import threading
import time


class BadServer(http.server.ThreadingHTTPServer):
    """Serves `content` under any path that `files` lacks; the k-th request meets the k-th fault, later ones none.

    Faults: an HTTP status, ``"truncate"`` (a third of what was promised, then the connection ends), ``"stall"``
    (a third, then silence), ``"die"`` (a third, then no server at all), ``"silence"`` (no answer), ``"wrong byte"``,
    ``"no range"`` (the whole file whatever is asked), ``"no range, truncate"``, ``"wrong range"`` (another range than
    asked), ``"changed"`` (a new version of the file from now on), ``"changed, ignore If-Range"`` (and the part of it
    that is asked for, in spite of the condition), ``"short"`` (another length), ``"web page"``, ``"slow"`` (half a
    second for the whole).
    """

    daemon_threads = True

    def __init__(self, content, faults=(), *, tag=True, date=False, port=0):
        super().__init__(("127.0.0.1", port), _Handler)
        self.content, self.faults, self.tag, self.date = content, list(faults), tag, date
        self.files = {}  # other files by path
        self.asked, self.paths = [], []  # the Range header of each request, None without; and its path
        self.version = 1
        self.over = threading.Event()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/jets.h5"

    def __enter__(self):
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.shutdown()
        self.server_close()

    def handle_error(self, request, client_address):
        """Clients that hang up are part of the game."""


class _Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        server = self.server
        server.asked.append(self.headers.get("Range"))
        server.paths.append(self.path)
        fault = server.faults.pop(0) if server.faults else ""
        if "changed" in str(fault):
            server.version, server.content = server.version + 1, server.content[::-1]
        if fault == "silence":
            server.over.wait(20)
            return
        if isinstance(fault, int):
            self.send_error(fault)
            return
        tag, content = f'"v{server.version}"', server.files.get(self.path, server.content)
        first = self._first(tag, fault)
        if first is not None and first >= len(content):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(content)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        body = content[first or 0 :]
        if fault == "wrong byte":
            middle = len(body) // 2
            body = body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :]
        if fault in ("short", "web page"):
            body = body[:100]
        self._head(first, tag, body, len(content), fault)
        if "truncate" in str(fault) or fault in ("stall", "die"):
            body = body[: len(body) // 3]
        for start in range(0, len(body), 10_000):
            self.wfile.write(body[start : start + 10_000])
            if fault == "slow":
                time.sleep(0.5 * 10_000 / len(body))
        if fault == "die":
            server.shutdown()
            server.socket.close()
        if fault == "stall":
            self.wfile.flush()
            server.over.wait(20)

    def _first(self, tag, fault):
        """The byte from which a range is due, None for the whole file."""
        wanted, condition = self.headers.get("Range"), self.headers.get("If-Range")
        if not wanted or "no range" in str(fault):
            return None
        if condition not in (None, tag, _date(self.server)) and "ignore" not in str(fault):
            return None
        return int(wanted.removeprefix("bytes=").removesuffix("-"))

    def _head(self, first, tag, body, size, fault):
        self.send_response(200 if first is None else 206)
        if first is not None:
            told = first + 7 if fault == "wrong range" else first
            self.send_header("Content-Range", f"bytes {told}-{size - 1}/{size}")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", "text/html" if fault == "web page" else "application/octet-stream")
        if self.server.tag:
            self.send_header("ETag", tag)
        if self.server.date:
            self.send_header("Last-Modified", _date(self.server))
        self.end_headers()


def _date(server):
    return f"Sun, {server.version:02d} Nov 2020 10:00:00 GMT"
