"""The OpenAPI document is valid, and the server's answers are what it says."""

import json
import subprocess

import pytest
from described import Described
from openapi_spec_validator import validate
from test_line import project  # noqa: F401  (a fixture)
from weir_server import WEIR, wait_until

@pytest.fixture
def described(server):
    return Described(server.url)


def test_the_document_is_valid_openapi(described):
    validate(described.document)
    version = json.loads(subprocess.run([WEIR, "version", "--json"], capture_output=True, text=True, check=True).stdout)
    assert described.document["info"]["version"] == version["version"]


def test_examples_are_what_their_schemas_say(described):
    count = 0
    for name, schema in described.document["components"]["schemas"].items():
        for example in schema.get("examples", []):
            described.check(name, example)
            count += 1
    assert count > 20


def test_answers_about_runs_are_as_described(described, server, project):  # noqa: F811
    admin = server.admin_token
    project.push()
    run = wait_until(lambda: server.get("/api/v1/runs")["runs"], what="a run")[0]["id"]
    waiting = wait_until(lambda: server.get("/api/v1/approvals?state=pending")["approvals"], what="an approval")[0]["id"]
    described.call("GET", "/api/v1/approvals?limit=5")
    described.call("GET", f"/api/v1/runs/{run}")
    described.call("POST", f"/api/v1/approvals/{waiting}/approve", {"comment": "fine"}, admin)
    server.finished(run)
    described.call("GET", "/api/v1/runs?limit=3&state=completed")
    jobs = described.call("GET", f"/api/v1/runs/{run}")["jobs"]
    assert b"name: Pipeline" in described.call("GET", f"/api/v1/runs/{run}/workflow")
    for job in jobs:
        described.call("GET", f"/api/v1/jobs/{job['id']}")
        assert described.call("GET", f"/api/v1/jobs/{job['id']}/log")["done"]
        described.call("GET", f"/api/v1/jobs/{job['id']}/log/search?q=a&limit=5")
        described.call("GET", f"/api/v1/jobs/{job['id']}/log?near=40&limit=131072")
    described.call("GET", "/api/v1/pulls?state=all")
    described.call("GET", f"/api/v1/runs/{run}/artifacts")
    described.call("POST", f"/api/v1/runs/{run}/rerun", {"failed_only": False}, admin)
    described.call("POST", f"/api/v1/runs/{run}/cancel", {"reason": "enough"}, admin)
    described.call("GET", f"/api/v1/why?subject=run/{run}")
    assert described.call("GET", "/api/v1/events?newest=true&limit=50")["events"]
    described.call("GET", "/api/v1/dora?days=7")
    described.call("GET", "/api/v1/config")


def test_answers_about_files_and_access_are_as_described(described, server):
    admin = server.admin_token
    digest = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
    described.call("PUT", f"/api/v1/blobs/{digest}", b"hello", admin)
    described.call("PUT", f"/api/v1/blobs/{digest}", b"hello", admin)
    assert described.call("GET", f"/api/v1/blobs/{digest}") == b"hello"
    token = described.call("POST", "/api/v1/tokens", {"name": "alice", "role": "viewer", "expires_in": "90d"}, admin)
    described.call("GET", "/api/v1/tokens", token=admin)
    assert described.call("GET", "/api/v1/identity", token=token["token"]) == {"name": "alice", "role": "viewer"}
    described.call("GET", "/api/v1/identity")
    described.call("DELETE", f"/api/v1/tokens/{token['id']}", token=admin)
    described.call("PUT", "/api/v1/secrets/KEY", {"value": "s3cret-value"}, admin)
    described.call("GET", "/api/v1/secrets", token=admin)
    described.call("DELETE", "/api/v1/secrets/KEY", token=admin)
    described.call("PUT", "/api/v1/variables/PLACE", {"value": "NYC"}, admin)
    described.call("POST", "/api/v1/notifications", {"message": "only 10 rows came", "severity": "info"}, admin)
    described.call("POST", "/api/v1/gate", {"model": "m", "metrics": {"auc": 0.5}, "rules": ["auc >= 0.6"]}, admin)
    for path in ("models", "endpoints", "alerts", "retrainings"):
        described.call("GET", f"/api/v1/{path}")
    assert b"weir_captures_total" in described.call("GET", "/metrics")


def test_errors_are_as_described(described, server):
    admin = server.admin_token
    for method, target, body, token, status in [
            ("GET", "/api/v1/runs/7", None, None, 404), ("GET", "/api/v1/runs/seven", None, None, 400),
            ("GET", "/api/v1/runs?limit=0", None, None, 400), ("GET", "/api/v1/why", None, None, 400),
            ("POST", "/api/v1/runs/7/cancel", {}, None, 401), ("POST", "/api/v1/tokens", {}, admin, 400),
            ("POST", "/api/v1/approvals/7/approve", {}, "wrong", 401), ("POST", "/api/v1/caches/lookup", {"key": "x"}, admin, 409),
            ("GET", "/api/v1/endpoints/nothing", None, None, 404), ("POST", "/api/v1/endpoints/nothing/rollback", {}, admin, 404)]:
        described.call(method, target, body, token, status)


def test_the_permission_that_is_shown_is_the_one_that_is_asked_for(described, server):
    viewer = server.post("/api/v1/tokens", {"name": "v", "role": "viewer"}, server.admin_token)["token"]
    for pattern, operations in described.document["paths"].items():
        target = pattern
        for name, value in (("{id}", "1"), ("{run}", "1"), ("{sha256}", "0" * 64), ("{name}", "x"), ("{repo}", "x")):
            target = target.replace(name, value)
        for method, operation in operations.items():
            if operation["x-weir-permission"] == "read":
                continue
            if operation["x-weir-permission"] == "propose":
                described.call(method.upper(), target, b"{}", None, 401)  # every person may
                continue
            described.call(method.upper(), target, b"{}", viewer, 403)
