"""The built-in cache: the next job gets the files of the last one, and never what a job made of them."""

WORKFLOW = """
name: Caches
on: push
jobs:
  saves:
    runs-on: ubuntu-latest
    steps:
      - {{run: "mkdir -p data/deep && echo original > data/a && seq 1000 > data/deep/b && ln -s a data/link && chmod 755 data/a"}}
      - {{uses: actions/cache/save@v4, with: {{path: data, key: {key}}}}}
  leaves:
    needs: saves
    runs-on: ubuntu-latest
    steps: &restore
      - {{uses: actions/cache/restore@v4, with: {{path: data, key: {key}, fail-on-cache-miss: true}}}}
      - {{run: "cat data/a data/link; wc -l < data/deep/b; test -x data/a; ls data"}}
  writes:
    needs: leaves
    runs-on: ubuntu-latest
    steps:
      - {{uses: actions/cache/restore@v4, with: {{path: data, key: {key}, fail-on-cache-miss: true}}}}
      - {{run: "cat data/a; printf changed1 | dd of=data/a conv=notrunc 2>/dev/null; echo new > data/new; rm data/deep/b"}}
  reads:
    needs: writes
    runs-on: ubuntu-latest
    steps:
      - {{uses: actions/cache/restore@v4, with: {{path: data, key: {key}, fail-on-cache-miss: true}}}}
      - {{run: "cat data/a data/link; wc -l < data/deep/b; test -x data/a; ls data"}}
  first:
    needs: reads
    runs-on: ubuntu-latest
    steps: &both
      - {{uses: actions/cache/restore@v4, with: {{path: data, key: {key}, fail-on-cache-miss: true}}}}
      - {{run: "cat data/a; echo ${{{{ github.job }}}} > data/a; sleep 1; cat data/a"}}
  second:
    needs: reads
    runs-on: ubuntu-latest
    steps: *both
"""


def printed(server, job, step):
    """What a step's program printed."""
    lines = server.get(f"/api/v1/jobs/{job}/log")["lines"]
    return [line["text"] for line in lines if line["step"] == step and line["stream"] == "o"]


def test_a_job_gets_what_was_saved_whatever_others_did_with_it(server, repository):
    repository.write(".github/workflows/caches.yml", WORKFLOW.format(key="k"))
    repository.commit()
    repository.push()
    run = server.get("/api/v1/runs?limit=1")["runs"][0]["id"]
    done = server.finished(run)
    assert done["conclusion"] == "success", done
    jobs = {job["key"]: job["id"] for job in done["jobs"]}
    restored = {key: printed(server, job, 0)[-1] for key, job in jobs.items() if key != "saves"}
    moved = "Cache restored from key: k (as an earlier job left it)"
    for key in ("leaves", "reads"):
        assert printed(server, jobs[key], 1) == ["original", "original", "1000", "a", "deep", "link"], key
    assert restored["leaves"] == restored["writes"] == moved
    assert restored["reads"] == "Cache restored from key: k", "the job before wrote to it: it comes from the archive"
    for key in ("first", "second"):
        # Both at once: each sees its own writing only.
        assert printed(server, jobs[key], 1) == ["original", key]
