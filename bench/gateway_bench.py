"""Serving a small scikit-learn model: weir's gateway against `mlflow models serve`, both in this run on this machine.

    python bench/gateway_bench.py [--seconds 6] [--json]

`hey` makes the load. Both serve the same model with two worker processes and are measured one after the other. Then
versions are switched and switched back under 500 requests/s: how long that took, and how many requests failed.
WEIR_BUILD names the build folder.
"""

import argparse
import csv
import io
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
import warnings

CLIENTS = (1, 8, 32)
WORKERS = 2


def make_model(folder, seed):
    import mlflow
    import numpy as np
    import pandas as pd
    from mlflow.models import infer_signature
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    rng = np.random.default_rng(seed)
    rows = 1000
    numbers = {f"x{i}": rng.normal(size=rows) for i in range(8)}
    table = pd.DataFrame({**numbers, "carrier": rng.choice(["AA", "UA", "DL"], rows)})
    label = (table.x0 + table.x1 + rng.normal(0, 0.3, rows) > 0).astype(int)
    model = make_pipeline(make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["carrier"]),
                                                  (StandardScaler(), list(numbers))), LogisticRegression()).fit(table, label)
    mlflow.sklearn.save_model(model, folder, signature=infer_signature(table, model.predict(table)),
                              input_example=table.head(2), pip_requirements=["mlflow"])
    return {"dataframe_split": table.head(1).to_dict(orient="split")}


def get(url, method="GET"):
    with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=60) as response:
        return response.read()


def start_weir(folders):
    program = os.path.join(os.environ.get("WEIR_BUILD", "build"), "bin", "weir_gateway_server")
    process = subprocess.Popen([program, sys.executable, str(WORKERS), *folders], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE)
    port = json.loads(process.stdout.readline())["port"]
    return process, f"http://127.0.0.1:{port}"


def start_mlflow(folder):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1",
                   "PATH": os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"]}
    process = subprocess.Popen(
        [sys.executable, "-m", "mlflow", "models", "serve", "-m", folder, "--env-manager", "local", "-p", str(port), "-w",
         str(WORKERS)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment, start_new_session=True)
    deadline = time.monotonic() + 180
    while True:
        try:
            get(f"http://127.0.0.1:{port}/ping")
            return process, f"http://127.0.0.1:{port}"
        except OSError:
            if time.monotonic() > deadline or process.poll() is not None:
                raise RuntimeError("mlflow models serve did not start") from None
            threading.Event().wait(0.2)


def hey(url, body_file, seconds, clients, per_second_each=None):
    """Requests a second, latencies in ms and how many failed."""
    command = ["hey", "-z", f"{seconds}s", "-c", str(clients), "-m", "POST", "-T", "application/json", "-D", body_file,
               "-o", "csv"]
    if per_second_each:
        command += ["-q", str(per_second_each)]
    output = subprocess.run([*command, url], check=True, capture_output=True, text=True).stdout
    rows = list(csv.DictReader(io.StringIO(output)))
    times = sorted(1000 * float(row["response-time"]) for row in rows)
    failed = sum(row["status-code"] != "200" for row in rows)
    return {"per_s": len(rows) / seconds, "p50_ms": times[len(times) // 2], "p99_ms": times[int(len(times) * 0.99)],
            "requests": len(rows), "failed": failed}


def measure(url, body_file, seconds):
    hey(url, body_file, 2, 4)  # warm
    return {clients: hey(url, body_file, seconds, clients) for clients in CLIENTS}


def switch_under_load(base, body_file):
    result = {}
    load = threading.Thread(target=lambda: result.update(hey(f"{base}/model/invocations", body_file, 8, 25, 20)))
    load.start()
    threading.Event().wait(2.0)
    times = {}
    for name, version in (("switch", 2), ("rollback", 1)):
        begin = time.monotonic()
        get(f"{base}/test/switch/{version}", "POST")
        times[name] = 1000 * (time.monotonic() - begin)
        threading.Event().wait(2.0)
    load.join()
    return {**result, "switch_ms": times["switch"], "rollback_ms": times["rollback"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=6)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as root, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        folders = [os.path.join(root, name) for name in ("one", "two")]
        body = [make_model(folder, seed) for seed, folder in enumerate(folders)][0]
        body_file = os.path.join(root, "body.json")
        with open(body_file, "w") as file:
            json.dump(body, file)
        process, base = start_weir(folders)
        try:
            ours = measure(f"{base}/model/invocations", body_file, arguments.seconds)
            switched = switch_under_load(base, body_file)
        finally:
            process.stdin.close()
            process.wait(30)
        process, base = start_mlflow(folders[0])
        try:
            theirs = measure(f"{base}/invocations", body_file, arguments.seconds)
        finally:
            os.killpg(process.pid, 15)
            process.wait(30)
    if arguments.json:
        print(json.dumps({"weir": ours, "mlflow": theirs, "switch": switched}, indent=2))
        return
    for clients in CLIENTS:
        w, m = ours[clients], theirs[clients]
        print(f"{clients:3} clients   weir {w['per_s']:7.0f}/s  p50 {w['p50_ms']:6.1f} ms  p99 {w['p99_ms']:6.1f} ms  failed {w['failed']}"
              f"   mlflow {m['per_s']:7.0f}/s  p50 {m['p50_ms']:6.1f} ms  p99 {m['p99_ms']:6.1f} ms  failed {m['failed']}"
              f"   ratio {w['per_s'] / m['per_s']:5.1f}")
    print(f"under {switched['per_s']:.0f} requests/s: switch {switched['switch_ms']:.1f} ms, rollback "
          f"{switched['rollback_ms']:.1f} ms, {switched['failed']} of {switched['requests']} requests failed")


if __name__ == "__main__":
    main()
