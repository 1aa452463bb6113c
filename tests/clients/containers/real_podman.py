"""Finds out how podman can run containers on this machine, which may be a container itself."""

import ctypes
import fcntl
import os
import re
import shutil
import socket
import struct
import subprocess
from pathlib import Path

NAMESPACES = 0x00020000 | 0x40000000  # CLONE_NEWNS, CLONE_NEWNET
PROGRAMS = ["awk", "bash", "cat", "env", "getent", "grep", "hostname", "ls", "mkdir", "ps", "rm", "sh", "sleep", "tail", "touch"]
IMAGE = "docker.io/library/weir-test:1"
PAGE_IMAGE = "docker.io/library/debian:12-slim"  # what the guide's page takes from the registry, which is not asked here

# In the order in which they are tried: as on an ordinary machine, and as inside of a container.
CONTAINERS = ["", 'cgroups = "disabled"\ndefault_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]\n']
STORAGE = ["overlay", "vfs"]


def enter_namespaces():
    """Mounts and a network of this process's own: what podman sets up there goes with it."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(NAMESPACES) != 0:
        return os.strerror(ctypes.get_errno())
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    # Beside control groups of version 1 podman takes it for the whole.
    subprocess.run(["umount", "/sys/fs/cgroup/unified"], capture_output=True)
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh14x", b"lo", 0x1 | 0x40))  # up, running
    return None


def prepare(folder):
    """A reason to skip, and a function that calls podman."""
    program = shutil.which("podman")
    if program is None:
        return "there is no podman", None
    if os.geteuid() != 0:
        return "only root can give podman a network of its own", None
    if problem := enter_namespaces():
        return f"no namespaces of its own: {problem}", None
    # podman waits for the disk at each of its steps, which others may keep busy.
    for place in (folder, "/run/containers", "/run/crun", "/var/lib/cni"):
        Path(place).mkdir(parents=True, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(place)], check=True)

    def run(*arguments, check=False, text=None):
        return subprocess.run([program, *arguments], input=text, capture_output=True, text=True, timeout=60, check=check)

    root = folder / "rootfs"
    copy_programs(root)
    os.environ["CONTAINERS_CONF"] = str(folder / "containers.conf")
    os.environ["CONTAINERS_STORAGE_CONF"] = str(folder / "storage.conf")
    answer = None
    for number, (storage, containers) in enumerate((s, c) for c in CONTAINERS for s in STORAGE):
        (folder / "containers.conf").write_text(
            f'[containers]\n{containers}[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "none"\n')
        (folder / "storage.conf").write_text(
            f'[storage]\ndriver = "{storage}"\ngraphroot = "{folder}/store{number}"\nrunroot = "{folder}/run{number}"\n')
        answer = run("run", "--rm", "--network", "none", "--rootfs", str(root), "sh", "-c", "exit 7")
        if answer.returncode == 7:
            return None, run
    return f"podman runs no container here: {answer.stderr.strip()[-300:]}", None


def copy_programs(root):
    for name in ("usr/bin", "etc", "tmp", "proc", "sys", "dev", "run"):
        (root / name).mkdir(parents=True, exist_ok=True)
    for name in ("bin", "lib", "lib64"):
        (root / "usr" / name).mkdir(exist_ok=True)
        (root / name).symlink_to(f"usr/{name}")
    # node itself is given to a container when it runs; what it is linked with has to be there.
    for name in [*PROGRAMS, "node"]:
        program = os.path.realpath(shutil.which(name))
        linked = subprocess.run(["ldd", program], capture_output=True, text=True).stdout
        for library in re.findall(r"(/\S+)", linked):
            target = root / "usr" / library.removeprefix("/usr").lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(library, target)
        if name != "node":
            shutil.copy(program, root / "usr/bin" / name)
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (root / "etc/nsswitch.conf").write_text("hosts: files dns\n")


def make_image(folder, run):
    subprocess.run(["tar", "-C", folder / "rootfs", "-cf", folder / "image.tar", "."], check=True)
    for name in (IMAGE, PAGE_IMAGE):
        run("import", "--quiet", str(folder / "image.tar"), name, check=True)
