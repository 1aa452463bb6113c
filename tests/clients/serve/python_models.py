"""Models written in Python whose behaviour tests can steer. They are saved by value: no import of this file later."""

import sys

import cloudpickle
import mlflow
import pandas as pd

cloudpickle.register_pickle_by_value(sys.modules[__name__])


class Scaled(mlflow.pyfunc.PythonModel):
    """Doubles, by a factor that a request may choose."""

    def predict(self, context, model_input, params=None):
        return [float(x) * (params or {}).get("factor", 2.0) for x in model_input["x"]]


class Ranked(mlflow.pyfunc.PythonModel):
    """A row's answer depends on its neighbours: such requests must not be put together."""

    def predict(self, context, model_input, params=None):
        return model_input["x"].rank().tolist()


class Touchy(mlflow.pyfunc.PythonModel):
    """Fails for some values, and takes the whole process along for another."""

    def predict(self, context, model_input, params=None):
        import os

        if (model_input["x"] == 13).any():
            raise RuntimeError("thirteen is unlucky\nsecond line")
        if (model_input["x"] == 666).any():
            os._exit(9)
        return model_input["x"].tolist()


class Frame(mlflow.pyfunc.PythonModel):
    """Answers a DataFrame with numbers, text and something that is not a number."""

    def predict(self, context, model_input, params=None):
        return pd.DataFrame({"double": model_input["x"] * 2, "name": [f"row {x}" for x in model_input["x"]],
                             "odd": [float("nan")] * len(model_input)})


class Whole(mlflow.pyfunc.PythonModel):
    """One answer for all rows."""

    def predict(self, context, model_input, params=None):
        return {"sum": float(model_input["x"].sum())}


class Types(mlflow.pyfunc.PythonModel):
    """Tells what arrived in each column."""

    def predict(self, context, model_input, params=None):
        return [", ".join(f"{name}={value!r}" for name, value in row.items())
                for row in model_input.astype(object).to_dict(orient="records")]


def makers(make):
    x = pd.DataFrame({"x": [1.0, 3.0, 2.0]})
    types = pd.DataFrame({"flag": [True], "small": pd.Series([1], dtype="int32"), "number": pd.Series([1.5], dtype="float32"),
                          "when": pd.to_datetime(["2013-01-01T05:00:00"]), "data": [b"abc"]})
    return {
        "scaled": lambda folder: make(folder, Scaled(), x, {"factor": 2.0}),
        "ranked": lambda folder: make(folder, Ranked(), x),
        "touchy": lambda folder: make(folder, Touchy(), x),
        "frame": lambda folder: make(folder, Frame(), x),
        "whole": lambda folder: make(folder, Whole(), x),
        "types": lambda folder: make(folder, Types(), types),
    }
