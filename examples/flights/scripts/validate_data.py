"""Checks the prepared data before anything is trained on it. Exits 1 with every problem found."""

import argparse
import sys
from pathlib import Path

import pandas as pd

import flights

RANGES = {"temp": (-30, 120), "humid": (0, 100), "wind_speed": (0, 120), "visib": (0, 20), "distance": (10, 6000),
          "dep_hour": (0, 24), "arr_hour": (0, 24)}


def problems(name: str, rows: pd.DataFrame) -> list[str]:
    found = []
    missing = [column for column in flights.FEATURES + [flights.LABEL] if column not in rows]
    if missing:
        return [f"{name}: columns are missing: {', '.join(missing)}"]
    if len(rows) < 1_000:
        found.append(f"{name}: only {len(rows)} rows")
    if rows.flight_id.duplicated().any():
        found.append(f"{name}: {rows.flight_id.duplicated().sum()} flights appear twice")
    for column, (low, high) in RANGES.items():
        outside = rows[column].dropna().pipe(lambda values: values[(values < low) | (values > high)])
        if len(outside):
            found.append(f"{name}: {column} has {len(outside)} values outside {low} to {high}, e.g. {outside.iloc[0]}")
    for column in flights.FEATURES:
        share = rows[column].isna().mean()
        if share > 0.25:
            found.append(f"{name}: {share:.0%} of {column} is missing")
    if not 0.05 < rows[flights.LABEL].mean() < 0.6:
        found.append(f"{name}: {rows[flights.LABEL].mean():.1%} of flights are late; that cannot be right")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-path", default="data", type=Path)
    args = parser.parse_args()
    train = pd.read_csv(args.data_path / "train.csv")
    test = pd.read_csv(args.data_path / "test.csv")
    found = problems("train", train) + problems("test", test)
    if not found and train.time_hour.max() >= test.time_hour.min():
        found.append("train reaches into the time of test: that would leak")
    for problem in found:
        print(f"::error::{problem}")
    if found:
        sys.exit(1)
    print(f"{len(train)} rows to train, {len(test)} to test: all checks passed")


if __name__ == "__main__":
    main()
