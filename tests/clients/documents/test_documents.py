"""The workflow files of the documents, word for word."""

import os
import subprocess

from local_run import BUILD, HERE, conclusions

TABLE = "feature,label\n" + "".join(f"{i / 10},{int(i > 20)}\n" for i in range(40))

TRAIN = """
    import argparse, json, pathlib, pickle
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--output", default="models/")
    args = parser.parse_args()
    import mlflow
    with mlflow.start_run():
        mlflow.log_params({"epochs": args.epochs, "batch_size": args.batch_size})
        mlflow.log_metric("loss", 0.25)
        output = pathlib.Path(args.output)
        output.mkdir(parents=True, exist_ok=True)
        for name in ("model", "baseline"):
            (output / f"{name}.pkl").write_bytes(pickle.dumps({"threshold": 2.0}))
        mlflow.log_artifact(str(output / "model.pkl"), "model")
"""


def first_document(repository):
    repository.workflow("ml-pipeline.yml")
    repository.workflow("deploy.yml")
    repository.write("requirements.txt", "mlflow-skinny==3.17.2\n")
    for path in ("data/test.csv", "data/baseline/data.csv", "data/current/data.csv"):
        repository.write(path, TABLE)
    repository.write("scripts/validate_data.py", """
        import argparse, csv, pathlib
        parser = argparse.ArgumentParser()
        parser.add_argument("--data-path", required=True)
        rows = list(csv.DictReader(open(pathlib.Path(parser.parse_args().data_path) / "test.csv")))
        assert rows and set(rows[0]) == {"feature", "label"}
        print(f"{len(rows)} rows are valid")
    """)
    repository.write("scripts/check_drift.py", """
        import argparse, pathlib
        parser = argparse.ArgumentParser()
        parser.add_argument("--baseline", required=True)
        parser.add_argument("--current", required=True)
        args = parser.parse_args()
        texts = [(pathlib.Path(folder) / "data.csv").read_text() for folder in (args.baseline, args.current)]
        print("no drift" if texts[0] == texts[1] else "drift")
    """)
    repository.write("train.py", TRAIN)
    repository.write("evaluate.py", """
        import argparse, csv, json, pathlib, pickle
        parser = argparse.ArgumentParser()
        for name in ("--model", "--test-data", "--output"):
            parser.add_argument(name, required=True)
        args = parser.parse_args()
        threshold = pickle.loads(pathlib.Path(args.model).read_bytes())["threshold"]
        rows = list(csv.DictReader(open(args.test_data)))
        accuracy = sum((float(row["feature"]) > threshold) == (row["label"] == "1") for row in rows) / len(rows)
        pathlib.Path(args.output).mkdir(exist_ok=True)
        (pathlib.Path(args.output) / "metrics.json").write_text(json.dumps({"accuracy": accuracy}))
        print(f"accuracy {accuracy}")
    """)
    repository.write("scripts/compare_models.py", """
        import argparse, pathlib
        parser = argparse.ArgumentParser()
        for name in ("--baseline", "--new", "--threshold"):
            parser.add_argument(name, required=True)
        args = parser.parse_args()
        assert pathlib.Path(args.baseline).exists() and pathlib.Path(args.new).exists()
    """)
    repository.write("scripts/register_model.py", """
        import argparse
        from mlflow.tracking import MlflowClient
        parser = argparse.ArgumentParser()
        parser.add_argument("--run-id", required=True)
        parser.add_argument("--model-name", required=True)
        args = parser.parse_args()
        client = MlflowClient()
        run = client.get_run(args.run_id)
        assert run.data.params == {"epochs": "10", "batch_size": "32"}, run.data.params
        client.create_registered_model(args.model_name)
        version = client.create_model_version(args.model_name, f"runs:/{args.run_id}/model", run.info.run_id)
        print(f"registered version {version.version} of run {run.info.run_id}")
    """)
    # The document's own script, but for the loading of a model that this test's job does not have.
    deploy = (HERE / "scripts/deploy.py").read_text()
    repository.write("scripts/deploy.py", deploy.replace("model = mlflow.pyfunc.load_model(model_uri)", "model = model_uri"))
    repository.write("tests/smoke_test.py", "import sys\nprint('smoke test', sys.argv[1:])\n")
    repository.commit()


def test_the_first_documents_pipeline_registers_the_run_and_its_deployment_moves_the_stage(repository):
    first_document(repository)
    code, run, log = repository.run("push")
    assert code == 0, log
    assert set(conclusions(run).values()) == {"success"}, conclusions(run)
    assert "registered version 1 of run" in log

    code, run, log = repository.run("workflow_dispatch", "-W", ".github/workflows/deploy.yml", "--input", "model_version=1",
                                    "--input", "environment=prod")
    assert code == 0, log
    assert conclusions(run) == {"deploy-staging": "skipped", "deploy-production": "success"}
    assert "✓ Model 1 deployed to prod" in log and "smoke test ['--env', 'prod']" in log


def test_an_input_that_is_required_is_asked_for(repository):
    first_document(repository)
    done = subprocess.run([BUILD / "bin/weir", "run", "workflow_dispatch", "-W", ".github/workflows/deploy.yml"],
                          cwd=repository.folder, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert "model_version" in done.stderr


def test_the_second_documents_pipeline_runs_to_the_blue_green_deployment(repository, tmp_path):
    repository.workflow("ml-cicd.yml")
    repository.write("requirements.txt", "mlflow-skinny==3.17.2\n")
    repository.write("configs/prod.yaml", "threshold: 2.0\n")
    repository.write("data/test.csv", TABLE)
    repository.write("tests/unit/test_source.py", "def test_source():\n    assert True\n")
    repository.write("src/train.py", """
        import argparse
        import pathlib

        parser = argparse.ArgumentParser()
        parser.add_argument("--config", required=True)
        text = pathlib.Path(parser.parse_args().config).read_text()
        pathlib.Path("outputs/model").mkdir(parents=True)
        pathlib.Path("outputs/model/threshold").write_text(text.split(":")[1])
    """)
    repository.write("src/evaluate.py", """
        import argparse
        import csv
        import json
        import pathlib

        parser = argparse.ArgumentParser()
        for name in ("--model-dir", "--test-data", "--output"):
            parser.add_argument(name, required=True)
        args = parser.parse_args()
        threshold = float((pathlib.Path(args.model_dir) / "threshold").read_text())
        rows = list(csv.DictReader(pathlib.Path(args.test_data).read_text().splitlines()))
        right = sum((float(row["feature"]) > threshold) == (row["label"] == "1") for row in rows)
        pathlib.Path(args.output).write_text(json.dumps({"accuracy": right / len(rows), "f1": 1.0, "latency_p95": 3}))
    """)
    for script in ("register_model", "smoke_test", "deploy_bluegreen"):
        repository.write(f"src/{script}.py", f"import sys\n\nprint('{script}', sys.argv[1:])\n")
    repository.commit()

    # The company's cluster is not ours to give: a kubectl that says what it was asked.
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "kubectl").write_text("#!/bin/sh\necho kubectl \"$@\"\n")
    (tools / "kubectl").chmod(0o755)
    code, run, log = repository.run("push", env={"PATH": f"{tools}:{os.environ['PATH']}"})
    assert code == 0, log
    assert set(conclusions(run).values()) == {"success"}, conclusions(run)
    assert "kubectl set image deployment/ml-serving" in log
    assert "deploy_bluegreen ['--image', 'myregistry/model:" in log


def test_the_third_documents_pipeline_runs_on_its_gpu_labels(repository):
    repository.workflow("model-ci-cd.yml")
    repository.write("requirements.txt", "mlflow-skinny==3.17.2\n")
    repository.write("configs/training_config.yaml", "epochs: 1\n")
    repository.write("configs/eval_config.yaml", "metrics: [accuracy]\n")
    repository.write("tests/unit/test_scripts.py", "def test_scripts():\n    assert True\n")
    repository.write("scripts/validate_data.py", """
        import pathlib

        pathlib.Path("reports").mkdir()
        pathlib.Path("reports/data_validation_report.html").write_text("<p>valid</p>")
    """)
    repository.write("scripts/train.py", """
        import pathlib

        pathlib.Path("models/latest").mkdir(parents=True)
        pathlib.Path("models/latest/weights").write_text("1 2 3")
    """)
    repository.write("scripts/evaluate.py", """
        import pathlib

        assert pathlib.Path("models/latest/weights").read_text() == "1 2 3"
        pathlib.Path("reports").mkdir()
        pathlib.Path("reports/evaluation_report.html").write_text("<p>good</p>")
    """)
    for script in ("deploy", "verify_deployment"):
        repository.write(f"scripts/{script}.py", f"import sys\n\nprint('{script}', sys.argv[1:])\n")
    repository.commit()
    code, run, log = repository.run("push")
    assert code == 0, log
    assert set(conclusions(run).values()) == {"success"}, conclusions(run)
    assert "verify_deployment ['--env', 'production']" in log


def test_the_fifth_documents_tests_find_their_python_cached_the_second_time(repository):
    repository.workflow("testing.yml")
    repository.write("setup.py", """
        from setuptools import setup

        setup(name="tagifai", version="0.1", packages=["tagifai"], extras_require={"test": ["pytest"]})
    """)
    repository.write("requirements.txt", "pytest\n")
    repository.write("tagifai/__init__.py", "answer = 42\n")
    repository.write("tests/tagifai/test_answer.py", "import tagifai\n\n\ndef test_answer():\n    assert tagifai.answer == 42\n")
    for ignored in ("test_main", "test_data"):
        repository.write(f"tests/tagifai/{ignored}.py", "raise SystemExit('not to be collected')\n")
    repository.commit()
    code, run, log = repository.run("push")
    assert code == 0, log
    assert "1 passed" in log
    code, run, log = repository.run("push")
    assert code == 0, log
    assert "1 passed" in log
