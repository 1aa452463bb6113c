"""The worker's loop: reads what waits, groups what fits together, predicts once a group, answers each request.

A frame, both ways, is "<IIQB" (length of the header, length of the body, id, kind), a JSON header and a body.
  to the worker     PREDICT  {"protocol": "mlflow"|"v2", "type", "name", "version", "allowed", "json_bytes", "until", "solo"}
  from the worker   READY    what the model is      FAILED  {"message"} instead of READY
                    TAKEN    {"ids"}: these are predicted now; if the worker dies, one of them may be why
                    ANSWER   {"status", "type"}
"""

import json
import os
import select
import socket
import struct
import sys
import threading
import time

FRAME = struct.Struct("<IIQB")
PREDICT, ANSWER, TAKEN, READY, FAILED = 1, 2, 3, 4, 5
READ_BYTES = 1 << 20
CYCLE_REQUESTS_MAX = 512
CYCLE_BYTES_MAX = 64 << 20
PROBE_ROWS_MAX = 8


class Request:
    def __init__(self, number, header, body):
        self.number = number
        self.header = header
        self.body = body
        self.protocol = header.get("protocol", "mlflow")
        self.input = None
        self.params = None
        self.document = None

    def key(self):
        """Requests of equal keys may share a prediction; None stays alone."""
        key = None if self.header.get("solo") else self.input.key()
        return key if key is None or self.params is None else (key, json.dumps(self.params, sort_keys=True))


class Channel:
    """Frames on a stream socket."""

    def __init__(self, sock):
        self.socket = sock
        self.buffer = bytearray()

    def send(self, frames):
        self.socket.sendall(b"".join(
            part for number, kind, header, body in frames
            for part in self._encode(number, kind, header, body)))

    @staticmethod
    def _encode(number, kind, header, body):
        text = json.dumps(header, separators=(",", ":")).encode()
        return FRAME.pack(len(text), len(body), number, kind), text, body

    def _frames(self):
        frames, at = [], 0
        while len(self.buffer) - at >= FRAME.size and len(frames) < CYCLE_REQUESTS_MAX:
            header_bytes, body_bytes, number, kind = FRAME.unpack_from(self.buffer, at)
            middle = at + FRAME.size + header_bytes
            if len(self.buffer) < middle + body_bytes:
                break
            with memoryview(self.buffer) as view:
                header = json.loads(bytes(view[at + FRAME.size:middle])) if header_bytes else {}
                frames.append((number, kind, header, bytes(view[middle:middle + body_bytes])))
            at = middle + body_bytes
        if at:
            del self.buffer[:at]
        return frames

    def receive(self):
        """Every frame that waits, at least one; None once the other side has closed."""
        while True:
            try:
                while True:
                    chunk = self.socket.recv(READ_BYTES, socket.MSG_DONTWAIT)
                    if not chunk:
                        return None
                    self.buffer += chunk
                    if len(self.buffer) >= CYCLE_BYTES_MAX:
                        break
            except BlockingIOError:
                pass
            except ConnectionResetError:
                return None
            if frames := self._frames():
                return frames
            select.select([self.socket], [], [])


class Server:
    def __init__(self, model, channel, batch_rows_max):
        self.model = model
        self.channel = channel
        self.batch_rows_max = batch_rows_max
        metadata = model.metadata
        schema = metadata.get_input_schema()
        self.signature = self._signature(metadata, schema)
        params = metadata.get_params_schema() if hasattr(metadata, "get_params_schema") else None
        self.params_known = {p.name for p in params.params} if params else set()
        outputs = metadata.get_output_schema()
        self.output_names = [n for n in outputs.input_names()] if outputs is not None and outputs.has_input_names() else []
        self.outputs = outputs
        self.has_signature = schema is not None
        self.row_wise = batch_rows_max > 1

    @staticmethod
    def _signature(metadata, schema):
        from . import arrays, columns, requests

        if getattr(metadata, "_is_signature_from_type_hint", lambda: False)():
            return requests.RawSignature()
        if schema is None or not schema.inputs:
            return requests.NoSignature()
        return arrays.TensorSignature(schema) if schema.is_tensor_spec() else columns.ColumnSignature(schema)

    def described(self):
        from . import arrays, columns

        outputs = []
        if self.outputs is not None and self.outputs.inputs:
            kind = arrays.TensorSignature if self.outputs.is_tensor_spec() else columns.ColumnSignature
            outputs = kind(self.outputs).described()
            for i, entry in enumerate(outputs):
                if not self.output_names:
                    entry["name"] = f"output-{i + 1}"
        flavors = [f for f in self.model.metadata.flavors if f != "python_function"]
        return {"flavor": flavors[0] if flavors else "python_function", "signature": self.has_signature,
                "inputs": self.signature.described(), "outputs": outputs, "params": sorted(self.params_known),
                "row_wise": self.row_wise, "python": sys.version.split()[0]}

    def predict(self, model_input, params):
        if params is not None:
            return self.model.predict(model_input, params=params)
        return self.model.predict(model_input)

    def probe(self, body):
        """Predicts the model's example whole and row by row: rows that depend on their neighbours forbid batching."""
        from . import answers, requests
        from .common import Refused

        if not self.row_wise:
            return
        try:
            given, params = requests.read_mlflow(self.signature, {"type": "application/json"}, body)
            if given.key() is None or params is not None or given.rows == 0:
                return
            twice = type(given).merge([given, given])
            single = self.predict(self.signature.model_input(given), None)
            halves = answers.split(self.predict(self.signature.model_input(twice), None), [given.rows] * 2)
            self.row_wise = all(close(single, half) for half in halves) and self._rows_alone(given, single)
        except answers.CannotSplit:
            self.row_wise = False
        except Refused:
            return
        except Exception:
            return  # a model that fails on its own example is found by the smoke test, which says why

    def _rows_alone(self, given, whole):
        from . import answers, columns

        if not isinstance(given, columns.ColumnTable) or given.rows < 2:
            return True
        parts = answers.split(whole, [1] * given.rows)[:PROBE_ROWS_MAX]
        for row, part in enumerate(parts):
            table = columns.ColumnTable({n: [v[row]] for n, v in given.columns.items()}, 1)
            if not close(self.predict(self.signature.model_input(table), None), part):
                return False
        return True

    def serve(self):
        while (frames := self.channel.receive()) is not None:
            requests = [Request(n, header, body) for n, kind, header, body in frames if kind == PREDICT]
            groups = {}
            done = []
            for request in requests:
                refusal = self._read(request)
                if refusal is not None:
                    done.append((request.number, ANSWER, *refusal))
                    continue
                key = request.key() if self.row_wise else None
                groups.setdefault(key if key is not None else ("alone", request.number), []).append(request)
            if done:
                self.channel.send(done)
            for group in groups.values():
                for part in self._limited(group):
                    self._predict_group(part)

    def _limited(self, group):
        part, rows = [], 0
        for request in group:
            if part and rows + request.input.rows > self.batch_rows_max:
                yield part
                part, rows = [], 0
            part.append(request)
            rows += request.input.rows
        yield part

    def _read(self, request):
        """Parses a request; its answer if it is refused."""
        from . import answers, requests
        from .common import Refused, short

        if time.monotonic() > request.header.get("until", float("inf")):
            return answers.error_answer(request.protocol, 504, "the request's time was up before it was its turn")
        try:
            if request.protocol == "v2":
                request.input, request.params, request.document = requests.read_v2(
                    self.signature, request.header, request.body, self.params_known)
            else:
                request.input, request.params = requests.read_mlflow(self.signature, request.header, request.body)
            request.body = b""
        except Refused as refusal:
            return answers.error_answer(request.protocol, refusal.status, str(refusal))
        except Exception as error:
            return answers.error_answer(request.protocol, 400, f"the request cannot be read: {short(error)}")
        return None

    def _predict_group(self, group):
        """Predicts requests together. Where that fails, the ones at fault are found by halving."""
        from . import answers

        self.channel.send([(0, TAKEN, {"ids": [r.number for r in group]}, b"")])
        if len(group) == 1:
            self.channel.send([(group[0].number, ANSWER, *self._single(group[0]))])
            return
        try:
            predictions = self._together(group)
        except answers.CannotSplit:
            self.row_wise = False
            for request in group:
                self._predict_group([request])
        except Exception:
            sound = self._convertible(group)
            if len(sound) < len(group):
                self._predict_group_unless_empty(sound)
            else:
                half = len(group) // 2
                self._predict_group(group[:half])
                self._predict_group(group[half:])
        else:
            self.channel.send([(r.number, ANSWER, *self._answer(r, p)) for r, p in zip(group, predictions)])

    def _predict_group_unless_empty(self, group):
        if group:
            self._predict_group(group)

    def _together(self, group):
        from . import answers

        merged = type(group[0].input).merge([r.input for r in group])
        model_input = self.signature.model_input(merged)
        if model_input is None:
            return [[] for _ in group]
        return answers.split(self.predict(model_input, group[0].params), [r.input.rows for r in group])

    def _convertible(self, group):
        """The requests whose values the signature takes; the others are answered here."""
        from .common import Refused

        sound, refused = [], []
        for request in group:
            try:
                self.signature.model_input(request.input)
                sound.append(request)
            except Refused as refusal:
                refused.append((request.number, ANSWER, *self._failure(request, refusal)))
        if refused:
            self.channel.send(refused)
        return sound

    def _single(self, request):
        try:
            model_input = self.signature.model_input(request.input)
            prediction = [] if model_input is None else self.predict(model_input, request.params)
        except Exception as error:
            return self._failure(request, error)
        return self._answer(request, prediction)

    def _answer(self, request, prediction):
        from . import answers

        try:
            if request.protocol == "v2":
                return answers.v2_answer(prediction, self.output_names, request.header, request.document)
            return answers.mlflow_answer(prediction)
        except Exception as error:
            return self._failure(request, error)

    def _failure(self, request, error):
        from . import answers
        from .common import Refused, short

        if isinstance(error, Refused):
            return answers.error_answer(request.protocol, error.status, str(error))
        wrong_input = type(error).__name__ == "MlflowException" and getattr(error, "error_code", "") in (
            "INVALID_PARAMETER_VALUE", "BAD_REQUEST", "INTERNAL_ERROR")
        if wrong_input:
            return answers.error_answer(request.protocol, 400, str(error).strip().splitlines()[0][:1000])
        print(f"predict failed: {short(error)}", file=sys.stderr, flush=True)
        # Without a signature nothing could be checked before: the input is the likelier culprit.
        status = 500 if self.has_signature else 400
        return answers.error_answer(request.protocol, status, f"the model failed on this input: {short(error)}")


def close(a, b):
    import numpy as np

    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(close(a[k], b[k]) for k in a)
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape:
        return False
    if a.dtype.kind in "fc" and b.dtype.kind in "fc":
        return bool(np.allclose(a, b, rtol=1e-5, atol=1e-8, equal_nan=True))
    return bool((a == b).all())


def example_of(folder):
    try:
        with open(os.path.join(folder, "serving_input_example.json"), "rb") as file:
            return file.read()
    except OSError:
        return None


def leave_with_parent(sock):
    """Ends this process once the server is gone, even in the middle of a prediction."""
    poll = select.poll()
    poll.register(sock, select.POLLHUP)
    poll.poll()
    os._exit(0)


def set_limits(options):
    if limit := options.get("memory_bytes_max"):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def main(arguments):
    folder, options = arguments[0], json.loads(arguments[1]) if len(arguments) > 1 else {}
    sock = socket.socket(fileno=os.dup(0))
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)  # what models print goes where errors go
    channel = Channel(sock)
    threading.Thread(target=leave_with_parent, args=(sock,), daemon=True).start()
    try:
        set_limits(options)
        import mlflow.pyfunc

        server = Server(mlflow.pyfunc.load_model(folder), channel, options.get("batch_rows_max", 1024))
        if (example := example_of(folder)) is not None:
            server.probe(example)
        channel.send([(0, READY, server.described(), b"")])
    except Exception as error:
        import traceback

        from .common import short

        traceback.print_exc()
        channel.send([(0, FAILED, {"message": short(error)}, b"")])
        return 1
    server.serve()
    return 0
