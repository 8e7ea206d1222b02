"""kernel.py - what Linux lets root do to another process, and the numbers it tells of one."""
import contextlib
import ctypes
import os
import pathlib
import resource
import socket
import struct
import subprocess

from harness import BUILD, Skip

LIBC = ctypes.CDLL(None, use_errno=True)
SYS_PIDFD_OPEN, SYS_PIDFD_GETFD = 434, 438
PAGE = os.sysconf("SC_PAGE_SIZE")
PIDS_GROUP = pathlib.Path("/sys/fs/cgroup/pids")


def exists(pid):
    """Whether there is such a process, a zombie included."""
    return os.path.exists(f"/proc/{pid}")


def zombies_of(parent):
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError, IndexError, ValueError):
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
            if int(fields[1]) == parent and fields[0] == "Z":
                found.append(int(pid))
    return found


def descriptors(pid):
    return os.listdir(f"/proc/{pid}/fd")


def mapped_bytes(pid):
    return int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[0]) * PAGE


@contextlib.contextmanager
def soft_limit(pid, what, value):
    """Lowers a limit of another process while the block runs. The process may be gone at its end."""
    soft, hard = resource.prlimit(pid, what)
    resource.prlimit(pid, what, (value, hard))
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(pid, what, (soft, hard))


def inject(how, pid):
    """Another thing to do than its own, from the next instruction on: spin, or block."""
    helper = BUILD / "chaos_inject"
    if not helper.exists():
        raise Skip(f"{helper} is not built")
    r = subprocess.run([helper, how, str(pid)], capture_output=True, text=True, timeout=10)
    if r.returncode == 77:
        raise Skip(r.stderr.strip())
    if r.returncode != 0:
        raise AssertionError(r.stderr.strip())


def stolen_socket(pid, fd):
    """A duplicate of a process's socket; None when it is no channel: those are pairs that the master made."""
    pidfd = LIBC.syscall(SYS_PIDFD_OPEN, pid, 0)
    if pidfd < 0:
        raise Skip(f"pidfd_open: {os.strerror(ctypes.get_errno())}")
    try:
        mine = LIBC.syscall(SYS_PIDFD_GETFD, pidfd, fd, 0)
        if mine < 0:
            raise Skip(f"pidfd_getfd: {os.strerror(ctypes.get_errno())}")
    finally:
        os.close(pidfd)
    s = socket.socket(fileno=mine)
    with contextlib.suppress(OSError):
        if s.family == socket.AF_UNIX and s.type == socket.SOCK_STREAM:
            maker, _, _ = struct.unpack("iII", s.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
            if maker not in (0, pid):
                return s
    s.close()
    return None


def channels(pid):
    """Descriptor numbers of a worker that are channels: Unix sockets with another process at the other end."""
    found = []
    for fd in sorted(map(int, descriptors(pid))):
        with contextlib.suppress(OSError):
            if os.readlink(f"/proc/{pid}/fd/{fd}").startswith("socket:") and (s := stolen_socket(pid, fd)):
                s.close()
                found.append(fd)
    return found


class Fork:
    """A pids control group in which processes can be made to run out."""

    def __init__(self, pids):
        self.group, self.why = PIDS_GROUP / f"opitios-chaos-run-{os.getpid()}-{pids[0]}", None
        try:
            self.group.mkdir()
            for pid in pids:
                (self.group / "cgroup.procs").write_text(str(pid))
        except OSError as e:
            self.why = f"no pids control group: {e}"

    def allow(self, number):
        if self.why:
            raise Skip(self.why)
        (self.group / "pids.max").write_text(str(number))

    def close(self):
        with contextlib.suppress(OSError):
            self.group.rmdir()


class Disk:
    """A small file system in memory, so that it can be full."""

    def __init__(self, folder, mib=64):
        folder.mkdir()
        self.folder = folder
        r = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mib}m", "opitios-chaos", str(folder)], capture_output=True, text=True)
        self.why = None if r.returncode == 0 else f"no tmpfs: {r.stderr.strip()}"

    def free(self):
        v = os.statvfs(self.folder)
        return v.f_bavail * v.f_frsize

    def fill(self, name="ballast"):
        if self.why:
            raise Skip(self.why)
        for size in (1 << 20, PAGE):
            with open(self.folder / name, "ab", buffering=0) as f, contextlib.suppress(OSError):
                while f.write(bytes(size)) == size:
                    pass

    def empty(self, name="ballast"):
        (self.folder / name).unlink(missing_ok=True)

    def close(self):
        if not self.why:
            subprocess.run(["umount", str(self.folder)], capture_output=True)
