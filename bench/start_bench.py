"""How soon weir is there: `weir version`, `weir serve` until it answers /health on a new state and on one of 1 GB, and what
an idle server holds. Peers in the same run: `true` (what a process costs) and `mlflow server` on the same kind of state.

    python bench/start_bench.py [--megabytes 1000] [--rounds 10] [--json]

WEIR_BUILD names the build folder.
"""

import argparse
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

WEIR = os.path.join(os.environ.get("WEIR_BUILD", "build"), "bin", "weir")


def call(url, body=None, method=None):
    data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=300) as answer:
        return answer.read()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(port):
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(f"GET /health HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode())
            return connection.recv(64).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


def start(command, port, seconds=180):
    """The process and how long it took until it answered."""
    begin = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not answers(port):
        if process.poll() is not None or time.perf_counter() - begin > seconds:
            process.kill()
            raise RuntimeError(f"{command[0]} did not start")
        time.sleep(0.0005)
    return process, time.perf_counter() - begin


def stop(process):
    process.terminate()
    process.wait(60)


def resident(process):
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0


def serve(state):
    port = free_port()
    return port, *start([WEIR, "serve", "--state", str(state), "--listen", f"127.0.0.1:{port}"], port)


def size(folder):
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6


def fill(state, megabytes):
    """Half of it metrics in the database, the rest artifacts; through the API, as users do."""
    port, process, _ = serve(state)
    base = f"http://127.0.0.1:{port}/api/2.0/mlflow"
    run = 0
    while size(state) < megabytes / 2:
        run += 1
        created = call(f"{base}/runs/create", {"experiment_id": "0", "run_name": f"run {run}", "start_time": run})
        run_id = json.loads(created)["run"]["info"]["run_id"]
        for batch in range(100):
            metrics = [{"key": f"loss/{i % 10}", "value": i / 7, "timestamp": batch * 1000 + i, "step": batch * 100 + i // 10}
                       for i in range(1000)]
            call(f"{base}/runs/log-batch", {"run_id": run_id, "metrics": metrics})
    content = random.Random(1).randbytes(20_000_000)
    for n in range(int((megabytes - size(state)) / 20) + 1):
        url = f"http://127.0.0.1:{port}/api/2.0/mlflow-artifacts/artifacts/0/{run_id}/artifacts/model-{n}.bin"
        call(url, n.to_bytes(8, "big") + content, "PUT")
    stop(process)


def milliseconds(values):
    return round(statistics.median(values) * 1000, 1)


def time_command(command, rounds):
    times = []
    for _ in range(rounds):
        begin = time.perf_counter()
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        times.append(time.perf_counter() - begin)
    return times


def time_server(state, rounds):
    times = []
    for _ in range(rounds):
        _, process, took = serve(state)
        times.append(took)
        stop(process)
    return times


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    result = {"true_ms": milliseconds(time_command(["true"], arguments.rounds)),
              "version_ms": milliseconds(time_command([WEIR, "version"], arguments.rounds))}
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder) / "new"
        result["serve_new_ms"] = milliseconds(time_server(state, arguments.rounds))
        full = Path(folder) / "full"
        fill(full, arguments.megabytes)
        result["state_mb"] = round(size(full))
        result["serve_full_ms"] = milliseconds(time_server(full, arguments.rounds))
        _, process, _ = serve(full)
        time.sleep(2)  # what it holds once the start is over
        result["idle_mib"] = round(resident(process), 1)
        stop(process)
        port = free_port()
        process, took = start([sys.executable, "-m", "mlflow", "server", "--backend-store-uri", f"sqlite:///{folder}/mlflow.db",
                               "--artifacts-destination", f"{folder}/mlflow", "--port", str(port)], port)
        result["mlflow_new_ms"] = round(took * 1000)
        stop(process)
    if arguments.json:
        print(json.dumps(result))
        return
    print(f"weir version                         {result['version_ms']:8.1f} ms   (`true`: {result['true_ms']} ms)")
    print(f"weir serve ready, new state          {result['serve_new_ms']:8.1f} ms   (mlflow server: {result['mlflow_new_ms']} ms, "
          f"{result['mlflow_new_ms'] / result['serve_new_ms']:.0f} times as long)")
    print(f"weir serve ready, state of {result['state_mb']:5} MB  {result['serve_full_ms']:8.1f} ms")
    print(f"weir serve idle on that state        {result['idle_mib']:8.1f} MiB resident")


if __name__ == "__main__":
    main()
