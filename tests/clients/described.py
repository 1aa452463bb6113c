"""Compares a server's answers with its own OpenAPI document. For the tests in the folders beside this."""

import json
import urllib.error
import urllib.parse
import urllib.request

import jsonschema

PREFIX = "#/components/schemas/"


def closed(value):
    """The schema with members that it does not name forbidden, so that an answer with more of them is seen."""
    if isinstance(value, list):
        return [closed(element) for element in value]
    if not isinstance(value, dict):
        return value
    result = {name: closed(member) if name != "examples" else member for name, member in value.items()}
    if isinstance(value.get("properties"), dict) and "additionalProperties" not in value:
        result["additionalProperties"] = False
    return result


class Described:
    """A server whose answers are compared with its own description of them."""

    def __init__(self, url):
        self.url = url
        with urllib.request.urlopen(url + "/api/v1/openapi.json", timeout=30) as answer:
            self.document = json.load(answer)
        self.schemas = closed(self.document["components"]["schemas"])

    def check(self, schema, value):
        whole = {"$ref": PREFIX + schema, "components": {"schemas": self.schemas}}
        jsonschema.Draft202012Validator(whole, format_checker=jsonschema.FormatChecker()).validate(value)

    def operation(self, method, path):
        """The description that fits best: the one with the fewest parameters."""
        fitting = []
        for pattern, operations in self.document["paths"].items():
            want, got = pattern.split("/"), path.split("/")
            if len(want) == len(got) and all(w.startswith("{") or w == g for w, g in zip(want, got)) and method.lower() in operations:
                fitting.append((pattern.count("{"), pattern))
        assert fitting, f"{method} {path} is not described"
        return self.document["paths"][min(fitting)[1]][method.lower()]

    def call(self, method, target, body=None, token=None, status=None):
        """The answer, after it was checked."""
        described = self.operation(method, urllib.parse.urlsplit(target).path)
        if isinstance(body, dict) and status is None:
            self.check(described["requestBody"]["content"]["application/json"]["schema"]["$ref"].removeprefix(PREFIX), body)
        data = json.dumps(body).encode() if isinstance(body, dict) else body
        request = urllib.request.Request(self.url + target, data, method=method)
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                code, kind, text = answer.status, answer.headers["Content-Type"], answer.read()
        except urllib.error.HTTPError as error:
            code, kind, text = error.code, error.headers["Content-Type"], error.read()
        assert (code < 300) if status is None else code == status, (method, target, code, text)
        if code >= 300:
            self.check("Error", json.loads(text))
            return json.loads(text)
        content = described["responses"][str(code)].get("content")
        if content is None:
            assert text == b""
            return None
        [(media, shape)] = content.items()
        assert kind.split(";")[0] == media, (target, kind)
        if media != "application/json":
            return text
        self.check(shape["schema"]["$ref"].removeprefix(PREFIX), json.loads(text))
        return json.loads(text)

    def read_everything(self):
        """Checks every answer that anybody on this machine may see."""
        for pattern, operations in self.document["paths"].items():
            shown = operations.get("get", {})
            needed = any(one.get("required") for one in shown.get("parameters", []))
            if shown.get("x-weir-permission") == "read" and not needed and not pattern.endswith("/stream"):
                self.call("GET", pattern)
        for run in self.call("GET", "/api/v1/runs")["runs"]:
            for job in self.call("GET", f"/api/v1/runs/{run['id']}")["jobs"]:
                self.call("GET", f"/api/v1/jobs/{job['id']}")
                self.call("GET", f"/api/v1/jobs/{job['id']}/log", status=None if job["started_at"] else 404)
            self.call("GET", f"/api/v1/why?subject=run/{run['id']}")
        for notification in self.call("GET", "/api/v1/notifications")["notifications"]:
            self.call("GET", f"/api/v1/notifications/{notification['id']}")
        for model in self.call("GET", "/api/v1/models")["models"]:
            self.call("GET", f"/api/v1/models/{model['name']}")
        for endpoint in self.call("GET", "/api/v1/endpoints")["endpoints"]:
            self.call("GET", f"/api/v1/endpoints/{endpoint['name']}")
            self.call("GET", f"/api/v1/endpoints/{endpoint['name']}/drift")
            if any(environment["live"] for environment in endpoint["environments"] if environment["name"] == "production"):
                self.call("GET", f"/api/v1/why?subject={endpoint['name']}@production")
