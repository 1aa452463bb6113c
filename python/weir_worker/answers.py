"""Cuts what a model predicted into the answers of the requests that it was asked for, and writes them."""

import json
import math
import struct

import numpy as np

from .common import V2_NUMPY, Refused, v2_of_numpy


class CannotSplit(Exception):
    """The prediction's rows cannot be told apart, so requests must be predicted one by one."""


def split(prediction, sizes):
    """The prediction of each request, given how many rows each had."""
    total = sum(sizes)
    if isinstance(prediction, dict):
        parts = {name: split(value, sizes) for name, value in prediction.items()}
        return [{name: part[i] for name, part in parts.items()} for i in range(len(sizes))]
    if isinstance(prediction, (str, bytes)) or not hasattr(prediction, "__len__"):
        raise CannotSplit(f"a {type(prediction).__name__} has no rows")
    if len(prediction) != total:
        raise CannotSplit(f"{len(prediction)} predictions for {total} rows")
    cut = prediction.iloc if hasattr(prediction, "iloc") else prediction
    parts, at = [], 0
    for size in sizes:
        parts.append(cut[at:at + size])
        at += size
    return parts


def plain(value):
    """What json.dumps does not know, as what it knows."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, bytes):
        import base64

        return base64.b64encode(value).decode()
    if hasattr(value, "to_dict"):
        return records(value)
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if hasattr(value, "model_dump"):
        return value.model_dump()
    if isinstance(value, (set, tuple)):
        return list(value)
    return str(value)


def records(value):
    """A DataFrame or Series as MLflow's server writes it: a list of objects."""
    frame = value if hasattr(value, "columns") else value.to_frame()
    return frame.to_dict(orient="records")


def without_nan(value):
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(k): without_nan(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_nan(v) for v in value]
    if isinstance(value, (str, int, bool, type(None))):
        return value
    return without_nan(plain(value))


def dump(document):
    """JSON text; numbers that are not finite, which JSON does not have, become null."""
    try:
        return json.dumps(document, default=plain, allow_nan=False, separators=(",", ":")).encode()
    except ValueError:
        return json.dumps(without_nan(document), separators=(",", ":")).encode()
    except TypeError:
        return json.dumps(without_nan(document), separators=(",", ":")).encode()


def mlflow_answer(prediction):
    if isinstance(prediction, np.ndarray):
        prediction = prediction.tolist()
    elif hasattr(prediction, "to_dict"):
        prediction = records(prediction)
    return {"status": 200}, dump({"predictions": prediction})


def output_tensors(prediction, names):
    """(name, numpy array) of a prediction; `names` are those of the signature's outputs."""
    if hasattr(prediction, "columns"):
        return [(str(n), prediction[n].to_numpy()) for n in prediction.columns]
    if isinstance(prediction, dict):
        return [(str(n), np.atleast_1d(np.asarray(v))) for n, v in prediction.items()]
    if hasattr(prediction, "to_numpy"):
        prediction = prediction.to_numpy()
    if isinstance(prediction, list) and prediction and isinstance(prediction[0], dict):
        return [(n, np.asarray([row.get(n) for row in prediction])) for n in prediction[0]]
    array = np.atleast_1d(np.asarray(prediction))
    if array.ndim == 2 and len(names) == array.shape[1] > 1:
        return [(n, array[:, i]) for i, n in enumerate(names)]
    return [(names[0] if names else "output-1", array)]


def v2_answer(prediction, names, header, document):
    tensors = output_tensors(prediction, names)
    wanted = document.get("outputs") or []
    if not isinstance(wanted, list) or not all(isinstance(w, dict) and isinstance(w.get("name"), str) for w in wanted):
        raise Refused('"outputs" must be a list of objects with a "name"')
    known = dict(tensors)
    for entry in wanted:
        if entry["name"] not in known:
            raise Refused(f'the model has no output "{entry["name"]}"; it has ' + ", ".join(f'"{n}"' for n in known))
    binary_default = bool((document.get("parameters") or {}).get("binary_data_output", False))
    binary = {w["name"]: (w.get("parameters") or {}).get("binary_data", binary_default) for w in wanted}
    outputs, blobs = [], []
    for name, array in tensors:
        if wanted and name not in binary:
            continue
        datatype = v2_of_numpy(array.dtype)
        entry = {"name": name, "datatype": datatype, "shape": list(array.shape)}
        if binary.get(name, binary_default):
            blobs.append(tensor_bytes(array, datatype))
            entry["parameters"] = {"binary_data_size": len(blobs[-1])}
        else:
            flat = array.reshape(-1).tolist()
            entry["data"] = flat if datatype != "BYTES" else [v if isinstance(v, str) else str(plain(v)) for v in flat]
        outputs.append(entry)
    answer = {"model_name": header.get("name", ""), "model_version": header.get("version", "")}
    if isinstance(document.get("id"), str):
        answer["id"] = document["id"]
    text = dump({**answer, "outputs": outputs})
    if not blobs:
        return {"status": 200}, text
    fields = {"status": 200, "type": "application/octet-stream", "json_bytes": len(text)}
    return fields, text + b"".join(blobs)


def tensor_bytes(array, datatype):
    if datatype != "BYTES":
        return np.ascontiguousarray(array, np.dtype(V2_NUMPY[datatype]).newbyteorder("<")).tobytes()
    parts = []
    for value in array.reshape(-1).tolist():
        value = value if isinstance(value, bytes) else str(value).encode()
        parts.append(struct.pack("<I", len(value)) + value)
    return b"".join(parts)


def error_answer(protocol, status, message):
    if protocol == "v2":
        return {"status": status}, dump({"error": message})
    code = "BAD_REQUEST" if status < 500 else "INTERNAL_ERROR"
    return {"status": status}, dump({"error_code": code, "message": message})
