"""Pictures of comments: uploaded as cml does it, typed by their bytes, shown to nobody's harm, collected with their text."""

import base64
import json
import urllib.error
import urllib.request

import pytest
from test_jobs import CML, COMMENT, SETUP, comments, run_of_push

PNG = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><script>alert(2)</script></svg>'


def publish(project, data, token, name="roc.png", repo="project", what="publish"):
    """As cml uploads: no more than the bytes, their type and their name."""
    request = urllib.request.Request(f"{project.server.url}/api/v1/repos/{repo}/{what}", data, {
        "Content-Type": "image/png", "Content-Disposition": f'inline; filename="{name}"'}, method="POST")
    request.add_header("Authorization", "Basic " + base64.b64encode(f"job:{token}".encode()).decode())
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 201
        return answer.read().decode()


def fetched(url):
    with urllib.request.urlopen(url, timeout=30) as answer:
        return answer.headers, answer.read()


def refused(call):
    with pytest.raises(urllib.error.HTTPError) as error:
        call()
    return error.value.code, json.load(error.value)["message"]


def test_a_job_publishes_a_picture_and_gets_its_address(project):
    token = project.job_token({"pull-requests": "write"})
    url = publish(project, PNG, token)
    assert url.startswith(f"{project.server.url}/api/v1/repos/project/attachments/")
    headers, data = fetched(url + "?cml=png&cache-bypass=1")
    assert data == PNG and headers["Content-Type"] == "image/png"
    assert publish(project, PNG, token) == url, "the same picture again"
    made = json.loads(publish(project, PNG, token, name="x/../r\"oc.png", what="attachments?name=curve.png"))
    assert made["path"] in url and made["picture"] and made["size_bytes"] == len(PNG)


def test_what_is_uploaded_is_what_its_bytes_are_and_does_no_harm(project):
    token = project.job_token({"issues": "write"})
    headers, _ = fetched(publish(project, SVG, token))
    assert headers["Content-Type"] == "image/svg+xml"
    assert "sandbox" in headers["Content-Security-Policy"] and "script-src" not in headers["Content-Security-Policy"]
    for data in (b"<html><script>alert(1)</script>", b"%PDF-1.7", b"\x80\x04pickle"):
        headers, got = fetched(publish(project, data, token))
        assert got == data and headers["Content-Type"] == "application/octet-stream"
        assert headers["Content-Disposition"].startswith("attachment") and headers["X-Content-Type-Options"] == "nosniff"


def test_pictures_need_a_right_to_say_something_and_a_repository(project):
    reader = project.job_token({"contents": "read"})
    assert refused(lambda: publish(project, PNG, reader))[0] == 403
    writer = project.job_token({"pull-requests": "write"})
    code, message = refused(lambda: publish(project, PNG, writer, repo="other"))
    assert code == 403 and "runs for project" in message
    assert refused(lambda: publish(project, PNG, "weir_wrong"))[0] == 401
    assert refused(lambda: publish(project, b"", writer))[0] == 400
    with pytest.raises((urllib.error.HTTPError, urllib.error.URLError)) as error:
        publish(project, b"\0" * (33 << 20), writer)
    assert getattr(error.value, "code", 413) == 413
    address = publish(project, PNG, writer)
    assert refused(lambda: fetched(address.replace("/project/", "/other/")))[0] == 404
    viewer = project.server.cli("token", "create", "vera", "--role", "viewer", token=project.server.admin_token)
    assert publish(project, PNG, viewer.stdout.strip()) == address


def test_jobs_learn_where_cml_shall_publish(project):
    run, log = run_of_push(project, COMMENT.format(steps="""
          python3 - << 'END'
          import base64, os, urllib.parse, urllib.request
          for name in ("CML_COMMENT_PUBLISH_URL", "CML_ASSET_URL"):
              url = urllib.parse.urlsplit(os.environ[name])
              word = base64.b64encode(f"{url.username}:{url.password}".encode()).decode()
              plain = url._replace(netloc=f"{url.hostname}:{url.port}").geturl()
              request = urllib.request.Request(plain, b"GIF89a", {"Authorization": "Basic " + word}, method="POST")
              print(urllib.request.urlopen(request).read().decode())
          END
          echo "$CML_ASSET_URL"
          """.strip()))
    assert run["conclusion"] == "success", log
    assert log.count("/api/v1/repos/project/attachments/") == 2 and "***@" in log, log


@pytest.mark.skipif(not CML, reason="WEIR_TEST_CML names no cml; not every registry has @dvcorg/cml")
def test_cml_brings_the_pictures_of_its_reports_here(project):
    picture = base64.b64encode(PNG).decode()
    run, log = run_of_push(project, COMMENT.replace("      - env:", SETUP + "      - env:").format(bin=CML, steps=f"""
          export CI=1 ITERATIVE_DO_NOT_TRACK=1 HOME=$RUNNER_TEMP
          mkdir plots && echo {picture} | base64 -d > plots/roc.png
          echo '![ROC](plots/roc.png) ![same](data:image/png;base64,{picture})' > report.md
          cml comment create report.md
          cml asset publish --md plots/roc.png
          cml publish --md plots/roc.png
          """.strip()))
    assert run["conclusion"] == "success", log
    [made] = comments(project)
    addresses = [word for word in made["body"].replace("(", " ").replace(")", " ").split() if "/attachments/" in word]
    assert len(addresses) == 2, made["body"]
    for address in addresses:
        assert fetched(address)[1] == PNG
    assert log.count("![](http") == 2, log
