"""Tracking throughput of weir against `mlflow server` (SQLite), both in this run on this machine.

    python bench/track_bench.py [--seconds 3] [--json]

Bodies are made beforehand and sent over kept-alive connections, so that servers are measured and not Python clients.
Prints one line a case: how many a second each server does, and weir's ratio. WEIR_BUILD names the build folder.
"""

import argparse
import concurrent.futures
import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time


class Server:
    def __init__(self, port, process):
        self.port = port
        self.process = process
        self.local = threading.local()

    def connect(self):
        self.local.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
        self.local.connection.connect()
        self.local.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def call(self, method, path, body=None):
        if not hasattr(self.local, "connection"):
            self.connect()
        try:
            self.local.connection.request(method, path, body, {"Content-Type": "application/json"})
            response = self.local.connection.getresponse()
        except (ConnectionError, http.client.RemoteDisconnected):  # idle for too long while the other server was measured
            self.connect()
            self.local.connection.request(method, path, body, {"Content-Type": "application/json"})
            response = self.local.connection.getresponse()
        content = response.read()
        if response.status != 200:
            raise RuntimeError(f"{method} {path}: {response.status} {content[:200]}")
        return content

    def post(self, path, body):
        return json.loads(self.call("POST", f"/api/2.0/mlflow/{path}", json.dumps(body)))


def start_weir(folder):
    program = os.path.join(os.environ.get("WEIR_BUILD", "build"), "bin", "weir")
    process = subprocess.Popen([program, "serve", "--state", folder], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = os.path.join(folder, "server.json")
    deadline = time.monotonic() + 60
    while not os.path.exists(address):
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError("weir did not start")
        time.sleep(0.01)
    with open(address) as file:
        return Server(int(json.load(file)["url"].rsplit(":", 1)[1]), process)


def start_mlflow(folder):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--artifacts-destination",
         os.path.join(folder, "artifacts"), "--port", str(port)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.PIPE, start_new_session=True)
    return Server(port, process)


def wait_until_ready(server):
    deadline = time.monotonic() + 300
    while True:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
            connection.request("GET", "/version")
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        if time.monotonic() > deadline:
            raise RuntimeError("the server did not start")
        time.sleep(0.2)


def rate(seconds, threads, work):
    """How often `threads` of them do work(thread, number) in a second."""
    stop = time.monotonic() + seconds
    begin = time.monotonic()

    def run(thread):
        count = 0
        while time.monotonic() < stop:
            work(thread, count)
            count += 1
        return count

    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        total = sum(pool.map(run, range(threads)))
    return total / (time.monotonic() - begin)


def new_run(server, **fields):
    return server.post("runs/create", {"experiment_id": "0", "start_time": 1, **fields})["run"]["info"]["run_id"]


def metric_bodies(run_id):
    def body(thread, number):
        points = [{"key": f"m{i % 10}", "value": i / 7, "timestamp": 1_700_000_000_000 + i, "step": (thread * 1_000_000 + number * 1000 + i)}
                  for i in range(1000)]
        return json.dumps({"run_id": run_id, "metrics": points})

    return body


def bench_log_metric(server, seconds, threads):
    runs = [new_run(server) for _ in range(threads)]
    return rate(seconds, threads, lambda thread, number: server.call(
        "POST", "/api/2.0/mlflow/runs/log-metric",
        '{"run_id": "%s", "key": "m", "value": 0.5, "timestamp": 1700000000000, "step": %d}' % (runs[thread], number)))


def bench_log_batch(server, seconds, threads):
    runs = [new_run(server) for _ in range(threads)]
    ready = [[metric_bodies(runs[thread])(thread, number) for number in range(int(seconds * 120))] for thread in range(threads)]
    return 1000 * rate(seconds, threads, lambda thread, number: server.call(
        "POST", "/api/2.0/mlflow/runs/log-batch", ready[thread][number % len(ready[thread])]))


def prepare_search(server, count):
    experiment = server.post("experiments/create", {"name": f"search {time.time()}"})["experiment_id"]
    for i in range(count):
        run_id = server.post("runs/create", {"experiment_id": experiment, "start_time": i})["run"]["info"]["run_id"]
        server.post("runs/log-batch", {
            "run_id": run_id, "metrics": [{"key": f"m{k}", "value": i * k % 97, "timestamp": 1} for k in range(10)],
            "params": [{"key": f"p{k}", "value": str(i % 10)} for k in range(10)], "tags": [{"key": "t", "value": str(i % 3)}]})
    return experiment


def bench_search(server, seconds, experiment):
    body = json.dumps({"experiment_ids": [experiment], "filter": "metrics.m3 > 20 AND params.p1 != '3' AND tags.t = '1'",
                       "order_by": ["metrics.m5 DESC"], "max_results": 100})
    return rate(seconds, 2, lambda thread, number: server.call("POST", "/api/2.0/mlflow/runs/search", body))


def bench_history(server, seconds):
    run_id = new_run(server)
    for number in range(50):
        server.call("POST", "/api/2.0/mlflow/runs/log-batch", metric_bodies(run_id)(0, number))
    points = len(json.loads(server.call("GET", f"/api/2.0/mlflow/metrics/get-history?run_id={run_id}&metric_key=m1"))["metrics"])
    return points * rate(seconds, 1, lambda thread, number: server.call("GET", f"/api/2.0/mlflow/metrics/get-history?run_id={run_id}&metric_key=m1"))


def bench_upload(server, seconds, size_bytes, threads):
    run_id = new_run(server)
    content = os.urandom(size_bytes)
    return rate(seconds, threads, lambda thread, number: server.call(
        "PUT", f"/api/2.0/mlflow-artifacts/artifacts/0/{run_id}/artifacts/{thread}/{number}.bin",
        content[:-12] + b"%4d%8d" % (thread, number)))


def bench_download(server, seconds, size_bytes):
    run_id = new_run(server)
    path = f"/api/2.0/mlflow-artifacts/artifacts/0/{run_id}/artifacts/big.bin"
    server.call("PUT", path, os.urandom(size_bytes))
    return rate(seconds, 2, lambda thread, number: server.call("GET", path)) * size_bytes / 1e6


CASES = [
    ("log-metric, 1 client, requests/s", lambda server, seconds, state: bench_log_metric(server, seconds, 1)),
    ("log-metric, 8 clients, requests/s", lambda server, seconds, state: bench_log_metric(server, seconds, 8)),
    ("log-batch of 1000, 1 client, points/s", lambda server, seconds, state: bench_log_batch(server, seconds, 1)),
    ("log-batch of 1000, 4 clients, points/s", lambda server, seconds, state: bench_log_batch(server, seconds, 4)),
    ("search in the runs of an experiment, searches/s", lambda server, seconds, state: bench_search(server, seconds, state)),
    ("metric history, points/s", lambda server, seconds, state: bench_history(server, seconds)),
    ("upload 1 KB, 8 clients, files/s", lambda server, seconds, state: bench_upload(server, seconds, 1024, 8)),
    ("upload 20 MB, 2 clients, files/s", lambda server, seconds, state: bench_upload(server, seconds, 20 << 20, 2)),
    ("download 20 MB, 2 clients, MB/s", lambda server, seconds, state: bench_download(server, seconds, 20 << 20)),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--runs", type=int, default=300, help="in the experiment that is searched")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as weir_folder, tempfile.TemporaryDirectory() as mlflow_folder:
        weir, mlflow = start_weir(weir_folder), start_mlflow(mlflow_folder)
        try:
            wait_until_ready(weir)
            wait_until_ready(mlflow)
            states = [prepare_search(weir, arguments.runs), prepare_search(mlflow, arguments.runs)]
            for name, case in CASES:
                ours, theirs = (case(server, arguments.seconds, state) for server, state in zip((weir, mlflow), states))
                rows.append({"case": name, "weir": ours, "mlflow": theirs, "ratio": ours / theirs})
                if not arguments.json:
                    print(f"{name:48} weir {ours:12,.1f}   mlflow {theirs:12,.1f}   ratio {ours / theirs:8.1f}", flush=True)
        finally:
            weir.process.terminate()
            weir.process.wait(30)
            os.killpg(mlflow.process.pid, 9)
            mlflow.process.wait(30)
    if arguments.json:
        print(json.dumps(rows, indent=2))


if __name__ == "__main__":
    main()
