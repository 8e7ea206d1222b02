"""peers.py - what bench/reload and bench/restart share: the gateway, nginx and HAProxy, each with workers that can be told apart.

Each peer has a name, a port, a path, and reload(), which returns the seconds until the new workers serve and the
old ones take no more connections.
"""
import contextlib
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests" / "system"))
import harness  # noqa: E402
from harness import check, wait_for  # noqa: E402

BARS = "/api/v1/stocks/GOOG/bars?timeframe=1Day&limit=1"
DEMO = harness.ROOT / "recordings/matplotlib-daily"

# As Debian's: workers of another user than the master's when it is root; no keep-alive matters here.
NGINX_CONF = """
worker_processes {workers}; daemon off; master_process on; pid {dir}/nginx.pid; error_log {dir}/nginx.err;
events {{ worker_connections 4096; }}
http {{
  access_log off; default_type application/json;
  client_body_temp_path {dir}; proxy_temp_path {dir}; fastcgi_temp_path {dir}; uwsgi_temp_path {dir};
  scgi_temp_path {dir};
  geo $dollar {{ default "$"; }}
  server {{ listen 127.0.0.1:{port} backlog=4096; location / {{ return 200 '{body}'; }} }}
}}
"""
# The defaults of Debian's haproxy.cfg without its log; its unit runs it with -W and the master's socket. In this mode the
# listening sockets go from the old worker to the new one by themselves: "expose-fd listeners" is not needed for that.
HAPROXY_CONF = """
global
  nbthread {workers}
  stats socket {dir}/haproxy.admin mode 660 level admin
defaults
  mode http
  timeout connect 5000
  timeout client 50000
  timeout server 50000
frontend bench
  bind 127.0.0.1:{port} backlog 4096
  http-request return status 200 content-type application/json file {dir}/body
"""


def need(tool, package):
    path = shutil.which(tool) or shutil.which(tool, path="/usr/sbin:/sbin")
    if path is None:
        sys.exit(f"bench: {tool} is missing: apt-get install {package}")
    return path


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def children(pid):
    with contextlib.suppress(OSError):
        return [int(p) for p in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def title(pid):
    with contextlib.suppress(OSError):
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
    return ""


def first_answer(port, path, seconds=20):
    """One GET on a new connection, by bare sockets: nothing here may cost the time that is measured."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=seconds) as s:
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            s.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
            got = b""
            while part := s.recv(65536):
                got += part
            if got.startswith(b"HTTP/1.1 200"):
                return time.monotonic()
    raise AssertionError(f"port {port} does not answer")


@contextlib.contextmanager
def a_scene(name):
    """A scene of the system tests without their look for alerts in the logs; its folder is kept when something failed."""
    scene = harness.Scene(name)
    try:
        yield scene
    finally:
        for thing in reversed(scene.started):
            thing.stop()
    shutil.rmtree(scene.folder, ignore_errors=True)


class Peer:
    def __init__(self, scene, name, argv, port):
        self.name, self.port, self.path, self.log = name, port, "/", open(scene.folder / f"{name}.out", "ab")
        self.process = subprocess.Popen(argv, stdout=self.log, stderr=self.log, cwd=scene.folder)
        scene.started.append(self)
        first_answer(port, "/")

    def stop(self):
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.log.close()


class Nginx(Peer):
    def __init__(self, scene, body, workers=2):
        text = body.decode().replace("\\", "\\\\").replace("'", "\\'").replace("$", "${dollar}")
        port, conf = free_port(), scene.folder / "nginx.conf"
        conf.write_text(NGINX_CONF.format(dir=scene.folder, port=port, body=text, workers=workers))
        self.count = workers
        super().__init__(scene, "nginx", [need("nginx", "nginx-light"), "-p", scene.folder, "-c", conf, "-e", "stderr"], port)

    def workers(self):
        return [p for p in children(self.process.pid) if title(p) == "nginx: worker process"]

    def reload(self):
        old, begun = set(self.workers()), time.monotonic()
        self.process.send_signal(1)
        wait_for(lambda: len(now := self.workers()) == self.count and not old & set(now), 30, "nginx's reload", 0.001)
        return time.monotonic() - begun


class Haproxy(Peer):
    def __init__(self, scene, body, workers=2):
        port, conf = free_port(), scene.folder / "haproxy.cfg"
        (scene.folder / "body").write_bytes(body)
        conf.write_text(HAPROXY_CONF.format(dir=scene.folder, port=port, workers=workers))
        self.socket = str(scene.folder / "haproxy.master")
        super().__init__(scene, "haproxy", [need("haproxy", "haproxy"), "-W", "-S", self.socket, "-f", conf], port)

    def worker(self):
        """pid of the worker of this generation, as the master tells; None while the master executes itself anew."""
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as s:
            s.settimeout(5)
            s.connect(self.socket)
            s.sendall(b"show proc\n")
            got = b""
            while b"# programs" not in got and (part := s.recv(65536)):
                got += part
            m = re.search(rb"# workers\n(\d+)\s+worker", got)
            return int(m[1]) if m else None
        return None

    def reload(self):
        old, begun = wait_for(self.worker, 10, "HAProxy's worker"), time.monotonic()
        self.process.send_signal(12)
        wait_for(lambda: self.worker() not in (None, old), 30, "HAProxy's reload", 0.001)
        return time.monotonic() - begun


class Ours:
    def __init__(self, scene, workers=2, settings=()):
        self.name, self.path = "gateway", BARS
        _, self.gateway = scene.pair(DEMO, workers=workers, settings=("--freshness.bars=1h", "--freshness.closed=1h", *settings))
        self.port, self.process = self.gateway.port, self.gateway.process
        check(self.gateway.ask(BARS).status == 200, "no bars to serve")
        self.log = harness.LogTail(self.gateway.log_path)

    def body(self):
        return self.gateway.ask(BARS).body

    def reload(self):
        begun = time.monotonic()
        self.process.send_signal(1)
        m, at = self.log.wait(rb"reload: (generation \d+: \d+ workers replaced|failed|refused)[^\"]*")
        check(m[1].startswith(b"generation"), m[0].decode())
        return at - begun


def spread(values):
    """p50, p99 and the worst of seconds, in milliseconds."""
    values = sorted(values)
    at = [values[min(len(values) - 1, int(len(values) * q))] for q in (0.5, 0.99)]
    return [1e3 * v for v in (*at, values[-1])]


class Paper:
    """Prints, and keeps what was printed for a file at the end."""

    def __init__(self, path):
        self.path, self.lines = path, []

    def say(self, text):
        print(text, flush=True)
        self.lines.append(text)

    def keep(self):
        pathlib.Path(self.path).write_text("\n".join(self.lines) + "\n")

