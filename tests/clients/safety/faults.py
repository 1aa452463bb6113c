"""Plain HTTP without a client's retries, and a disk whose syncs fail."""

import hashlib
import json
import os
import signal
import subprocess
import urllib.error
import urllib.request
from contextlib import contextmanager

from weir_server import wait_until

STALLED = "fsync,fdatasync,sync_file_range,msync"


def answer(server, method, path, body=b"", token=None, headers=None):
    """Status and text of one request, whatever it is answered."""
    if not isinstance(body, bytes):
        body, headers = json.dumps(body).encode(), {"Content-Type": "application/json", **(headers or {})}
    request = urllib.request.Request(server.url + path, body if method != "GET" else None, headers or {}, method=method)
    request.add_header("Authorization", f"Bearer {token or server.admin_token}")
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, response.read().decode(errors="replace")
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(errors="replace")


def sha256(data):
    return hashlib.sha256(data).hexdigest()


@contextmanager
def failing_syncs(server, paths=(), error="EIO"):
    """While it lasts, every sync of the server and its children fails, or just those of `paths`."""
    log = server.state.parent / "strace.log"
    log.unlink(missing_ok=True)
    process = subprocess.Popen(
        ["strace", "-f", "-o", str(log), "-e", f"trace={STALLED}", "-e", f"inject={STALLED}:error={error}",
         *[f"-P{path}" for path in paths], "-p", str(server.process.pid)],
        stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        threads = f"/proc/{server.process.pid}/task"

        def attached():
            assert process.poll() is None, process.stderr.read()
            return all(traced_by(f"{threads}/{thread}") == process.pid for thread in os.listdir(threads))
        wait_until(attached, what="strace")
        yield log
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            # It waits for a thread that waits for its vfork, whose child it has stopped. The kernel lets go of all.
            process.kill()
            process.wait(30)
        process.stderr.close()


def traced_by(task):
    try:
        with open(f"{task}/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("TracerPid:"))
    except FileNotFoundError:
        return None
