"""Plays the year on: asks the endpoint about a sample of each day's flights, and tells it two days later which of them
were late. Event time is the flights' own; the clock on the wall does not matter."""

import argparse
import json
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pandas as pd

sys.path.insert(0, str(Path(__file__).parent.parent / "scripts"))
import flights  # noqa: E402

LABEL_DELAY = pd.Timedelta(days=2)


def post(url: str, body: dict | list) -> dict:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer) if answer.headers.get("Content-Type", "").startswith("application/json") else {}


def ask(endpoint: str, day: pd.DataFrame) -> None:
    columns = day[flights.KEYS + flights.FEATURES]
    split = json.loads(columns.to_json(orient="split", index=False))  # NaN becomes null
    post(f"{endpoint}/invocations", {"dataframe_split": {"columns": split["columns"], "data": split["data"]}})


def tell(endpoint: str, day: pd.DataFrame) -> None:
    post(f"{endpoint}/feedback",
         [{"key": key, "label": int(late)} for key, late in zip(day.flight_id, day[flights.LABEL], strict=True)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--endpoint", required=True, help="http://127.0.0.1:4510/flights")
    parser.add_argument("--from", dest="start", required=True, help="first day, e.g. 2013-05-01")
    parser.add_argument("--to", dest="end", required=True, help="last day")
    parser.add_argument("--rows", type=int, default=80, help="flights a day")
    args = parser.parse_args()

    days = pd.date_range(args.start, args.end)
    rows = flights.load(str((days[0] - LABEL_DELAY).date()), str((days[-1] + pd.Timedelta(days=1)).date()))
    by_day = {date: part.sample(min(args.rows, len(part)), random_state=7).sort_values("time_hour")
              for date, part in rows.groupby(rows.time_hour.str[:10])}
    for day in days:
        today, before = str(day.date()), str((day - LABEL_DELAY).date())
        ask(args.endpoint, by_day[today])
        if before in by_day:  # of the last run's days too; labels without a row do no harm
            tell(args.endpoint, by_day[before])
        if sys.stdout.isatty():
            print(f"\r  {today}", end="", flush=True)
    if sys.stdout.isatty():
        print("\r", end="")
    print(f"{args.start} to {args.end}: {len(days)} days, {sum(len(by_day[str(d.date())]) for d in days)} flights")


if __name__ == "__main__":
    main()
