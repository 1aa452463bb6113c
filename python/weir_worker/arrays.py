"""Models whose signature has tensors: a request becomes numpy arrays, or a refusal that names the tensor."""

import numpy as np

from .common import Refused, nearest, v2_of_numpy


class ArrayBatch:
    """Tensors of one request, by name (None for a model with one unnamed tensor)."""

    def __init__(self, arrays):
        self.arrays = arrays
        first = next(iter(arrays.values()))
        self.rows = first.shape[0] if first.ndim else 1

    def key(self):
        return ("tensors", *[(n, a.dtype.str, a.shape[1:]) for n, a in self.arrays.items()])

    @staticmethod
    def merge(batches):
        if len(batches) == 1:
            return batches[0]
        return ArrayBatch({n: np.concatenate([b.arrays[n] for b in batches]) for n in batches[0].arrays})


class TensorSignature:
    """Tensors with fixed element type and shape."""

    def __init__(self, schema):
        self.specs = list(schema.inputs)
        self.named = schema.has_input_names()
        self.by_name = {s.name if self.named else None: s for s in self.specs}

    def array(self, spec, data):
        label = f'tensor "{spec.name}"' if spec.name else "the tensor"
        try:
            array = np.array(data, dtype=spec.type)
        except (ValueError, TypeError, OverflowError):
            raise Refused(f"{label} does not hold {spec.type} values in rows of equal length") from None
        shape = tuple(spec.shape)
        if len(array.shape) != len(shape) or any(w not in (-1, g) for w, g in zip(shape, array.shape)):
            raise Refused(f"{label} has shape {list(array.shape)}, expected {list(shape)}")
        return array

    def from_arrays(self, given, allowed):
        if not self.named:
            if len(given) != 1:
                raise Refused(f"{len(given)} tensors were sent, the model has one")
            return ArrayBatch({None: self.array(self.specs[0], next(iter(given.values())))})
        missing = [n for n in self.by_name if n not in given]
        extra = [n for n in given if n not in self.by_name and n not in allowed]
        if missing:
            raise Refused(f'missing tensor "{missing[0]}"{nearest(missing[0], extra)}')
        if extra:
            raise Refused(f'unexpected tensor "{extra[0]}"{nearest(extra[0], self.by_name)}')
        batch = ArrayBatch({n: self.array(s, given[n]) for n, s in self.by_name.items()})
        for name, array in batch.arrays.items():
            if array.ndim and array.shape[0] != batch.rows:
                raise Refused(f'tensor "{name}" has {array.shape[0]} rows, the first one has {batch.rows}')
        return batch

    def from_document(self, form, data, allowed):
        if form == "dataframe_split":
            rows = data.get("data") if isinstance(data, dict) else None
            if not isinstance(rows, list):
                raise Refused('dataframe_split must be an object with "columns" and "data"')
            names = data.get("columns")
            if not self.named:
                return self.from_arrays({None: rows}, allowed)
            if not isinstance(names, list) or any(not isinstance(r, list) or len(r) != len(names) for r in rows):
                raise Refused('every row of dataframe_split must hold one value for each of its "columns"')
            return self.from_arrays({n: [r[i] for r in rows] for i, n in enumerate(names)}, allowed)
        if isinstance(data, list) and data and isinstance(data[0], dict):
            try:
                data = {name: [row[name] for row in data] for name in data[0]}
            except (KeyError, TypeError):
                raise Refused(f"every row of {form} must have the same members") from None
        if isinstance(data, dict):
            return self.from_arrays(data, allowed)
        return self.from_arrays({self.specs[0].name if self.named else None: data}, allowed)

    def from_frame(self, frame, allowed):
        if self.named:
            return self.from_arrays({n: frame[n].tolist() for n in frame.columns}, allowed)
        return self.from_arrays({None: frame.to_numpy()}, allowed)

    def from_tensors(self, tensors, allowed):
        return self.from_arrays({n: t.array() for n, t in tensors.items()}, allowed)

    def model_input(self, batch):
        if batch.rows == 0:
            return None
        return batch.arrays if self.named else batch.arrays[None]

    def described(self):
        return [{"name": s.name or f"input-{i}", "type": str(s.type), "required": True,
                 "datatype": v2_of_numpy(s.type), "shape": list(s.shape)} for i, s in enumerate(self.specs)]
