"""Reads the bodies of requests: MLflow's scoring protocol (JSON, CSV, Parquet) and the Open Inference Protocol v2."""

import io
import json
import math
import struct

import numpy as np

from .arrays import ArrayBatch
from .common import V2_NUMPY, Refused, short, shown

FORMATS = ("dataframe_split", "dataframe_records", "instances", "inputs")
LENGTH = struct.Struct("<I")


class FrameBatch:
    """Input of a model without a signature that is a DataFrame."""

    def __init__(self, frame):
        self.frame = frame
        self.rows = len(frame)

    def key(self):
        return ("frame", *[(str(n), str(t)) for n, t in self.frame.dtypes.items()])

    @staticmethod
    def merge(batches):
        import pandas as pd

        return batches[0] if len(batches) == 1 else FrameBatch(pd.concat([b.frame for b in batches], ignore_index=True))


class RawInput:
    """Input that only the model understands: always predicted alone."""

    def __init__(self, data):
        self.data = data
        self.rows = len(data) if isinstance(data, list) else 1

    def key(self):
        return None


class NoSignature:
    """A model that says nothing of its input: what comes is handed on in the shape that MLflow would give it."""

    def from_document(self, form, data, allowed):
        import pandas as pd

        try:
            if form == "dataframe_split":
                return FrameBatch(pd.DataFrame(data["data"], columns=data.get("columns")))
            if form == "dataframe_records":
                return FrameBatch(pd.DataFrame(data))
            if isinstance(data, list) and data and isinstance(data[0], dict):
                data = {name: [row[name] for row in data] for name in data[0]}
            if isinstance(data, dict):
                return ArrayBatch({n: np.array(v) for n, v in data.items()}) if data else RawInput(data)
            return ArrayBatch({None: np.array(data)})
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise Refused(f"{form} does not hold rows of equal shape ({short(error)})") from None

    def from_frame(self, frame, allowed):
        return FrameBatch(frame)

    def from_tensors(self, tensors, allowed):
        import pandas as pd

        if len(tensors) == 1 and len(next(iter(tensors.values())).shape) > 1:
            return ArrayBatch({None: next(iter(tensors.values())).array()})
        if all(len(t.shape) == 1 for t in tensors.values()):
            try:
                return FrameBatch(pd.DataFrame({n: t.text() for n, t in tensors.items()}))
            except ValueError as error:
                raise Refused(f"the tensors do not have equally many rows ({short(error)})") from None
        return ArrayBatch({n: t.array() for n, t in tensors.items()})

    def model_input(self, batch):
        if isinstance(batch, RawInput):
            return batch.data
        if batch.rows == 0:
            return None
        if isinstance(batch, FrameBatch):
            return batch.frame
        return batch.arrays[None] if None in batch.arrays else batch.arrays

    def described(self):
        return []


class RawSignature(NoSignature):
    """A model whose type hints describe its input: it checks by itself."""

    def from_document(self, form, data, allowed):
        if form != "inputs":
            raise Refused(f'this model takes {{"inputs": …}}, not "{form}"')
        return RawInput(data)


class Tensor:
    """One input tensor of the Open Inference Protocol."""

    def __init__(self, name, datatype, shape, data, raw):
        self.name = name
        self.datatype = datatype
        self.shape = shape
        self.size = math.prod(shape)
        self._items = self._from_bytes(raw) if raw is not None else self._from_json(data)

    def _from_bytes(self, raw):
        if self.datatype != "BYTES":
            dtype = np.dtype(V2_NUMPY[self.datatype])
            if len(raw) != self.size * dtype.itemsize:
                raise Refused(f'tensor "{self.name}" has {len(raw)} bytes, its shape {self.shape} of {self.datatype} '
                              f"needs {self.size * dtype.itemsize}")
            return np.frombuffer(raw, dtype.newbyteorder("<"))
        items, at = [], 0
        while at < len(raw):
            end = at + 4 + (LENGTH.unpack_from(raw, at)[0] if at + 4 <= len(raw) else len(raw))
            if end > len(raw):
                raise Refused(f'tensor "{self.name}": an element of BYTES is cut short')
            items.append(bytes(raw[at + 4:end]))
            at = end
        return self._counted(items)

    def _counted(self, items):
        if len(items) != self.size:
            raise Refused(f'tensor "{self.name}" has {len(items)} values, its shape {self.shape} needs {self.size}')
        return items

    def _from_json(self, data):
        if not isinstance(data, list):
            raise Refused(f'tensor "{self.name}" needs "data", a list')
        while data and isinstance(data[0], list):
            if not all(isinstance(d, list) for d in data):
                raise Refused(f'tensor "{self.name}": its data mixes lists and values')
            data = [v for d in data for v in d]
        if self.datatype == "BOOL":
            kinds = {bool, int}
        elif self.datatype == "BYTES":
            kinds = {str}
        else:
            kinds = {int, float, type(None)} if self.datatype.startswith("FP") else {int}
        if not set(map(type, data)) <= kinds:
            odd = next(v for v in data if type(v) not in kinds)
            raise Refused(f'tensor "{self.name}": {shown(odd)} is not {self.datatype}')
        return self._counted(data)

    def text(self):
        """A flat list of Python values; BYTES as text."""
        if isinstance(self._items, np.ndarray):
            return self._items.tolist()
        if self.datatype == "BYTES":
            try:
                return [v.decode() if isinstance(v, bytes) else v for v in self._items]
            except UnicodeDecodeError:
                raise Refused(f'tensor "{self.name}" holds bytes that are no UTF-8 text') from None
        if self.datatype == "BOOL":
            return [bool(v) for v in self._items]
        return list(self._items)

    def values(self):
        """A flat list; BYTES as bytes."""
        if self.datatype == "BYTES":
            return [v.encode() if isinstance(v, str) else v for v in self._items]
        return self.text()

    def array(self):
        if self.datatype == "BYTES":
            return np.array(self.text(), object).reshape(self.shape)
        try:
            items = self._items
            if not isinstance(items, np.ndarray):
                items = [math.nan if v is None else v for v in items]
            return np.array(items, V2_NUMPY[self.datatype]).reshape(self.shape)
        except (OverflowError, ValueError):
            raise Refused(f'tensor "{self.name}" holds a number that does not fit {self.datatype}') from None


def json_object(body, what):
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Refused(f"{what} is not JSON: {short(error)}") from None
    if not isinstance(document, dict):
        raise Refused(f"{what} must be a JSON object")
    return document


def read_mlflow(signature, header, body):
    """Gives (input, params)."""
    content_type, *parameters = [p.strip().lower() for p in header.get("type", "").split(";")]
    if any(p.startswith("charset=") and p[8:].strip('"') not in ("utf-8", "utf8") for p in parameters):
        raise Refused("only UTF-8 is understood", 415)
    allowed = header.get("allowed", ())
    if content_type in ("text/csv", "application/vnd.apache.parquet"):
        return signature.from_frame(read_frame(signature, content_type, body), allowed), None
    if content_type not in ("application/json", "", "application/x-www-form-urlencoded"):
        raise Refused(f'content type "{content_type}" is not understood: send application/json or text/csv', 415)
    document = json_object(body, "the request body")
    given = [f for f in FORMATS if f in document]
    if len(given) != 1:
        listed = ", ".join(f'"{f}"' for f in FORMATS)
        raise Refused(f"the request must hold exactly one of {listed}; it holds "
                      + (", ".join(shown(k) for k in document) or "nothing"))
    params = document.get("params")
    if params is not None and not isinstance(params, dict):
        raise Refused('"params" must be an object')
    return signature.from_document(given[0], document[given[0]], allowed), params or None


def read_frame(signature, content_type, body):
    import pandas as pd

    try:
        if content_type == "text/csv":
            texts = {c.name: str for c in getattr(signature, "columns", ()) if c.type in ("string", "binary", "datetime")}
            return pd.read_csv(io.BytesIO(body), dtype=texts or None)
        return pd.read_parquet(io.BytesIO(body))
    except Exception as error:
        raise Refused(f"the body cannot be read as {content_type}: {short(error)}") from None


def read_v2(signature, header, body, params_known):
    """Gives (input, params, the request's document)."""
    length = header.get("json_bytes")
    document = json_object(body if length is None else body[:length], "the request body")
    rest = memoryview(body)[length:] if length is not None else b""
    inputs = document.get("inputs")
    if not isinstance(inputs, list) or not inputs:
        raise Refused('"inputs" must be a list of tensors')
    tensors, at = {}, 0
    for entry in inputs:
        name = entry.get("name") if isinstance(entry, dict) else None
        if not isinstance(name, str):
            raise Refused('every input must be an object with a "name"')
        datatype, shape = entry.get("datatype"), entry.get("shape")
        if datatype != "BYTES" and datatype not in V2_NUMPY:
            raise Refused(f'tensor "{name}": datatype {shown(datatype)} is not one of BYTES, {", ".join(V2_NUMPY)}')
        if not isinstance(shape, list) or not shape or not all(type(d) is int and d >= 0 for d in shape):
            raise Refused(f'tensor "{name}": shape {shown(shape)} must be a list of sizes')
        if name in tensors:
            raise Refused(f'tensor "{name}" is given twice')
        size = (entry.get("parameters") or {}).get("binary_data_size")
        raw = None
        if size is not None:
            if type(size) is not int or size < 0 or at + size > len(rest):
                raise Refused(f'tensor "{name}": binary_data_size {shown(size)} is more than the body holds')
            raw, at = rest[at:at + size], at + size
        tensors[name] = Tensor(name, datatype, shape, entry.get("data"), raw)
    if at != len(rest):
        raise Refused(f"the body has {len(rest) - at} bytes that belong to no tensor")
    params = {k: v for k, v in (document.get("parameters") or {}).items() if k in params_known}
    return signature.from_tensors(tensors, header.get("allowed", ())), params or None, document
