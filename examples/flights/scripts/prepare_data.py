"""Writes data/train.csv and data/test.csv. Without --until: January to March, and April. With it: about ninety days and
the two weeks after them, up to and including that day, and not a row later."""

import argparse
from pathlib import Path

import pandas as pd

import flights

TRAIN_ROWS = 20_000
TEST_ROWS = 8_000


def windows(until: str) -> tuple[str, str, str]:
    """Start of training, start of test, end of test (exclusive)."""
    if not until:
        return "2013-01-01", "2013-04-01", "2013-05-01"
    end = pd.Timestamp(until[:10]) + pd.Timedelta(days=1)
    test = end - pd.Timedelta(days=14)
    return str((test - pd.Timedelta(days=90)).date()), str(test.date()), str(end.date())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--until", default="", help="last day that may be used, e.g. 2013-06-30")
    parser.add_argument("--output", default="data", type=Path)
    args = parser.parse_args()

    start, test_start, end = windows(args.until)
    rows = flights.load(start, end)
    train = rows[rows.time_hour < test_start]
    test = rows[rows.time_hour >= test_start]
    args.output.mkdir(parents=True, exist_ok=True)
    for name, part, limit in [("train", train, TRAIN_ROWS), ("test", test, TEST_ROWS)]:
        part = part.sample(min(limit, len(part)), random_state=0).sort_values(["time_hour", "flight_id"])
        part.to_csv(args.output / f"{name}.csv", index=False)
        print(f"{name}: {len(part)} flights from {part.time_hour.min()} to {part.time_hour.max()}, {part.late.mean():.1%} late")


if __name__ == "__main__":
    main()
