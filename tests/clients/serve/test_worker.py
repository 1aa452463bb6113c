"""The model worker alone, over its socket: parsing, checks against the signature, micro-batches, answers."""

import json

import pytest

JSON = {"protocol": "mlflow", "type": "application/json"}
COLUMNS = ["distance", "hour", "carrier"]


def split(columns, *rows):
    return {"dataframe_split": {"columns": columns, "data": list(rows)}}


def message(answer):
    status, document = answer
    assert status == 400, document
    assert "Traceback" not in json.dumps(document)
    return document["message"]


def test_describes_the_model_by_its_signature(worker):
    hello = worker("flights").hello
    assert hello["flavor"] == "sklearn" and hello["signature"] and hello["row_wise"]
    assert [(i["name"], i["type"], i["datatype"], i["shape"]) for i in hello["inputs"]] == [
        ("distance", "double", "FP64", [-1]), ("hour", "long", "INT64", [-1]), ("carrier", "string", "BYTES", [-1])]
    assert hello["outputs"][0]["datatype"] == "INT64"


@pytest.mark.parametrize("body", [
    split(COLUMNS, [2000.0, 20, "AA"], [100.0, 3, "UA"]),
    split(["carrier", "hour", "distance"], ["AA", 20, 2000], ["UA", 3, 100]),
    {"dataframe_records": [{"distance": 2000, "hour": 20, "carrier": "AA"}, {"carrier": "UA", "distance": 100, "hour": 3.0}]},
    {"instances": [{"distance": 2000, "hour": 20, "carrier": "AA"}, {"distance": 100, "hour": 3, "carrier": "UA"}]},
    {"inputs": {"distance": [2000, 100], "hour": [20, 3], "carrier": ["AA", "UA"]}},
])
def test_takes_every_form_of_mlflows_protocol(worker, body):
    assert worker("flights").mlflow(body) == (200, {"predictions": [1, 0]})


def test_takes_csv(worker):
    text = b"distance,hour,carrier\n2000,20,AA\n100,3,UA\n"
    assert worker("flights").mlflow(text, "text/csv; charset=utf-8") == (200, {"predictions": [1, 0]})


@pytest.mark.parametrize(("body", "expected"), [
    (split(["distance", "hour"], [1, 2]), 'missing column "carrier" (string)'),
    (split(["distance", "hour", "carier"], [1, 2, "AA"]), 'did you mean "carier"?'),
    (split([*COLUMNS, "tail"], [1, 2, "AA", 3]), 'unexpected column "tail"'),
    (split(COLUMNS, [1, 2, "AA"], [1, 2.5, "AA"]), 'column "hour", row 1: 2.5 is not an integer'),
    (split(COLUMNS, [1, None, "AA"]), 'column "hour", row 0: null is not an integer'),
    (split(COLUMNS, ["far", 2, "AA"]), 'column "distance", row 0: "far" is not a number'),
    (split(COLUMNS, [True, 2, "AA"]), 'column "distance", row 0: true is not a number'),
    (split(COLUMNS, [1, 2, 5]), 'column "carrier", row 0: 5 is not a string'),
    (split(COLUMNS, [1, 2, "AA"], [1, 2]), "row 1: 2 values for 3 columns"),
    (split(COLUMNS, [1, 2**70, "AA"]), 'column "hour"'),
    (split(["distance", "distance", "carrier"], [1, 2, "AA"]), '"distance" is given twice'),
    ({"dataframe_split": {"data": [[1, 2, "AA"]]}}, 'no "columns"'),
    ({"dataframe_records": [{"distance": 1, "hour": 2, "carrier": "AA"}, {"distance": 1, "hour": 2}]},
     'missing column "carrier" (string) in row 1'),
    ({"dataframe_records": {"distance": 1}}, "must be a list of objects"),
    ({"inputs": {"distance": [1, 2], "hour": [1], "carrier": ["AA"]}}, 'column "hour" has 1 values'),
    ({"rows": []}, 'exactly one of "dataframe_split"'),
    ({"inputs": [], "instances": []}, "exactly one of"),
    (b"[1]", "must be a JSON object"),
    (b'{"inputs": ', "is not JSON"),
    (b"\xff\xfe", "is not JSON"),
])
def test_refuses_bad_input_and_names_the_field(worker, body, expected):
    assert expected in message(worker("flights").mlflow(body))


def test_refuses_other_content_types(worker):
    assert worker("flights").mlflow(b"x", "image/png")[0] == 415
    assert "cannot be read as text/csv" in message(worker("flights").mlflow(b"", "text/csv"))


def test_drops_columns_that_only_the_endpoint_knows(worker):
    body = split([*COLUMNS, "flight_id"], [2000.0, 20, "AA", "UA-1"])
    assert worker("flights").mlflow(body, allowed=["flight_id"]) == (200, {"predictions": [1]})


def test_answers_no_rows_with_no_predictions(worker):
    assert worker("flights").mlflow(split(COLUMNS)) == (200, {"predictions": []})


def test_reads_every_column_type(worker):
    row = {"flag": False, "small": 7, "number": 2, "when": "2013-07-04T05:06:07", "data": "eHl6"}
    status, document = worker("types").mlflow({"dataframe_records": [row]})
    assert status == 200, document
    text = document["predictions"][0]
    assert "flag=False" in text and "small=7" in text and "number=2.0" in text
    assert "2013-07-04 05:06:07" in text and "data=b'xyz'" in text
    for column, value, expected in [("flag", "yes", "true or false"), ("small", 2**40, "32 bits"), ("when", "soon", "ISO 8601"),
                                    ("when", 5, "ISO 8601"), ("data", "§", "base64")]:
        assert f'column "{column}", row 0' in (text := message(worker("types").mlflow({"dataframe_records": [{**row, column: value}]})))
        assert expected in text


def test_predicts_what_waits_together(worker):
    bodies = [split(COLUMNS, [2000.0, 20, "AA"]), split(COLUMNS, [100.0, 3, "UA"], [2000.0, 20, "AA"])] * 20
    flights = worker("flights")
    answers = flights.ask_all([(JSON, body) for body in bodies])
    assert [json.loads(text)["predictions"] for _, text in answers] == [[1], [0, 1]] * 20
    assert len(flights.taken) < 10, "40 requests that wait at once need few predictions"


def test_a_bad_request_does_not_harm_its_neighbours(worker):
    good = split(COLUMNS, [2000.0, 20, "AA"])
    bodies = [good, split(COLUMNS, [1, 2, 5]), good, split(["distance"], [1]), good]
    answers = worker("flights").ask_all([(JSON, body) for body in bodies])
    assert [header["status"] for header, _ in answers] == [200, 400, 200, 400, 200]


def test_a_row_that_the_model_cannot_take_does_not_harm_its_neighbours(worker):
    bodies = [split(["x"], [float(x)]) for x in [1, 2, 13, 4, 5, 6, 7, 13, 9]]
    answers = worker("touchy").ask_all([(JSON, body) for body in bodies])
    assert [header["status"] for header, _ in answers] == [200, 200, 500, 200, 200, 200, 200, 500, 200]
    text = answers[2][1].decode()
    assert "RuntimeError: thirteen is unlucky" in text and "second line" not in text and "Traceback" not in text
    assert json.loads(answers[3][1]) == {"predictions": [4.0]}


def test_rows_that_depend_on_their_neighbours_are_not_put_together(worker):
    ranked = worker("ranked")
    assert ranked.hello["row_wise"] is False
    answers = ranked.ask_all([(JSON, split(["x"], [float(x)])) for x in [5, 1, 3]])
    assert [json.loads(text) for _, text in answers] == [{"predictions": [1.0]}] * 3


def test_requests_of_other_params_are_not_put_together(worker):
    scaled = worker("scaled")
    bodies = [{**split(["x"], [2.0]), "params": {"factor": f}} for f in (1.0, 3.0, 1.0)]
    answers = scaled.ask_all([(JSON, body) for body in bodies])
    assert [json.loads(text)["predictions"] for _, text in answers] == [[2.0], [6.0], [2.0]]
    assert len(scaled.taken) == 2
    assert "factor" in message(scaled.mlflow({**split(["x"], [2.0]), "params": {"factor": "many"}}))
    assert '"params" must be an object' in message(scaled.mlflow({**split(["x"], [2.0]), "params": 3}))


def test_writes_data_frames_as_records_and_what_is_no_number_as_null(worker):
    assert worker("frame").mlflow(split(["x"], [1.5], [2.0])) == (200, {"predictions": [
        {"double": 3.0, "name": "row 1.5", "odd": None}, {"double": 4.0, "name": "row 2.0", "odd": None}]})


def test_a_prediction_without_rows_is_never_shared(worker):
    whole = worker("whole")
    answers = whole.ask_all([(JSON, split(["x"], [float(x)])) for x in (1, 2)])
    assert [json.loads(text) for _, text in answers] == [{"predictions": {"sum": 1.0}}, {"predictions": {"sum": 2.0}}]


def test_checks_tensors_by_type_and_shape(worker):
    tensor = worker("tensor")
    assert tensor.hello["inputs"][0]["shape"] == [-1, 4]
    status, document = tensor.mlflow({"inputs": [[1, 0, 0, 0], [0, 0, 0, 1]]})
    assert status == 200 and document["predictions"] == pytest.approx([1.0, 4.0])
    assert "shape [1, 3], expected [-1, 4]" in message(tensor.mlflow({"inputs": [[1, 2, 3]]}))
    assert "rows of equal length" in message(tensor.mlflow({"instances": [[1, 2, 3, 4], [1]]}))
    answers = tensor.ask_all([(JSON, {"instances": [[1, 0, 0, 0]]})] * 3)
    assert [h["status"] for h, _ in answers] == [200] * 3 and len(tensor.taken) == 1


def test_hands_on_what_a_model_without_a_signature_gets(worker):
    free = worker("no_signature")
    assert free.mlflow({"inputs": [[1.0, 2.0]]})[0] == 200
    assert free.mlflow(split(["a", "b"], [3.0, 4.0]))[0] == 200
    assert "the model failed on this input" in message(free.mlflow({"inputs": [[1.0, 2.0, 3.0]]}))


def v2_inputs(**changes):
    tensors = {
        "distance": {"datatype": "FP64", "shape": [2], "data": [2000.0, 100.0]},
        "hour": {"datatype": "INT64", "shape": [2], "data": [20, 3]},
        "carrier": {"datatype": "BYTES", "shape": [2], "data": ["AA", "UA"]},
    }
    for name, change in changes.items():
        tensors[name] = {**tensors.get(name, {}), **change}
    return {"id": "42", "inputs": [{"name": name, **tensor} for name, tensor in tensors.items()]}


def test_speaks_open_inference(worker):
    assert worker("flights").v2(v2_inputs()) == (200, {
        "model_name": "m", "model_version": "1", "id": "42",
        "outputs": [{"name": "output-1", "datatype": "INT64", "shape": [2], "data": [1, 0]}]})


def test_open_inference_takes_safe_types_and_columns_as_matrices(worker):
    body = v2_inputs(distance={"datatype": "INT32", "data": [[2000], [100]], "shape": [2, 1]}, hour={"datatype": "UINT8"})
    assert worker("flights").v2(body)[0] == 200


@pytest.mark.parametrize(("body", "expected"), [
    (v2_inputs(hour={"data": [1]}), 'tensor "hour" has 1 values, its shape [2] needs 2'),
    (v2_inputs(hour={"datatype": "FP32", "data": [1.0, 2.0]}), 'tensor "hour" has datatype FP32, expected INT64'),
    (v2_inputs(hour={"datatype": "INT99"}), 'tensor "hour": datatype "INT99" is not one of'),
    (v2_inputs(hour={"shape": [1, 2]}), 'tensor "hour" has shape [1, 2], expected [1]'),
    (v2_inputs(hour={"data": [1, "x"]}), 'tensor "hour": "x" is not INT64'),
    (v2_inputs(hour={"data": [1], "shape": [1]}), 'column "hour" has 1 values'),
    (v2_inputs(tail={"datatype": "BYTES", "shape": [2], "data": ["a", "b"]}), 'unexpected column "tail"'),
    ({"inputs": v2_inputs()["inputs"][:2]}, 'missing column "carrier"'),
    ({"inputs": []}, '"inputs" must be a list of tensors'),
    ({**v2_inputs(), "outputs": [{"name": "class"}]}, 'no output "class"; it has "output-1"'),
])
def test_open_inference_refuses_bad_tensors_by_name(worker, body, expected):
    status, document = worker("flights").v2(body)
    assert status == 400 and expected in document["error"], document


def test_open_inference_writes_a_tensor_for_each_column_of_the_answer(worker):
    body = {"inputs": [{"name": "x", "datatype": "FP64", "shape": [1], "data": [1.5]}], "outputs": [{"name": "name"}]}
    status, document = worker("frame").v2(body)
    assert status == 200, document
    assert document["outputs"] == [{"name": "name", "datatype": "BYTES", "shape": [1], "data": ["row 1.5"]}]


def test_says_why_a_model_cannot_be_loaded(tmp_path):
    from worker_client import Worker

    (tmp_path / "MLmodel").write_text("flavors:\n  python_function:\n    loader_module: no_such_module\n")
    with Worker(tmp_path) as broken:
        assert not broken.ready
        assert "no_such_module" in broken.hello["message"]


def test_ends_when_its_socket_closes(models):
    from worker_client import Worker

    worker = Worker(models["scaled"])
    worker.close()
    assert worker.process.returncode == 0
