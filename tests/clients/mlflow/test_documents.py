"""The documents' scripts, run as their workflows run them, with nothing but the tracking address and token set."""

import contextlib
import io
import json
import os
import runpy
import subprocess
import sys
import types

import mlflow
import pytest

FOLDER = os.path.join(os.path.dirname(os.path.dirname(__file__)), "documents", "scripts")


@pytest.fixture
def run_script(monkeypatch):
    """Runs a script as a program does, but in this process: importing mlflow anew takes seconds."""

    def run(script, *arguments, token=None):
        output = io.StringIO()
        code, error = 0, ""
        with monkeypatch.context() as patch, contextlib.redirect_stdout(output):
            patch.setattr(sys, "argv", [script, *arguments])
            if token:
                patch.setenv("MLFLOW_TRACKING_TOKEN", token)
            try:
                runpy.run_path(os.path.join(FOLDER, script), run_name="__main__")
            except SystemExit as end:
                code = end.code or 0
            except Exception as failure:
                code, error = 1, str(failure)
        return types.SimpleNamespace(returncode=code, stdout=output.getvalue(), stderr=error)

    return run


def test_a_script_needs_only_its_environment(server, tmp_path, name):
    script = "import mlflow; mlflow.set_experiment('%s'); run = mlflow.start_run(); mlflow.log_metric('m', 1); print(run.info.run_id)" % name
    environment = {**os.environ, "MLFLOW_TRACKING_URI": server.url, "MLFLOW_TRACKING_TOKEN": server.token}
    done = subprocess.run([sys.executable, "-c", script], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert mlflow.get_run(done.stdout.split()[-1]).info.status == "FINISHED"
    assert os.listdir(tmp_path) == []


def test_deploy_moves_a_version_through_the_stages(client, experiment, run_script, log_model):
    with mlflow.start_run():
        log_model(registered_model_name="production-model")
    version = max(int(v.version) for v in client.search_model_versions("name = 'production-model'"))
    staged = run_script("deploy.py", "--version", str(version), "--env", "staging", "--endpoint", "https://staging.api.example.com")
    assert staged.returncode == 0, staged.stderr
    assert f"✓ Model {version} deployed to staging" in staged.stdout
    assert client.get_model_version("production-model", str(version)).current_stage == "Staging"
    live = run_script("deploy.py", "--version", str(version), "--env", "prod", "--endpoint", "https://api.example.com")
    assert live.returncode == 0, live.stderr
    assert client.get_model_version("production-model", str(version)).current_stage == "Production"
    assert run_script("deploy.py", "--version", "999", "--env", "prod", "--endpoint", "x").returncode != 0


def test_validation_against_the_champion(client, experiment, run_script, log_model, name, tmp_path):
    def validate(accuracy, latency=50):
        (tmp_path / "metrics.json").write_text(json.dumps({"accuracy": accuracy, "latency_p95": latency}))
        return run_script("validate_model.py", "--metrics", str(tmp_path / "metrics.json"), "--production-model", name)

    first = validate(0.1)
    assert first.returncode == 0 and "无生产模型" in first.stdout, first.stderr
    with mlflow.start_run():
        mlflow.log_metric("test_accuracy", 0.9)
        log_model(registered_model_name=name)
    assert "无生产模型" in validate(0.1).stdout
    client.set_registered_model_alias(name, "champion", "1")
    assert validate(0.895).returncode == 0
    worse = validate(0.88)
    assert worse.returncode == 1 and "❌ accuracy_improvement: False" in worse.stdout and "生产模型准确率: 0.9000" in worse.stdout
    assert validate(0.95, latency=150).returncode == 1


def test_registering_by_the_number_of_the_workflow_run(weir, workflow_run, name, log_model, run_script):
    client = mlflow.MlflowClient()
    mlflow.set_experiment(name)
    with workflow_run() as job:
        with weir.token_set(job.tokens[0]), mlflow.start_run() as run:
            info = log_model()
        with weir.token_set(job.tokens[1]), mlflow.start_run():
            mlflow.log_metric("accuracy", 0.9)  # the evaluation, in a job of its own and without a model
        done = run_script("register_model.py", "--run-id", str(job.id), "--model-name", name, token=job.tokens[2])
    assert done.returncode == 0, done.stderr
    assert f"registered {name} version 1" in done.stdout
    version = client.get_model_version(name, "1")
    assert (version.run_id, version.source) == (run.info.run_id, f"models:/{info.model_id}")
    with workflow_run() as job:
        failed = run_script("register_model.py", "--run-id", str(job.id), "--model-name", name, token=job.tokens[0])
    assert failed.returncode != 0 and f"workflow run {job.id} made no experiment run" in failed.stderr
