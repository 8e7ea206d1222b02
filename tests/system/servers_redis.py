"""servers_redis.py - real Redis servers for the system tests: one, with a replica, with a Sentinel, a cluster of three.

Each in a folder of its own, on a Unix socket and a free port of 127.0.0.1, without a disk behind it. scene.started takes
them: whatever runs is stopped with the scene.
"""

import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile

from harness import check, wait_for
from ports import free_port


def encode(words):
    out = b"*%d\r\n" % len(words)
    for w in words:
        b = w if isinstance(w, bytes) else str(w).encode()
        out += b"$%d\r\n%s\r\n" % (len(b), b)
    return out


class RedisError(Exception):
    pass


class Connection:
    """A client in a few lines: no library has to be installed for the tests."""

    def __init__(self, address, password=None, timeout=5.0):
        self.s = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
        self.s.settimeout(timeout)
        self.s.connect(address)
        self.f = self.s.makefile("rb")
        if password:
            self.ask("AUTH", password)

    def ask(self, *words):
        self.s.sendall(encode(words))
        return self.read()

    def read(self):
        line = self.f.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("Redis closed")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest.decode()
        if kind == b"-":
            raise RedisError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            if rest == b"-1":
                return None
            return self.f.read(int(rest) + 2)[:-2].decode(errors="replace")
        return None if rest == b"-1" else [self.read() for _ in range(int(rest))]

    def close(self):
        self.f.close()
        self.s.close()


class Redis:
    """One redis-server. `unix` and `port` are where it listens; kill() and start() keep both."""

    program = "redis-server"

    def __init__(self, scene, password=None, settings=(), cluster=False, replica_of=None, sentinel_of=None):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="redis-", dir="/tmp"))
        self.unix = str(self.folder / "redis.sock")
        self.port = free_port(10000 if cluster else 0)
        self.password = password
        self.settings = [str(s) for s in settings]
        self.log_path = self.folder / "server.txt"
        self.process = self.idle = None
        if cluster:
            self.settings += ["--cluster-enabled", "yes", "--cluster-node-timeout", "1000"]
        if replica_of:
            self.settings += ["--replicaof", "127.0.0.1", str(replica_of.port)]
        self.sentinel_of = sentinel_of
        scene.started.append(self)
        self.start()

    def command(self):
        if self.sentinel_of:
            conf = self.folder / "sentinel.conf"
            if not conf.exists():
                conf.write_text(f"port {self.port}\nbind 127.0.0.1\nunixsocket {self.unix}\ndir {self.folder}\n"
                                f"sentinel monitor gateway 127.0.0.1 {self.sentinel_of.port} 1\n"
                                "sentinel down-after-milliseconds gateway 300\nsentinel failover-timeout gateway 2000\n")
            return ["redis-sentinel", str(conf)]
        words = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--unixsocket", self.unix, "--save", "",
                 "--appendonly", "no", "--dir", str(self.folder), "--repl-diskless-sync-delay", "0",
                 "--repl-ping-replica-period", "1", *self.settings]
        if self.password:
            words += ["--requirepass", self.password]
        return words

    def start(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.command(), stdout=log, stderr=log, start_new_session=True)
        wait_for(self.answers, 10, "redis-server to answer: " + self.log_path.read_text()[-300:])
        return self

    def answers(self):
        check(self.process.poll() is None, "redis-server ended:", self.log_path.read_text()[-500:])
        try:
            self.ask("PING")
            return True
        except RedisError as e:
            return "LOADING" not in str(e)
        except OSError:
            return False

    def ask(self, *words):
        c = Connection(self.unix, self.password)
        try:
            return c.ask(*words)
        finally:
            c.close()

    def config(self, **settings):
        for name, value in settings.items():
            self.ask("CONFIG", "SET", name.replace("_", "-"), value)

    def hash(self, key):
        flat = self.ask("HGETALL", key)
        return dict(zip(flat[::2], flat[1::2]))

    def keys(self, pattern="*"):
        return sorted(self.ask("KEYS", pattern))

    def url(self, db=0, password=True):
        secret = f":{self.password}@" if self.password and password else ""
        return f"unix://{secret}{self.unix}" + (f"?db={db}" if db else "")

    def tcp_url(self, db=0):
        secret = f":{self.password}@" if self.password else ""
        return f"redis://{secret}127.0.0.1:{self.port}" + (f"/{db}" if db else "")

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def kill(self):
        """At once, as a crash; start() brings it back, empty."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)

    def stop(self):
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __del__(self):
        if self.process and self.process.poll() is None:
            self.process.kill()


class Cluster:
    """Three masters that share the slots."""

    def __init__(self, scene):
        self.nodes = [Redis(scene, cluster=True) for _ in range(3)]
        edges = (0, 5461, 10923, 16384)
        for i, n in enumerate(self.nodes):
            n.ask("CLUSTER", "ADDSLOTSRANGE", edges[i], edges[i + 1] - 1)
            n.ask("CONFIG", "SET", "cluster-announce-ip", "127.0.0.1")
            if i:
                n.ask("CLUSTER", "MEET", "127.0.0.1", self.nodes[0].port)
        for n in self.nodes:
            wait_for(lambda n=n: "cluster_state:ok" in n.ask("CLUSTER", "INFO") and
                     "cluster_known_nodes:3" in n.ask("CLUSTER", "INFO"), 20, "the cluster to stand")
            wait_for(lambda n=n: len(n.ask("CLUSTER", "SLOTS")) == 3, 20, "all slots to be known")

    def url(self):
        return "redis+cluster://" + ",".join(f"127.0.0.1:{n.port}" for n in self.nodes[:2])

    def keys(self, pattern="*"):
        return sorted(k for n in self.nodes for k in n.keys(pattern))
