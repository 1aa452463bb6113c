"""Models whose signature has columns: a request's rows become a DataFrame, or a refusal that names the column."""

import base64
import math

import numpy as np

from .common import V2_FITS, V2_OF_COLUMN, Refused, nearest, shown


class Column:
    """One input of a column signature: converts a list of JSON values into what the model was trained on."""

    def __init__(self, spec, position):
        self.position = position
        self.name = spec.name
        self.required = getattr(spec, "required", True)
        self.type = getattr(spec.type, "name", None) or type(spec.type).__name__
        self.label = f'column "{self.name}"' if self.name is not None else f"column {position}"
        self.convert = getattr(self, "_" + self.type, self._as_it_is)

    def _wrong(self, values, fits, expected):
        for row, value in enumerate(values):
            if not fits(value):
                what = "null" if value is None else shown(value)
                raise Refused(f"{self.label}, row {row}: {what} is not {expected}")
        raise Refused(f"{self.label}: the values are not {expected}")

    def _integers(self, values, dtype, low, high, expected):
        if set(map(type, values)) != {int}:
            def fits(v):
                return type(v) is int or (type(v) is float and v.is_integer())
            if not all(map(fits, values)):
                self._wrong(values, fits, expected)
            values = [int(v) for v in values]
        if not (low <= min(values) and max(values) <= high):
            self._wrong(values, lambda v: low <= v <= high, expected)
        return np.array(values, dtype)

    def _integer(self, values):
        return self._integers(values, "int32", -(2**31), 2**31 - 1, "an integer of 32 bits")

    def _long(self, values):
        return self._integers(values, "int64", -(2**63), 2**63 - 1, "an integer (long)")

    def _floats(self, values, dtype, expected):
        kinds = set(map(type, values))
        if not kinds <= {float, int}:
            if not kinds <= {float, int, type(None)}:
                self._wrong(values, lambda v: v is None or type(v) in (float, int), expected)
            values = [math.nan if v is None else v for v in values]
        try:
            return np.array(values, dtype)
        except OverflowError:
            raise Refused(f"{self.label}: a number is too large for {expected}") from None

    def _float(self, values):
        return self._floats(values, "float32", "a number (float)")

    def _double(self, values):
        return self._floats(values, "float64", "a number (double)")

    def _boolean(self, values):
        def fits(v):
            return type(v) is bool or (type(v) is int and v in (0, 1)) or (v is None and not self.required)
        if not all(map(fits, values)):
            self._wrong(values, fits, "true or false")
        return np.array([v if v is None else bool(v) for v in values], object if None in values else bool)

    def _string(self, values):
        if not set(map(type, values)) <= {str, type(None)}:
            self._wrong(values, lambda v: v is None or type(v) is str, "a string")
        return np.array(values, object)

    def _binary(self, values):
        def decode(row, value):
            if isinstance(value, bytes) or value is None:
                return value
            try:
                return base64.b64decode(value, validate=True)
            except (ValueError, TypeError):
                raise Refused(f"{self.label}, row {row}: {shown(value)} is not base64 text") from None
        out = np.empty(len(values), object)
        out[:] = [decode(row, value) for row, value in enumerate(values)]
        return out

    def _datetime(self, values):
        import pandas as pd

        if not set(map(type, values)) <= {str, type(None)}:
            self._wrong(values, lambda v: v is None or type(v) is str, "a time as ISO 8601 text")
        try:
            return pd.to_datetime(pd.Series(values)).astype("datetime64[ns]").to_numpy()
        except (ValueError, TypeError):
            for row, value in enumerate(values):
                try:
                    pd.to_datetime(value)
                except (ValueError, TypeError):
                    raise Refused(f"{self.label}, row {row}: {shown(value)} is not a time as ISO 8601 text") from None
            raise Refused(f"{self.label}: times with and without an offset are mixed") from None

    def _as_it_is(self, values):
        out = np.empty(len(values), object)
        out[:] = values
        return out


class ColumnTable:
    """Rows of one request as lists of values by column, not yet converted."""

    def __init__(self, columns, rows):
        self.columns = columns
        self.rows = rows

    def key(self):
        return ("columns", *self.columns)

    @staticmethod
    def merge(tables):
        if len(tables) == 1:
            return tables[0]
        merged = {name: [v for t in tables for v in t.columns[name]] for name in tables[0].columns}
        return ColumnTable(merged, sum(t.rows for t in tables))


class ColumnSignature:
    """Named or unnamed columns: requests become a DataFrame."""

    def __init__(self, schema):
        self.columns = [Column(spec, i) for i, spec in enumerate(schema.inputs)]
        self.named = schema.has_input_names()
        self.by_name = {c.name if self.named else c.position: c for c in self.columns}

    def check_names(self, names, allowed):
        missing = [c for c in self.columns if c.required and c.name not in names]
        extra = [n for n in names if n not in self.by_name and n not in allowed]
        if missing:
            hint = nearest(missing[0].name, extra)
            listed = ", ".join(f'"{c.name}" ({c.type})' for c in missing)
            raise Refused(f"missing column{'s' if len(missing) > 1 else ''} {listed}{hint}")
        if extra:
            listed = ", ".join(shown(n) for n in extra)
            hint = nearest(extra[0], [n for n in self.by_name if n not in names] or self.by_name)
            raise Refused(f"unexpected column{'s' if len(extra) > 1 else ''} {listed}: the model does not have "
                          f"{'them' if len(extra) > 1 else 'it'}{hint}")

    def from_rows(self, names, rows, allowed, what):
        """`rows` is a list of lists; `names` is None for positions."""
        if not isinstance(rows, list) or not all(type(r) is list for r in rows):
            raise Refused(f"{what} must be a list of rows, each a list of values")
        if self.named:
            if names is None:
                raise Refused(f'{what} has no "columns": the model\'s are ' + ", ".join(f'"{c.name}"' for c in self.columns))
            if not isinstance(names, list) or not all(isinstance(n, str) for n in names):
                raise Refused(f"the columns of {what} must be a list of strings")
            if len(set(names)) != len(names):
                twice = next(n for n in names if names.count(n) > 1)
                raise Refused(f'column "{twice}" is given twice')
            self.check_names(names, allowed)
            width = len(names)
        else:
            width = len(self.columns)
        for number, row in enumerate(rows):
            if len(row) != width:
                raise Refused(f"{what}, row {number}: {len(row)} values for {width} columns")
        if not self.named:
            return ColumnTable({i: [r[i] for r in rows] for i in range(width)}, len(rows))
        at = {n: i for i, n in enumerate(names)}
        return ColumnTable({c.name: [r[at[c.name]] for r in rows] for c in self.columns if c.name in at}, len(rows))

    def from_records(self, records, allowed, what):
        if not isinstance(records, list) or not all(type(r) is dict for r in records):
            raise Refused(f"{what} must be a list of objects, one a row, each with the columns as its members")
        if not self.named:
            raise Refused(f"{what}: the model's columns have no names; send rows as lists in dataframe_split")
        seen = {}
        for record in records:
            seen.update(dict.fromkeys(record))
        if records:
            self.check_names(seen, allowed)
        columns = {}
        for column in self.columns:
            if column.name not in seen:
                continue
            if column.required:
                for row, record in enumerate(records):
                    if column.name not in record:
                        raise Refused(f'missing column "{column.name}" ({column.type}) in row {row}')
            columns[column.name] = [r.get(column.name) for r in records]
        return ColumnTable(columns, len(records))

    def from_columns(self, columns, allowed, what):
        if not self.named:
            raise Refused(f"{what}: the model's columns have no names; send rows as lists in dataframe_split")
        self.check_names(columns, allowed)
        kept = {}
        for column in self.columns:
            if column.name in columns:
                values = columns[column.name]
                kept[column.name] = values if isinstance(values, list) else [values]
        lengths = {name: len(values) for name, values in kept.items()}
        if len(set(lengths.values())) > 1:
            first, *others = lengths
            odd = next(n for n in others if lengths[n] != lengths[first])
            raise Refused(f'column "{odd}" has {lengths[odd]} values, column "{first}" has {lengths[first]}')
        return ColumnTable(kept, next(iter(lengths.values()), 0))

    def from_document(self, form, data, allowed):
        if form == "dataframe_split":
            if not isinstance(data, dict) or "data" not in data or not set(data) <= {"columns", "data", "index"}:
                raise Refused('dataframe_split must be an object with "columns" and "data"')
            return self.from_rows(data.get("columns"), data["data"], allowed, "dataframe_split")
        if form == "dataframe_records":
            return self.from_records(data, allowed, form)
        if isinstance(data, dict) and form == "inputs":
            return self.from_columns(data, allowed, form)
        if isinstance(data, list) and data and isinstance(data[0], dict):
            return self.from_records(data, allowed, form)
        if isinstance(data, list) and len(self.columns) == 1:
            column = self.columns[0]
            return ColumnTable({column.name if self.named else 0: data}, len(data))
        raise Refused(f"{form} must hold the columns " + ", ".join(c.label for c in self.columns))

    def from_frame(self, frame, allowed):
        """A DataFrame that pandas read from CSV or Parquet."""
        if self.named:
            self.check_names(list(frame.columns), allowed)
            names = [c.name for c in self.columns if c.name in frame.columns]
        else:
            if len(frame.columns) != len(self.columns):
                raise Refused(f"{len(frame.columns)} columns were sent, the model has {len(self.columns)}")
            names = list(range(len(self.columns)))
        columns = {}
        for name in names:
            series = frame[name] if self.named else frame.iloc[:, name]
            missing = series.isna().tolist()
            values = [v.isoformat() if hasattr(v, "isoformat") else v for v in series.tolist()]
            columns[name] = [None if m else v for v, m in zip(values, missing)]
        return ColumnTable(columns, len(frame))

    def from_tensors(self, tensors, allowed):
        columns = {}
        for name, tensor in tensors.items():
            column = self.by_name.get(name)
            if column is None:
                continue  # named by check_names below
            rows = tensor.shape[0] if tensor.shape else 0
            if len(tensor.shape) != 1 and tensor.shape != [rows, 1]:
                raise Refused(f'tensor "{name}" has shape {tensor.shape}, expected [{rows}]')
            if column.type in V2_FITS and tensor.datatype not in V2_FITS[column.type]:
                raise Refused(f'tensor "{name}" has datatype {tensor.datatype}, expected {V2_OF_COLUMN[column.type]}')
            columns[name] = tensor.text() if column.type != "binary" else tensor.values()
        if not self.named and len(tensors) == 1:
            tensor = next(iter(tensors.values()))
            if len(tensor.shape) != 2 or tensor.shape[1] != len(self.columns):
                raise Refused(f'tensor "{tensor.name}" has shape {tensor.shape}, expected [-1, {len(self.columns)}]')
            return self.from_rows(None, tensor.array().tolist(), allowed, f'tensor "{tensor.name}"')
        return self.from_columns({**dict.fromkeys(tensors, []), **columns}, allowed, "inputs")

    def model_input(self, table):
        import pandas as pd

        if table.rows == 0:
            return None
        return pd.DataFrame({n: self.by_name[n].convert(v) for n, v in table.columns.items()})

    def described(self):
        return [{"name": c.name if c.name is not None else f"input-{c.position}", "type": c.type, "required": c.required,
                 "datatype": V2_OF_COLUMN.get(c.type, "BYTES"), "shape": [-1]} for c in self.columns]
