"""Runs a page of docs/guide as its reader would: files are written, commands typed, output compared.

A fenced block with `title="PATH"` is a file. A `console` block holds commands after `$ ` (continued by a backslash) with
what they print; `…` stands for anything in a line, a line of only `…` for any lines. `# exits with N` ends a command that
must fail so; a command ending in `# until it does` is repeated until its output is as shown.
"""

import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from described import Described  # noqa: E402

ROOT = Path(__file__).parents[3]
BUILD = Path(os.environ.get("WEIR_BUILD", ROOT / "build"))
PAGES = sorted((ROOT / "docs/guide").glob("*.md"))
FENCE = re.compile(r"^```(\w+)(?: title=\"([^\"]+)\")?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PORT = "4510"
PATIENCE = 240  # seconds that a repeated command has: an environment of packages may be installed meanwhile


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


class Shell:
    """One bash that a page's commands are typed into."""

    def __init__(self, folder: Path):
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("WEIR_", "MLFLOW_", "GIT_"))}
        environment |= {
            "PATH": f"{BUILD / 'bin'}:{ROOT / '.venv/bin'}:{os.environ['PATH']}", "HOME": str(folder), "NO_COLOR": "1",
            "GIT_AUTHOR_NAME": "ann", "GIT_AUTHOR_EMAIL": "ann@example.com", "GIT_COMMITTER_NAME": "ann",
            "GIT_COMMITTER_EMAIL": "ann@example.com", "GIT_CONFIG_GLOBAL": str(folder / "gitconfig"), "GIT_TERMINAL_PROMPT": "0",
            "PYTHONWARNINGS": "ignore",
            # Fetched packages are shared by the pages; all else of HOME is a page's own.
            "UV_CACHE_DIR": os.environ.get("UV_CACHE_DIR", str(Path.home() / ".cache/uv")),
        }
        (folder / "gitconfig").write_text("[init]\n  defaultBranch = main\n")
        self.process = subprocess.Popen(["bash", "--norc"], cwd=folder, env=environment, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)

    def run(self, command: str) -> tuple[str, int]:
        # What the command reads is empty: the shell's own input holds the next commands.
        self.process.stdin.write(f"{command}\n" if command.endswith("&") or "<<" in command else f"{{ {command}\n}} </dev/null\n")
        self.process.stdin.write("printf '\\n--end-- %d\\n' $?\n")
        self.process.stdin.flush()
        lines = []
        for line in self.process.stdout:
            if line.startswith("--end-- "):
                return "".join(lines).rstrip("\n"), int(line.split()[1])
            lines.append(line)
        raise AssertionError(f"the shell ended in: {command}\n{''.join(lines)}")

    def close(self):
        # The servers of the page: a sanitizer tells of what it found by their exit code.
        self.process.stdin.write("codes=; for job in $(jobs -p); do kill $job 2>/dev/null; wait $job; codes+=\" $?\"; done\n")
        self.process.stdin.write("echo --codes--$codes; exit\n")
        self.process.stdin.close()
        said = self.process.stdout.read()
        self.process.wait(60)
        codes = said.rpartition("--codes--")[2].split()
        assert all(code == "0" for code in codes), said


def pattern(expected: str) -> re.Pattern:
    parts = []
    for line in expected.rstrip("\n").split("\n"):
        if line.strip() == "…":
            parts.append(r"(?:.*\n)*?")
        else:
            parts.append(".*".join(re.escape(part.rstrip()) for part in line.split("…")) + r"[ ]*\n")
    return re.compile("".join(parts))


def commands(block: str):
    """The block's commands, each with what it prints."""
    command, expected = None, []
    lines = iter(block.split("\n"))
    for line in lines:
        if line.startswith("$ "):
            if command is not None:
                yield command, "\n".join(expected)
            command, expected = line[2:], []
            while command.endswith("\\"):
                command += "\n" + next(lines)
        else:
            expected.append(line)
    if command is not None:
        yield command, "\n".join(expected)


def run_command(shell: Shell, command: str, expected: str):
    exits = re.search(r"\s+# exits with (\d+)$", command)
    patient = command.endswith("# until it does")
    deadline = time.monotonic() + PATIENCE
    while True:
        output, code = shell.run(command)
        right = code == (int(exits[1]) if exits else 0) and (not expected.strip() or pattern(expected).fullmatch(output + "\n"))
        if right or not patient or time.monotonic() > deadline:
            break
        time.sleep(0.2)
    assert right, f"$ {command}\nexit code {code}, printed:\n{output}\n--- the page says:\n{expected}"


def run_page(page: Path, folder: Path):
    port = free_port()
    shell = Shell(folder)
    try:
        for language, title, text in FENCE.findall(page.read_text()):
            text = text.replace(PORT, port)
            if title:
                file = folder / title
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text)
            elif language == "console":
                for command, expected in commands(text.rstrip("\n")):
                    run_command(shell, command, expected)
        if f":{port}" in page.read_text().replace(PORT, port):
            Described(f"http://127.0.0.1:{port}").read_everything()  # no other test has servers with so much to tell
    finally:
        shell.close()
