"""Releases and their files through GitHub's own clients."""

import urllib.error
import urllib.request

import pytest
from github_project import Failed


def test_a_release_makes_its_tag_and_keeps_its_files(project):
    got = project.call("""
        const made = (await octokit.rest.repos.createRelease({...at, tag_name: 'v1.0', target_commitish: 'better',
                                                              name: 'One', body: 'first'})).data
        const file = (await octokit.request({method: 'POST', url: made.upload_url, name: 'model.bin', label: 'Model',
          headers: {'content-type': 'application/x-model'}, data: Buffer.from('weights'.repeat(1000))})).data
        const again = (await octokit.rest.repos.uploadReleaseAsset({...at, release_id: made.id, url: made.upload_url,
          name: 'notes.txt', data: 'text'})).data
        const bytes = (await octokit.rest.repos.getReleaseAsset({...at, asset_id: file.id,
          headers: {accept: 'application/octet-stream'}})).data
        await octokit.rest.repos.deleteReleaseAsset({...at, asset_id: again.id})
        return {made, file, size: bytes.byteLength, tag: (await octokit.rest.git.getRef({...at, ref: 'tags/v1.0'})).data,
                found: (await octokit.rest.repos.getReleaseByTag({...at, tag: 'v1.0'})).data,
                latest: (await octokit.rest.repos.getLatestRelease(at)).data.id}""")
    assert got["tag"]["object"]["sha"] == project.head and got["latest"] == got["made"]["id"]
    assert (got["file"]["size"], got["size"], got["file"]["content_type"]) == (7000, 7000, "application/x-model")
    assert [one["name"] for one in got["found"]["assets"]] == ["model.bin"]
    with urllib.request.urlopen(got["file"]["browser_download_url"], timeout=30) as answer:
        assert answer.read() == b"weights" * 1000
        assert answer.headers["Content-Disposition"].startswith("attachment")
    project.server.kill()
    project.server.start()
    assert project.call("return (await octokit.rest.repos.listReleases(at)).data.length") == 1


def test_a_draft_is_published_later_and_seen_only_by_those_who_may_push(project):
    got = project.call("""
        const made = (await octokit.rest.repos.createRelease({...at, tag_name: 'v2', draft: true})).data
        const before = await octokit.rest.git.listMatchingRefs({...at, ref: 'tags/'})
        await octokit.rest.repos.updateRelease({...at, release_id: made.id, name: 'Two', prerelease: true})
        return {made, tags: before.data.length}""")
    assert got["made"]["published_at"] is None and got["tags"] == 0
    assert project.call("return (await octokit.rest.repos.listReleases(at)).data", token="") == []
    done = project.call("""
        const {data} = await octokit.rest.repos.updateRelease({...at, release_id: given.id, draft: false})
        await octokit.rest.repos.getReleaseByTag({...at, tag: 'v2'})
        await octokit.rest.repos.deleteRelease({...at, release_id: given.id})
        return data""", id=got["made"]["id"])
    assert done["published_at"] and done["name"] == "Two" and done["prerelease"]


def test_a_published_release_starts_its_workflows_at_its_tag(project):
    project.repository.git("checkout", "-q", "main")
    project.repository.write(".github/workflows/released.yml", """
on: {release: {types: [published]}}
jobs: {says: {runs-on: ubuntu-latest, steps: [{run: 'test "$GITHUB_REF ${{ github.event.release.tag_name }}" = "refs/tags/v3 v3"'}]}}
""")
    project.repository.commit("Released")
    project.repository.push()
    project.call("await octokit.rest.repos.createRelease({...at, tag_name: 'v3'})")
    runs = [run for run in project.server.get("/api/v1/runs")["runs"] if run["event"] == "release"]
    assert len(runs) == 1 and project.server.finished(runs[0]["id"])["conclusion"] == "success", runs


def test_notes_name_what_was_merged_between_two_tags(project):
    repository = project.repository
    repository.git("checkout", "-q", "main")
    repository.write(".github/release.yml", """
changelog:
  exclude: {labels: [internal]}
  categories: [{title: Training, labels: [model]}, {title: Rest, labels: ['*'], exclude: {labels: [data]}}]
""")
    repository.commit("Configure")
    repository.push()
    project.call("""await octokit.rest.pulls.merge({...at, pull_number: 1})
                    await octokit.rest.repos.createRelease({...at, tag_name: 'v1'})""")
    for branch, label in (("model", "model"), ("data", "data"), ("inside", "internal"), ("plain", None)):
        repository.git("checkout", "-qB", branch, "main")
        repository.write(f"{branch}.txt", "x\n")
        repository.commit(f"Change {branch}")
        repository.push(ref=branch)
        project.call("""
            const {number} = (await octokit.rest.pulls.create({...at, title: given.title, head: given.head, base: 'main'})).data
            if (given.label) await octokit.rest.issues.addLabels({...at, issue_number: number, labels: [given.label]})
            await octokit.rest.pulls.merge({...at, pull_number: number, merge_method: 'squash'})""",
                     title=f"Change {branch}", head=branch, label=label)
    got = project.call("""
        const notes = async more => (await octokit.rest.repos.generateReleaseNotes({...at, tag_name: 'v2', ...more})).data
        return {next: await notes({}), first: await notes({tag_name: 'v1'}),
                made: (await octokit.rest.repos.createRelease({...at, tag_name: 'v2', body: 'Hello',
                                                               generate_release_notes: true})).data}""")
    page = f"by @admin in {project.server.url}/#/pulls/project"
    assert got["next"] == {"name": "v2", "body": (
        f"## What's Changed\n### Training\n* Change model {page}/2\n### Rest\n* Change plain {page}/5\n"
        f"### Other Changes\n* Change data {page}/3\n\n**Full Changelog**: `v1...v2`")}
    assert "* Train better by @admin" in got["first"]["body"] and "`v1`" in got["first"]["body"]
    assert "@admin made their first contribution" in got["first"]["body"]
    assert got["made"]["body"] == "Hello\n\n" + got["next"]["body"] and got["made"]["name"] == "v2"


@pytest.mark.parametrize("body, status, says", [
    ("return await octokit.rest.repos.createRelease({...at, tag_name: 'a b'})", 422, "no name"),
    ("return await octokit.rest.repos.createRelease({...at, tag_name: 'v1', target_commitish: 'nowhere'})", 422, "nowhere"),
    ("return await octokit.rest.repos.generateReleaseNotes({...at, tag_name: 'v1', previous_tag_name: 'v0'})", 422, "v0"),
    ("return await octokit.rest.repos.generateReleaseNotes({...at, tag_name: 'v1', target_commitish: 'x'})", 422, "x"),
    ("return await octokit.rest.repos.generateReleaseNotes({...at, tag_name: 'v1', configuration_file_path: 'no.yml'})",
     422, "no.yml"),
    ("return await octokit.rest.repos.generateReleaseNotes({...at, tag_name: 'a b'})", 422, "no name"),
    ("await octokit.rest.repos.createRelease({...at, tag_name: 'v1'});"
     "return await octokit.rest.repos.createRelease({...at, tag_name: 'v1'})", 422, "already_exists"),
    ("const {data} = await octokit.rest.repos.createRelease({...at, tag_name: 'v1'});"
     "return await octokit.request({method: 'POST', url: data.upload_url, name: '../x', data: 'x'})", 422, "cannot name"),
    ("return await octokit.rest.repos.getReleaseByTag({...at, tag: 'nowhere'})", 404, "nowhere"),
    ("return await octokit.rest.repos.getLatestRelease(at)", 404, "nothing"),
])
def test_wrong_calls_are_refused(project, body, status, says):
    got = project.call(body)
    assert isinstance(got, Failed) and got["status"] == status and says in got["error"], got


def test_a_release_needs_the_right_to_write(project):
    token = project.job_token({"contents": "read"})
    got = project.call("return await octokit.rest.repos.createRelease({...at, tag_name: 'v1'})", token=token)
    assert isinstance(got, Failed) and got["status"] == 403 and "`contents: write`" in got["error"]
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(urllib.request.Request(
            f"{project.server.url}/api/v3/repos/weir/project/releases/1/assets?name=x", b"bytes", method="POST"))
    assert refused.value.code == 401
