"""A private PostgreSQL for tests: own folder, own port, gone with the test. Nothing of the machine's is touched."""
import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

from harness import Skip, check, wait_for
from ports import free_port

FOLDERS = ("/usr/lib/postgresql/15/bin", "/usr/lib/postgresql/16/bin", "/usr/lib/postgresql/17/bin")
PASSWORD = "pg-Secret-7f3a"
NOT_DURABLE = ("fsync=off", "full_page_writes=off")


def binaries():
    for folder in FOLDERS:
        if os.access(f"{folder}/initdb", os.X_OK):
            return pathlib.Path(folder)
    raise Skip("no PostgreSQL server is installed")


def as_nobody(argv):
    """PostgreSQL refuses to run as root."""
    return ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", *argv] if os.getuid() == 0 else argv


def run(argv, **more):
    r = subprocess.run(as_nobody([str(a) for a in argv]), capture_output=True, text=True, timeout=60, cwd="/", **more)
    check(r.returncode == 0, argv, r.stdout[-800:], r.stderr[-800:])
    return r.stdout


class Postgres:
    """Superuser `postgres` over the socket without a password; user `gateway` (owner of database `history`) with one."""

    def __init__(self, folder=None, settings=(), durable=False, primary=None):
        self.bin = binaries()
        self.folder = pathlib.Path(folder or tempfile.mkdtemp(prefix="opitios-pg-"))
        self.folder.mkdir(exist_ok=True)
        if os.getuid() == 0:
            shutil.chown(self.folder, "nobody", "nogroup")
        os.chmod(self.folder, 0o755)
        self.data, self.port, self.process = self.folder / "data", free_port(), None
        self.settings = list(settings) + ([] if durable else list(NOT_DURABLE))
        if primary is None:
            run([self.bin / "initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync", "--no-instructions"])
            (self.data / "pg_hba.conf").write_text("local all all trust\nlocal replication all trust\nhost all gateway 127.0.0.1/32 scram-sha-256\n"
                                                   "host all reader 127.0.0.1/32 scram-sha-256\nhost all postgres 127.0.0.1/32 trust\n"
                                                   "host replication postgres 127.0.0.1/32 trust\n")
        else:
            run([self.bin / "pg_basebackup", "-D", self.data, "-h", "127.0.0.1", "-p", primary.port, "-U", "postgres", "-R", "-X", "stream",
                 "-c", "fast", "--no-sync"])
        self.start()
        if primary is None:
            self.sql(f"CREATE ROLE gateway LOGIN PASSWORD '{PASSWORD}'; CREATE ROLE reader LOGIN PASSWORD '{PASSWORD}'; GRANT pg_read_all_data TO reader;")
            self.sql("CREATE DATABASE history OWNER gateway")

    def url(self, database="history", user="gateway", password=PASSWORD, port=None):
        return f"postgresql://{user}:{password}@127.0.0.1:{port or self.port}/{database}"

    def start(self):
        options = [f"-c{s}" for s in self.settings]
        with open(self.folder / "server.log", "ab") as log:
            self.process = subprocess.Popen(as_nobody([str(self.bin / "postgres"), "-D", str(self.data), "-p", str(self.port), "-k", str(self.folder),
                                                       "-clisten_addresses=127.0.0.1", "-cmax_wal_senders=4", *options]),
                                            stdout=log, stderr=log, cwd="/", start_new_session=True)
        wait_for(self.answers, 30, f"PostgreSQL in {self.folder}")

    def answers(self):
        check(self.process.poll() is None, "PostgreSQL ended:", (self.folder / "server.log").read_text()[-800:])
        return subprocess.run([self.bin / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]).returncode == 0

    def sql(self, text, database="postgres", user="postgres"):
        """Rows as lists of texts."""
        out = run([self.bin / "psql", "-h", self.folder, "-p", self.port, "-U", user, "-d", database, "-X", "-q", "-A", "-t", "-F", "\t",
                   "-v", "ON_ERROR_STOP=1", "-c", text])
        return [line.split("\t") for line in out.splitlines() if line]

    def value(self, text, database="history"):
        return self.sql(text, database)[0][0]

    def stop(self, how="fast"):
        """fast: connections are cut; immediate: a crash."""
        if self.process is None:
            return
        self.process.send_signal({"fast": signal.SIGINT, "immediate": signal.SIGQUIT, "smart": signal.SIGTERM}[how])
        with_limit = time.monotonic() + 20
        while self.process.poll() is None and time.monotonic() < with_limit:
            time.sleep(0.005)
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process = None

    def restart(self, how="fast"):
        self.stop(how)
        self.start()

    def promote(self):
        run([self.bin / "pg_ctl", "promote", "-D", self.data, "-w"])

    def close(self):
        self.stop("immediate")
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class PgBouncer:
    """Transaction pooling in front of a Postgres."""

    def __init__(self, server):
        check(shutil.which("pgbouncer"), "pgbouncer is not installed")
        self.folder, self.port = server.folder / "bouncer", free_port()
        self.folder.mkdir()
        (self.folder / "users").write_text(f'"gateway" "{PASSWORD}"\n"reader" "{PASSWORD}"\n')
        (self.folder / "ini").write_text(f"[databases]\n* = host=127.0.0.1 port={server.port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
                                         f"listen_port = {self.port}\nauth_type = plain\nauth_file = {self.folder}/users\nunix_socket_dir =\n"
                                         "pool_mode = transaction\ndefault_pool_size = 2\nmax_client_conn = 100\nserver_reset_query =\n")
        if os.getuid() == 0:
            for f in (self.folder, self.folder / "users", self.folder / "ini"):
                shutil.chown(f, "nobody", "nogroup")
        self.process = subprocess.Popen(as_nobody(["pgbouncer", "-q", str(self.folder / "ini")]), stdout=subprocess.DEVNULL,
                                        stderr=open(self.folder / "log", "wb"), cwd="/")
        wait_for(self.answers, 10, "PgBouncer")

    def answers(self):
        check(self.process.poll() is None, "PgBouncer ended:", (self.folder / "log").read_text()[-800:])
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.port)) == 0

    def close(self):
        self.process.terminate()
        self.process.wait(10)


class Wire:
    """The way to a Postgres, which may fall silent in the midst of a COPY: what is sent is swallowed, nothing comes back, and neither end hears
    of the other any more, not even that it is gone; its connection stands all the same."""

    def __init__(self, server):
        self.server, self.closing, self.silent, self.pending = server, False, threading.Event(), None   # pending: bytes behind "COPY "
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port, self.held = self.listener.getsockname()[1], []
        threading.Thread(target=self.accept, daemon=True).start()

    def fall_silent(self, after=None):
        """In the next transaction that copies: so many bytes behind its first words, or (None) when the last of it has passed and the
        answer has not. Other connections, and those that come, are carried on."""
        self.silent.clear()
        self.pending = (after,)

    def accept(self):
        while True:
            try:
                client = self.listener.accept()[0]
                there = socket.create_connection(("127.0.0.1", self.server.port), timeout=5)
            except OSError:
                if self.closing:
                    return
                client.close()
                continue
            there.settimeout(None)
            self.held += [client, there]
            mute = threading.Event()
            threading.Thread(target=self.carry, args=(client, there, mute, True), daemon=True).start()
            threading.Thread(target=self.carry, args=(there, client, mute, False), daemon=True).start()

    def carry(self, source, to, mute, is_client):
        left = ends = None      # bytes until silence, COPYs that are not over
        try:
            while data := source.recv(65536):
                if is_client and self.pending and (at := data.find(b"COPY ")) >= 0:
                    left, ends, self.pending = self.pending[0], data.count(b"\nCOPY "), None
                    left = None if left is None else at + left
                elif ends is not None:
                    ends -= data.count(b"c\0\0\0\4")       # CopyDone
                over = left is not None and left <= len(data) or left is None and ends == 0
                if over and left is None and not mute.is_set():
                    mute.set()          # before the answer can come
                    to.sendall(data)
                    self.silent.set()
                elif not mute.is_set():
                    to.sendall(data[:left])
                    if over:
                        mute.set()
                        self.silent.set()
                left = None if left is None else left - len(data)
            if not mute.is_set():
                to.shutdown(socket.SHUT_WR)
        except OSError:
            if not mute.is_set():
                to.close()

    def close(self):
        self.closing = True
        for s in (self.listener, *self.held):
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)
            s.close()
