"""Talks to a model worker over its socket, as the server does: for tests of python/weir_worker alone."""

import json
import os
import socket
import struct
import subprocess
import sys

FRAME = struct.Struct("<IIQB")
PREDICT, ANSWER, TAKEN, READY, FAILED = 1, 2, 3, 4, 5
PYTHON_FOLDER = os.path.join(os.path.dirname(__file__), "..", "..", "..", "python")


class Worker:
    def __init__(self, folder, python=sys.executable, **options):
        self.socket, theirs = socket.socketpair()
        start = f"import sys; sys.path.insert(0, {os.path.abspath(PYTHON_FOLDER)!r}); from weir_worker.main import main; " \
                "sys.exit(main(sys.argv[1:]))"
        self.process = subprocess.Popen([python, "-I", "-B", "-c", start, str(folder), json.dumps(options)], stdin=theirs)
        theirs.close()
        self.number = 0
        self.taken = []
        _, kind, self.hello, _ = self.read()
        self.ready = kind == READY

    def close(self):
        self.socket.close()
        self.process.wait(10)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def frame(self, header, body):
        self.number += 1
        text = json.dumps(header).encode()
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        return FRAME.pack(len(text), len(body), self.number, PREDICT) + text + body

    def _exactly(self, size):
        data = b""
        while len(data) < size:
            chunk = self.socket.recv(size - len(data))
            if not chunk:
                raise EOFError("the worker has closed its socket")
            data += chunk
        return data

    def read(self):
        header_bytes, body_bytes, number, kind = FRAME.unpack(self._exactly(FRAME.size))
        header = json.loads(self._exactly(header_bytes) or b"{}")
        return number, kind, header, self._exactly(body_bytes)

    def ask_all(self, requests):
        """Sends (header, body) pairs at once; gives (header, body) of their answers in order."""
        first = self.number + 1
        self.socket.sendall(b"".join(self.frame(header, body) for header, body in requests))
        answers = {}
        self.taken = []
        while len(answers) < len(requests):
            number, kind, header, body = self.read()
            if kind == TAKEN:
                self.taken.append(header["ids"])
            else:
                answers[number] = (header, body)
        return [answers[n] for n in range(first, first + len(requests))]

    def mlflow(self, body, content_type="application/json", **header):
        """(status, document) of one request of MLflow's protocol."""
        answer, text = self.ask_all([({"protocol": "mlflow", "type": content_type, **header}, body)])[0]
        return answer["status"], json.loads(text)

    def v2(self, body, **header):
        answer, text = self.ask_all([({"protocol": "v2", "name": "m", "version": "1", **header}, body)])[0]
        return answer["status"], json.loads(text)
