"""Waits until an endpoint serves a version, then asks it about real flights, by both protocols."""

import argparse
import json
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "scripts"))
import flights  # noqa: E402


def call(url: str, body: dict | None = None) -> dict:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def wait_for(server: str, name: str, version: str, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    seen = "nothing"
    while time.monotonic() < deadline:
        try:
            seen = call(f"{server}/v2/models/{name}").get("versions", [])
            if version in seen:
                return
        except (urllib.error.URLError, ConnectionError) as error:
            seen = error
        time.sleep(0.3)
    sys.exit(f"{name} does not serve version {version} after {seconds:.0f} s: {seen}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", required=True)
    parser.add_argument("--name", required=True, help="flights, or flights@staging")
    parser.add_argument("--version", required=True)
    args = parser.parse_args()

    wait_for(args.server, args.name, args.version, 120)
    rows = flights.load("2013-04-01", "2013-04-02").dropna().head(20)
    columns = rows[flights.FEATURES]
    answer = call(f"{args.server}/{args.name}/invocations", {"dataframe_split": columns.to_dict("split", index=False)})
    predictions = answer["predictions"]
    assert len(predictions) == len(rows), f"{len(rows)} flights, {len(predictions)} predictions"
    assert set(predictions) <= {0, 1}, predictions

    inputs = [{"name": name, "shape": [len(rows)], "datatype": "BYTES" if name in flights.CATEGORIES else "FP64",
               "data": columns[name].tolist()} for name in flights.FEATURES]
    output = call(f"{args.server}/v2/models/{args.name}/infer", {"inputs": inputs})["outputs"][0]
    assert output["data"] == predictions, "the two protocols disagree"
    print(f"{args.name} serves version {args.version}: {len(rows)} flights, {sum(predictions)} of them late")


if __name__ == "__main__":
    main()
