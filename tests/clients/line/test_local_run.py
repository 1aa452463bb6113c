"""`weir run` as people use it: they interrupt it, kill it, and start it in all kinds of work trees."""

import json
import os
import pty
import signal
import subprocess
import time
from pathlib import Path

import pytest
from weir_server import WEIR, wait_until

ENV = {name: value for name, value in os.environ.items() if not name.startswith("WEIR_")}
TICKS = """
on: push
jobs:
  long:
    runs-on: ubuntu-latest
    steps:
      - run: echo $$ > {folder}/pid; echo begun; for i in $(seq 600); do sleep 0.1; done
      - if: cancelled()
        run: echo c > {folder}/cancelled
      - if: always()
        run: echo a > {folder}/always; {cleanup}
  after:
    needs: long
    if: always()
    runs-on: ubuntu-latest
    steps:
      - run: echo after > {folder}/after; {after}
"""


@pytest.fixture(autouse=True)
def signals():
    """As in a terminal: whoever runs the tests may ignore some (nohup), and programs keep what is ignored."""
    heard = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in heard}
    for number in heard:
        if before[number] == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


class Project:
    """A git repository in which `weir run` is started; its steps write into a folder beside it."""

    def __init__(self, folder: Path):
        self.folder = folder / "project"
        self.said = folder / "said"
        self.said.mkdir()
        self.folder.mkdir()
        self.env = ENV | {"XDG_STATE_HOME": str(folder / "states")}
        self.git("init", "-q", "-b", "main")

    def git(self, *arguments):
        identity = ["-c", "user.name=Dana", "-c", "user.email=dana@example.com", "-c", "protocol.file.allow=always"]
        return subprocess.run(["git", *identity, *arguments], cwd=self.folder, check=True, capture_output=True, text=True)

    def write(self, name, text):
        target = self.folder / ".github/workflows" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def ticks(self, cleanup="true", after="true"):
        self.write("long.yml", TICKS.format(folder=self.said, cleanup=cleanup, after=after))

    def run(self, *arguments, folder=None, code=None, command="run", **options):
        done = subprocess.run([WEIR, command, *arguments], cwd=folder or self.folder, capture_output=True, text=True,
                              timeout=120, env=self.env, **options)
        if code is not None:
            assert done.returncode == code, done.stdout + done.stderr
        return done

    def start(self, *arguments, **options):
        return subprocess.Popen([WEIR, "run", *arguments], cwd=self.folder, env=self.env, text=True, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, **options)

    def step(self):
        """The process of the long step, once it runs."""
        path = self.said / "pid"
        return wait_until(lambda: path.exists() and path.read_text().strip() and int(path.read_text()), 60, "the step")

    def has(self, name):
        return (self.said / name).exists()

    def living(self):
        """What runs of this project's jobs: runners and what they started."""
        found = []
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and str(self.folder / ".weir").encode() in (entry / "environ").read_bytes():
                    found.append((entry / "cmdline").read_text().replace("\0", " "))
            except OSError:
                continue  # it has ended, or is another's
        return found


@pytest.fixture
def project(tmp_path):
    project = Project(tmp_path)
    yield project
    assert project.living() == []


def lives(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("number, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_cancels_the_run(project, number, code):
    project.ticks()
    process = project.start()
    step = project.step()
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code, out + err
    assert "cancelling; again to end it at once" in err
    assert "JOB" in out and "cancelled" in out  # the table
    assert project.has("cancelled") and project.has("always") and project.has("after")
    assert not lives(step) and project.living() == []
    # Nothing is left over for the next one.
    project.write("long.yml", "on: push\njobs: {a: {runs-on: ubuntu-latest, steps: [{run: echo fine}]}}\n")
    done = project.run(code=0)
    assert "fine" in done.stdout and not done.stderr


def test_a_second_signal_ends_everything_at_once(project):
    project.ticks(cleanup="exec sleep 600", after="exec sleep 600")
    process = project.start()
    step = project.step()
    process.send_signal(signal.SIGINT)
    wait_until(lambda: project.has("always"), 60, "the cleanup")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130, out + err
    assert "ending it at once" in err and "JOB" in out
    assert not lives(step) and project.living() == []


def test_ctrl_c_on_a_terminal_cancels(project):
    project.ticks()
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(project.folder)
        os.execve(WEIR, ["weir", "run"], ENV)
    project.step()
    os.write(terminal, b"\x03")
    shown = b""
    while True:
        try:
            piece = os.read(terminal, 4096)
        except OSError:  # its other end is closed
            break
        if not piece:
            break
        shown += piece
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 130, shown
    assert b"cancelling" in shown and b"JOB" in shown and project.has("after")


def test_a_terminal_that_is_closed_cancels(project):
    project.ticks()
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(project.folder)
        os.execve(WEIR, ["weir", "run"], ENV)
    project.step()
    os.close(terminal)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 129
    assert project.has("cancelled") and project.has("after")


def test_nohup_keeps_what_it_started_from_ending(project):
    project.ticks()
    process = project.start(preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    project.step()
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130


def test_what_a_killed_run_left_is_cancelled_by_the_next(project):
    project.ticks()
    process = project.start()
    step = project.step()
    process.kill()
    process.communicate()
    assert lives(step)
    project.write("long.yml", "on: push\njobs: {a: {runs-on: ubuntu-latest, steps: [{run: echo fine}]}}\n")
    done = project.run(code=0)
    assert "run 1 of .github/workflows/long.yml was left unfinished" in done.stderr
    assert "fine" in done.stdout and project.has("always")
    assert not lives(step) and project.living() == []


def test_a_refused_second_one_leaves_the_first_alone(project):
    project.ticks()
    process = project.start()
    project.step()
    server = json.loads((project.folder / ".weir/server.json").read_text())
    done = project.run(code=1)
    assert str(process.pid) in done.stderr and server["url"] in done.stderr and "--state" in done.stderr
    assert json.loads((project.folder / ".weir/server.json").read_text()) == server
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert not (project.folder / ".weir/server.json").exists()


def test_a_refused_second_server_leaves_the_first_alone(server):
    before = (server.state / "server.json").read_text()
    done = subprocess.run([WEIR, "serve", "--state", server.state], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and server.url in done.stderr and "--state" in done.stderr
    assert (server.state / "server.json").read_text() == before
    assert server.cli("runs").returncode == 0


SMALL = "on: [push, workflow_dispatch]\njobs: {small: {runs-on: ubuntu-latest, steps: [{run: echo fine}]}}\n"


@pytest.mark.parametrize("kind", ["linked", "submodule"])
def test_other_kinds_of_work_trees(project, tmp_path, kind):
    project.write("small.yml", SMALL)
    project.git("add", ".")
    project.git("commit", "-qm", "Start")
    tree = tmp_path / "other"
    if kind == "linked":
        project.git("worktree", "add", "-q", str(tree))
    else:
        tree.mkdir()
        project.git("init", "-q", str(tree))
        project.git("-C", str(tree), "submodule", "add", "-q", str(project.folder), "sub")
        tree /= "sub"
    (tree / "more").mkdir()
    (tree / ".github/workflows/new.yml").write_text(SMALL.replace("fine", "uncommitted"))
    for folder in (tree, tree / "more"):
        listed = json.loads(project.run("-l", "--json", folder=folder, code=0).stdout)
        assert [job["file"] for job in listed["jobs"]] == ["new.yml", "small.yml"]
        assert "2 files" in project.run(folder=folder, command="lint").stdout
        out = project.run(folder=folder, code=0).stdout
        assert "fine" in out and "uncommitted" in out
    assert (tree / ".weir").is_dir() and not (project.folder / ".git/worktrees/.weir").exists()


def test_a_workflow_is_found_by_its_bare_name(project):
    project.write("deploy.yml", SMALL)
    project.write("other.yml", SMALL.replace("fine", "other"))
    (project.folder / "more").mkdir()
    for folder in (project.folder, project.folder / "more"):
        out = project.run("workflow_dispatch", "-W", "deploy.yml", folder=folder, code=0).stdout
        assert "fine" in out and "other" not in out
    assert "fine" in project.run("-W", ".github/workflows/deploy.yml", code=0).stdout
    done = project.run("-W", "deplyo.yml", code=1)
    assert 'there is no such file or folder; did you mean "deploy.yml"?' in done.stderr


def test_a_key_that_no_matrix_has_is_refused(project):
    project.write("m.yml", """
on: push
jobs:
  one:
    strategy: {matrix: {k: [1, 2], include: [{k: 1, extra: yes}]}}
    runs-on: ubuntu-latest
    steps: [{run: "echo leg ${{ matrix.k }}"}]
  two:
    uses: ./.github/workflows/called.yml
""")
    project.write("called.yml", """
on: workflow_call
jobs:
  inner:
    strategy: {matrix: {os: [a, b]}}
    runs-on: ubuntu-latest
    steps: [{run: "echo os ${{ matrix.os }}"}]
""")
    done = project.run("--matrix", "z:1", code=1)
    assert 'no job\'s matrix has the key "z"; there are extra, k, os' in done.stderr and not done.stdout
    out = project.run("--matrix", "k:1", "--matrix", "os:b", code=0).stdout
    assert "leg 1" in out and "leg 2" not in out and "os b" in out and "os a" not in out
    assert "--matrix k must be KEY:VALUE" in project.run("--matrix", "k", code=1).stderr
    project.write("m.yml", 'on: push\njobs: {a: {strategy: {matrix: "${{ fromJSON(\'{\\"z\\":[1,2]}\') }}"}, '
                  "runs-on: ubuntu-latest, steps: [{run: 'echo z ${{ matrix.z }}'}]}}\n")
    out = project.run("--matrix", "z:1", code=0).stdout
    assert "z 1" in out and "z 2" not in out


@pytest.mark.parametrize("words, said", [
    ("rum", 'there is no command "rum"; did you mean "run"?'),
    ("dispatch", 'there is no command "dispatch"; weir --help'),
    ("secret import", 'there is no command "secret import"; weir secret has set'),
    ("token creat", 'there is no command "token creat"; did you mean "create"?'),
])
def test_a_wrong_command_is_named(words, said):
    done = subprocess.run([WEIR, *words.split()], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and said in done.stderr and not done.stdout


def test_wrong_values_are_refused_with_a_reason(project, tmp_path):
    project.write("small.yml", SMALL)
    for slots in ("0", "-1", "many"):
        assert "the least is 1" in project.run(f"--slots={slots}", code=2).stderr
    assert '"9" cannot be a name' in project.run("--var", "9=3", code=1).stderr
    assert '"A-B" cannot be a name' in project.run("-s", "A-B=3", code=1).stderr
    assert not (project.folder / ".weir").exists()
    missing = project.run("--state", str(tmp_path / "missing"), command="fsck", code=1)
    assert "there is no state in" in missing.stderr
    assert "there is no state in" in project.run("--state", str(tmp_path), command="fsck", code=1).stderr


def test_an_empty_secret_is_refused_unless_it_is_meant(server):
    def put(*arguments):
        return subprocess.run([WEIR, "secret", "set", "X", "--state", server.state, *arguments], input="",
                              capture_output=True, text=True, timeout=60)

    done = put()
    assert done.returncode == 1 and "the value of X is empty" in done.stderr
    assert server.get("/api/v1/secrets", server.admin_token)["secrets"] == []
    assert put("--value", "").returncode == 0 and put("--allow-empty").returncode == 0


def test_a_secret_file_may_hold_values_of_several_lines(project, tmp_path):
    secrets = tmp_path / "secrets"
    secrets.write_bytes(b'# a comment\r\nexport PLAIN = one word \n\nKEY="-----BEGIN-----\nabc=\r\n-----END-----"  # it\n'
                        b"SINGLE='a\\n\nb'\nESCAPED=\"x\\ny \\\"z\\\" C:\\dir\"\nJSON=\"{\"a\": 1}\"\nEMPTY=\nLAST=end")
    project.write("small.yml", """
on: push
jobs:
  a:
    runs-on: ubuntu-latest
    steps:
      - env: {ALL: "${{ toJSON(secrets) }}"}
        run: printf %s "$ALL" > FILE
""".replace("FILE", str(project.said / "secrets")))
    project.run("--secret-file", str(secrets), code=0)
    got = json.loads((project.said / "secrets").read_text())
    got = {name: value for name, value in got.items() if name.lower() != "github_token"}
    assert got == {"PLAIN": "one word", "KEY": "-----BEGIN-----\nabc=\n-----END-----", "SINGLE": "a\\n\nb",
                   "ESCAPED": 'x\ny "z" C:\\dir', "JSON": '{"a": 1}', "EMPTY": "", "LAST": "end"}
    secrets.write_text('A=1\nKEY="never\nclosed\n')
    assert "secrets:2: the value of KEY begins with" in project.run("--secret-file", str(secrets), code=1).stderr
    secrets.write_text("A=1\nno value\nB=2\n")
    assert "secrets:2: expected NAME=VALUE" in project.run("--secret-file", str(secrets), code=1).stderr


def test_logs_come_in_the_order_of_what_jobs_need(project):
    project.write("calls.yml", """
on: push
jobs:
  last:
    needs: called
    runs-on: ubuntu-latest
    steps: [{run: echo the last line}]
  called:
    uses: ./.github/workflows/called.yml
""")
    project.write("called.yml", """
on: workflow_call
jobs:
  inner:
    runs-on: ubuntu-latest
    steps: [{run: echo the first line}]
""")
    for _ in range(5):
        out = project.run(code=0).stdout
        assert out.index("the first line") < out.index("the last line")
        (project.folder / "change").write_text(str(time.monotonic_ns()))
