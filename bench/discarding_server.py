"""A stand-in for the artifact service that keeps nothing: what the npm client takes with it is the client's own share of an
upload or download (reading, packing, hashing, sending), the least that any server can come to."""

import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PIECE = 1 << 20


class Discarding:
    """While the `with` lasts. Downloads give `zip_file`."""

    def __init__(self, zip_file: Path | None = None):
        self.zip_file = zip_file
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def answer_to(self, method: str, asked: dict) -> dict:
        if method == "CreateArtifact":
            return {"ok": True, "signed_upload_url": f"{self.url}/bytes/of/one?sig=none"}
        if method == "FinalizeArtifact":
            return {"ok": True, "artifact_id": "1"}
        if method == "ListArtifacts":
            ids = dict(zip(("workflow_run_backend_id", "workflow_job_run_backend_id"), ("1", "1")))
            return {"artifacts": [{**ids, "database_id": "1", "name": "data", "size": "1",
                                   "created_at": "2026-01-01T00:00:00Z"}]}
        if method == "GetSignedArtifactURL":
            return {"name": asked.get("name", "data"), "signed_url": f"{self.url}/bytes/of/one?sig=none"}
        return {}

    def handler(self):
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def drop_body(self) -> bytes:
                """Reads what was sent, and keeps it only if it is small."""
                left, buffer, kept = int(self.headers.get("Content-Length", 0)), memoryview(bytearray(PIECE)), b""
                while left > 0:
                    got = self.rfile.readinto(buffer[:min(left, PIECE)])
                    if got == 0:
                        break
                    left -= got
                    if len(kept) < PIECE and got < PIECE:
                        kept += bytes(buffer[:got])
                return kept

            def finish_with(self, status: int, body: bytes, kind="application/json") -> None:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self):
                asked = json.loads(self.drop_body() or b"{}")
                self.finish_with(200, json.dumps(owner.answer_to(self.path.rsplit("/", 1)[-1], asked)).encode())

            def do_PUT(self):
                self.drop_body()
                self.finish_with(201, b"")

            def do_GET(self):
                with open(owner.zip_file, "rb") as file:
                    size = os.fstat(file.fileno()).st_size
                    self.send_response(200)
                    self.send_header("Content-Type", "application/zip")
                    self.send_header("Content-Length", str(size))
                    self.end_headers()
                    self.wfile.flush()
                    self.connection.sendfile(file)

            def log_message(self, *_):
                pass

        return Handler
