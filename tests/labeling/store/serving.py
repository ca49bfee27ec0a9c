"""
A label service behind HTTP, in a process of its own that can be killed: `python serving.py URL PORT`.

POST /vote with the arguments as JSON gives the answer as JSON. As behind the page, whose a name is is read first; what
else the page adds is tested with the page.
"""

import json
import sys
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from rarecase.labeling.store.events import EventLog
from rarecase.labeling.store.service import LabelService


class Handler(BaseHTTPRequestHandler):
    """One call of the service."""

    protocol_version = "HTTP/1.1"  # connections stay open, as a browser's do
    disable_nagle_algorithm = True
    wbufsize = -1  # an answer is sent at once
    service: LabelService

    def do_POST(self) -> None:
        said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self.service.browsers_of(said["person"]):
            self.service.bind(said["person"], "browser")
        body = json.dumps(asdict(getattr(self.service, self.path[1:])(**said))).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


class Server(ThreadingHTTPServer):
    """For more clients at once than five."""

    request_queue_size = 128
    daemon_threads = True


def main() -> None:
    service = Handler.service = LabelService(EventLog(sys.argv[1]))
    with service.state() as state:
        settings = state.settings
    service.start(settings)
    with Server(("127.0.0.1", int(sys.argv[2])), Handler) as server:
        server.serve_forever()


if __name__ == "__main__":
    main()
