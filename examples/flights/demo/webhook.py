"""A stand-in for Slack: takes what incoming webhooks take, prints each message on a line."""

import json
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer


class Webhook(BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        print(body.get("text", "").replace("\n", " "), flush=True)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", 0), Webhook)
with open(sys.argv[1], "w") as port:
    port.write(str(server.server_port))
server.serve_forever()
