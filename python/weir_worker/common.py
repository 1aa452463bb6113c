"""What every part of the worker uses: refusals, short error texts, and names of the Open Inference Protocol's types."""

import json

ERROR_LENGTH_MAX = 400

# MLflow's column types as the Open Inference Protocol calls them, and which tensors fill them without losing a value.
V2_OF_COLUMN = {"boolean": "BOOL", "integer": "INT32", "long": "INT64", "float": "FP32", "double": "FP64",
                "string": "BYTES", "binary": "BYTES", "datetime": "BYTES"}
SMALL_INTEGERS = {"INT8", "INT16", "INT32", "UINT8", "UINT16"}
INTEGERS = SMALL_INTEGERS | {"INT64", "UINT32", "UINT64"}
V2_FITS = {"boolean": {"BOOL"}, "integer": SMALL_INTEGERS, "long": INTEGERS, "float": INTEGERS | {"FP16", "FP32", "FP64"},
           "double": INTEGERS | {"FP16", "FP32", "FP64"}, "string": {"BYTES"}, "binary": {"BYTES"}, "datetime": {"BYTES"}}
V2_NUMPY = {"BOOL": "?", "INT8": "i1", "INT16": "i2", "INT32": "i4", "INT64": "i8", "UINT8": "u1", "UINT16": "u2",
            "UINT32": "u4", "UINT64": "u8", "FP16": "f2", "FP32": "f4", "FP64": "f8"}


class Refused(Exception):
    """The request is wrong: the message goes to the client."""

    def __init__(self, message, status=400):
        super().__init__(message)
        self.status = status


def short(error):
    """The first line of an exception, for people; never a stack trace."""
    lines = str(error).strip().splitlines()
    text = f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
    return text if len(text) <= ERROR_LENGTH_MAX else text[:ERROR_LENGTH_MAX] + "…"


def shown(value):
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:60] + "…"


def nearest(name, names):
    import difflib

    found = difflib.get_close_matches(str(name), [str(n) for n in names], n=1)
    return f'; did you mean "{found[0]}"?' if found else ""


def v2_of_numpy(dtype):
    return {"b": "BOOL", "i": f"INT{8 * dtype.itemsize}", "u": f"UINT{8 * dtype.itemsize}",
            "f": f"FP{8 * dtype.itemsize}"}.get(dtype.kind, "BYTES")
