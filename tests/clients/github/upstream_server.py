"""A server on this machine that stands for GitHub, and a repository that follows one of it."""

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class UpstreamHandler(BaseHTTPRequestHandler):
    """Its `answer` answers every method; `server.seen` is for what it was asked."""

    def read_body(self):
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def send(self, status, text, headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_GET(self):
        self.answer()

    do_POST = do_PATCH = do_DELETE = do_GET

    def log_message(self, *_):
        pass


@contextmanager
def upstream_of(project, handler):
    """Serves, while the project follows me/flights there."""
    fake = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    fake.seen = []
    fake.url = f"http://127.0.0.1:{fake.server_port}"
    thread = threading.Thread(target=fake.serve_forever)
    thread.start()
    try:
        server, token = project.server, project.server.admin_token
        server.call("PUT", "/api/v1/repos/project/mirror", {"url": f"{fake.url}/me/flights.git"}, token)
        server.call("PUT", "/api/v1/variables/FORWARD_GITHUB_API", {"value": f"{fake.url}/api/v3"}, token)
        yield fake
    finally:
        fake.shutdown()
        thread.join()
        fake.server_close()
