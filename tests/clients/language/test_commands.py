"""`weir expr` and `weir graph` as people call them."""

import json
import subprocess
import xml.etree.ElementTree as ElementTree

from oracle import HERE, WEIR

EXAMPLE = HERE.parents[2] / "examples" / "flights" / ".github" / "workflows" / "ml-pipeline.yml"


def weir(*arguments):
    return subprocess.run([WEIR, *map(str, arguments)], capture_output=True, text=True, check=False)


def test_expr_shows_values_over_contexts_of_a_file(tmp_path):
    contexts = tmp_path / "contexts.json"
    contexts.write_text(json.dumps({"github": {"ref": "refs/heads/main", "list": [1, "x"]}, "job": {"status": "failure"}}))
    assert weir("expr", "--contexts", contexts, "github.ref").stdout == "refs/heads/main\n"
    assert weir("expr", "--contexts", contexts, "${{ github.list }}").stdout == '[\n  1,\n  "x"\n]\n'
    assert json.loads(weir("expr", "--json", "1 < 2").stdout) == {"kind": "boolean", "value": True}
    assert weir("expr", "--text", "--contexts", contexts, "at ${{ github.ref }}!").stdout == "at refs/heads/main!\n"


def test_expr_evaluates_an_if_as_a_step_would(tmp_path):
    contexts = tmp_path / "contexts.json"
    contexts.write_text(json.dumps({"job": {"status": "failure"}}))
    assert weir("expr", "--if", "true").stdout == "true\n"
    assert weir("expr", "--if", "--contexts", contexts, "true").stdout == "false\n"
    assert weir("expr", "--if", "--contexts", contexts, "failure()").stdout == "true\n"


def test_expr_points_at_mistakes():
    done = weir("expr", "contians('a', 'b')")
    assert done.returncode == 1 and 'did you mean "contains"?' in done.stderr and "^^^^^^^^" in done.stderr


def test_graph_draws_on_the_terminal_and_as_an_image(tmp_path):
    drawing = weir("graph", EXAMPLE, "--columns", 200).stdout
    assert drawing.index("data-validation") < drawing.index("train") < drawing.index("deploy-production")
    assert "environment production" in drawing and "▶" in drawing
    assert max(map(len, weir("graph", EXAMPLE, "--columns", 50).stdout.splitlines())) <= 60

    image = tmp_path / "plan.svg"
    assert weir("graph", EXAMPLE, "--svg", image).returncode == 0
    root = ElementTree.parse(image).getroot()
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"ML Pipeline", "train", "environment production"} <= set(texts)

    plan = json.loads(weir("graph", EXAMPLE, "--json").stdout)
    assert [job["key"] for job in plan["jobs"]][:2] == ["data-validation", "train"]
    assert plan["jobs"][-1]["needs"] == ["register-model", "deploy-staging"]


def test_graph_of_a_file_with_mistakes_shows_them(tmp_path):
    bad = tmp_path / "bad.yml"
    bad.write_text("on: push\njobs: {a: {runs-on: x, stepz: []}}\n")
    done = weir("graph", bad)
    assert done.returncode == 1 and 'did you mean "steps"?' in done.stderr
