"""Nothing lost, nothing twice in PostgreSQL, whatever dies: processes of the gateway, the server, the way between them."""
# Alone: so many records have to come by in its time.
import contextlib
import os
import random
import shutil
import signal
import sys
import threading
import time

from harness import KEY, ROOT, SECRET, Client, check, equal, http, run_file, wait_for
from servers_postgres import PASSWORD, PgBouncer, Postgres

sys.path.insert(0, str(ROOT / "tests/chaos"))
import kernel  # noqa: E402

DEMO = ROOT / "recordings/matplotlib-daily"
FULL = os.environ.get("OPITIOS_FULL") == "1"
FAULTS, RECORDS = (120, 1_000_000) if FULL else (24, 60_000)
TABLES = ("quotes", "trades", "bars", "greeks", "snapshots", "upstream_calls", "market_clocks", "coverage")
SETTINGS = ("--supervisor.stable_after=10ms", "--supervisor.fail_deaths=1000", "--supervisor.restart_floor=20ms",
            "--supervisor.restart_ceiling=200ms", "--journal.segment_bytes=1M", "--postgres.connect_timeout=1s", "--postgres.timeout=2s",
            "--upstream.budget_per_minute=100000")


class Stage:
    """A gateway that may be killed as a whole, clients that find its successor, and a server."""

    def __init__(self, scene, url, settings=()):
        self.scene, self.url, self.settings = scene, url, settings
        self.replay = scene.replay(DEMO, args=("--rate-per-minute", "0"))
        self.gateway, self.answers, self.wrong = None, 0, []
        self.start()
        self.done = threading.Event()
        self.clients = [threading.Thread(target=self.ask_on, args=(n,), daemon=True) for n in range(2)]
        for c in self.clients:
            c.start()

    def start(self):
        self.gateway = self.scene.gateway(self.replay, env={"POSTGRES_URL": self.url}, settings=SETTINGS + self.settings)

    def ask_on(self, n):
        client = None
        while not self.done.is_set():
            n = n % 40 + 1
            try:
                client = client or Client(self.gateway.port)
                status = client.ask(f"/api/v1/stocks/GOOG/bars?limit={20 + n}&max_age_seconds=0").status
                if status == 200:
                    self.answers += 1
                elif status not in (503, 504):
                    self.wrong.append(status)
            except (OSError, http.client.HTTPException):
                client = None
                time.sleep(0.01)

    def quiet(self):
        self.done.set()
        for c in self.clients:
            c.join(30)

    def goes_on(self, more=3, seconds=30):
        reached = self.answers + more
        wait_for(lambda: self.answers >= reached, seconds, "answers to go on; " + self.gateway.tail(800))

    def kill_slot(self, slot):
        pid = wait_for(lambda: self.gateway.children().get(slot), 10, f"{slot}'s process")
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: self.gateway.children().get(slot) not in (None, pid), 10, f"a successor of {slot}")

    def kill_master(self):
        g = self.gateway
        children = g.children().values()
        g.process.kill()
        g.process.wait()
        wait_for(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in children), 10, "the end of the workers")
        self.start()

    def metric(self, name, **labels):
        return self.gateway.metric(name, **labels)

    def drained(self, server, seconds=60):
        """All that is in the journal now is stored, by the word of the database; the gateway's own figure follows within its second."""
        last = int(wait_for(lambda: self.metric("opitios_journal_sequence"), 10, "the journal"))
        wait_for(lambda: position(server) >= last, seconds, f"the journal to drain to {last}")
        wait_for(lambda: self.metric("opitios_journal_lag_records") < 5000, 10, "the lag to be told")


def hold(stage, server, seconds):
    """The fault lasts until the clients had some answers, and for a moment."""
    stage.goes_on()
    time.sleep(seconds)


def fault_fetcher(stage, server, rng):
    stage.kill_slot("fetcher-rest")


def fault_writer(stage, server, rng):
    stage.kill_slot("cache-writer")


def fault_master(stage, server, rng):
    stage.kill_master()


def fault_stop(stage, server, rng):
    server.stop("fast")
    hold(stage, server, 0.1)
    server.start()


def fault_crash(stage, server, rng):
    server.stop("immediate")
    hold(stage, server, 0.05)
    server.start()


def fault_terminate(stage, server, rng):
    for _ in range(rng.randint(1, 5)):
        server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'gateway'")


def fault_connections(stage, server, rng):
    server.sql("ALTER ROLE gateway CONNECTION LIMIT 0")
    fault_terminate(stage, server, rng)
    hold(stage, server, 0.05)
    server.sql("ALTER ROLE gateway CONNECTION LIMIT -1")


def fault_read_only(stage, server, rng):
    server.sql("ALTER ROLE gateway SET default_transaction_read_only = on")
    fault_terminate(stage, server, rng)
    hold(stage, server, 0.05)
    server.sql("ALTER ROLE gateway RESET default_transaction_read_only")
    fault_terminate(stage, server, rng)


def fault_timeout(stage, server, rng):
    server.sql("ALTER ROLE gateway SET statement_timeout = '1ms'")
    fault_terminate(stage, server, rng)
    hold(stage, server, 0.05)
    server.sql("ALTER ROLE gateway RESET statement_timeout")
    fault_terminate(stage, server, rng)


def fault_lock(stage, server, rng):
    server.sql(f"BEGIN; LOCK TABLE bars IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep({rng.uniform(0.05, 0.3):.2f}); COMMIT", "history")


def fault_hang(stage, server, rng):
    pids = [int(p) for (p,) in server.sql("SELECT pid FROM pg_stat_activity WHERE usename = 'gateway'")]
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
    hold(stage, server, 0.1)
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def fault_password(stage, server, rng):
    server.sql("ALTER ROLE gateway PASSWORD 'another'")
    fault_terminate(stage, server, rng)
    hold(stage, server, 0.05)
    server.sql(f"ALTER ROLE gateway PASSWORD '{PASSWORD}'")


def fault_disk_full(stage, server, rng):
    if server.disk is None:
        return
    # Of an episode that goes on, a reason that was told before is not told again.
    wait_for(lambda: stage.gateway.ask("/api/v1/health/detailed").json["checks"]["database"]["status"] == "healthy", 20, "a store that works")
    server.disk.fill()
    wait_for(lambda: "No space left" in stage.gateway.log_path.read_text(errors="replace")[server.told:], 20, "the full disk to be told")
    hold(stage, server, 0.05)
    server.disk.empty()
    server.told = stage.gateway.log_path.stat().st_size


@contextlib.contextmanager
def small_tables(server, folder):
    """The tables on a file system of their own, where one may be mounted, so that it can be full."""
    disk, server.disk, server.told = kernel.Disk(folder, 4096 if FULL else 512), None, 0
    try:
        if not disk.why:
            if os.getuid() == 0:
                shutil.chown(folder, "nobody", "nogroup")
            server.sql(f"CREATE TABLESPACE small LOCATION '{folder}'")
            server.sql("ALTER DATABASE history SET TABLESPACE small")
            server.disk = disk
        yield
    finally:
        server.stop("immediate")
        disk.close()


KINDS = [f for name, f in sorted(globals().items()) if name.startswith("fault_")]


def position(server):
    if server.value("SELECT count(*) FROM pg_class WHERE relname = 'journal_position'") == "0":
        return 0
    return int(server.value("SELECT coalesce(max(journal_sequence), 0) FROM journal_position"))


def stored(server):
    """How many rows, how many of them different, first and last sequence of the one journal."""
    union = " UNION ALL ".join(f"SELECT journal_source AS s, journal_sequence AS n FROM {t}" for t in TABLES)
    union += " UNION ALL SELECT journal_source, journal_sequence FROM dead_letters"
    row = server.sql(f"SELECT count(*), count(DISTINCT (s, n)), min(n), max(n), count(DISTINCT s) FROM ({union}) AS all_rows", "history")[0]
    return [int(v) for v in row]


def agree(stage, server, least):
    """Clients are quiet: all that is in the journal is stored, each record once, without a hole."""
    stage.drained(server)
    stage.gateway.stop()
    count, different, first, top, sources = stored(server)
    equal(sources, 1, "journals")
    equal(count, different, "rows, of them different")
    # A journal begins at some number; from there on each number comes once.
    equal((top, count), (position(server), top - first + 1), "last row and number of rows")
    check(count >= least, "hardly any records:", count)
    check(not stage.wrong, "answers:", stage.wrong[:10])
    return count


def silent(stage):
    log = stage.gateway.log_path.read_text(errors="replace")
    check(PASSWORD not in log and SECRET not in log and KEY not in log, "a secret is in the log")


def test_any_death_of_anything_leaves_each_record_once(scene):
    seed = int(os.environ.get("OPITIOS_SEED", time.time_ns() // 1_000_000))
    rng, begun = random.Random(seed), time.monotonic()
    with Postgres() as server, small_tables(server, server.folder / "small"):
        stage, faults, counted = Stage(scene, server.url()), 0, {}
        stage.goes_on()
        stage.drained(server)
        order = []
        while faults < FAULTS or stage_records(stage) < RECORDS:
            if not order:
                order = rng.sample(KINDS, len(KINDS))
            kind = order.pop()
            kind(stage, server, rng)
            stage.goes_on(rng.randint(1, 5))
            counted[kind.__name__[6:]] = counted.get(kind.__name__[6:], 0) + 1
            faults += 1
        stage.quiet()
        count = agree(stage, server, RECORDS)
        silent(stage)
        print(f"        seed {seed}: {faults} faults in {time.monotonic() - begun:.0f} s, {count} records, each stored once; "
              + ", ".join(f"{k} {n}" for k, n in sorted(counted.items())))


def stage_records(stage):
    return stage.metric("opitios_journal_sequence") - stage_first(stage) if stage.gateway.admin else 0


def stage_first(stage):
    """The journal begins at the time it was made in microseconds: its oldest row tells."""
    if not hasattr(stage, "first"):
        stage.first = stage.metric("opitios_journal_sequence")
    return stage.first


def test_a_row_the_database_refuses_is_a_dead_letter_and_stops_nobody(scene):
    with Postgres() as server:
        stage = Stage(scene, server.url())
        stage.goes_on()
        stage.drained(server)
        server.sql("ALTER TABLE bars ADD CONSTRAINT odd CHECK (close < 0 OR extract(isodow FROM to_timestamp(event / 1e9)) <> 2) NOT VALID", "history")
        stage.goes_on(20)
        stage.quiet()
        agree(stage, server, 500)
        dead = int(server.value("SELECT count(*) FROM dead_letters"))
        check(dead > 0, "no dead letters")
        reasons = {r for (r,) in server.sql("SELECT DISTINCT reason FROM dead_letters", "history")}
        check(all("odd" in r for r in reasons), reasons)
        check("odd" in stage.gateway.log_path.read_text(), "no line about it in the log")


def test_a_standby_that_is_promoted_goes_on_with_each_record_once(scene):
    with Postgres() as primary, contextlib.closing(Postgres(primary=primary)) as standby:
        primary.sql("ALTER SYSTEM SET synchronous_standby_names = '*'")
        primary.sql("ALTER SYSTEM SET synchronous_commit = 'remote_apply'")
        primary.sql("SELECT pg_reload_conf()")
        url = f"postgresql://gateway:{PASSWORD}@127.0.0.1:{primary.port},127.0.0.1:{standby.port}/history?target_session_attrs=read-write"
        stage = Stage(scene, url)
        stage.goes_on(20)
        primary.stop("immediate")
        stage.goes_on(20)
        standby.promote()
        standby.sql("ALTER SYSTEM SET synchronous_standby_names = ''")
        standby.sql("SELECT pg_reload_conf()")
        stage.goes_on(20)
        stage.quiet()
        agree(stage, standby, 1000)


def test_through_pgbouncer_in_transaction_mode(scene):
    with Postgres() as server, contextlib.closing(PgBouncer(server)) as bouncer:
        stage = Stage(scene, server.url(port=bouncer.port))
        for _ in range(3):
            stage.goes_on(10)
            fault_terminate(stage, server, random.Random(1))
            stage.kill_slot("cache-writer")
        stage.goes_on(10)
        stage.quiet()
        agree(stage, server, 1000)


def rss_kib(pid):
    with open(f"/proc/{pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))


def test_memory_of_the_writer_is_flat_while_postgresql_is_away(scene):
    with Postgres() as server:
        stage = Stage(scene, server.url(), ("--supervisor.stable_after=1s",))
        stage.goes_on(50)
        stage.drained(server)
        pid = stage.gateway.children()["cache-writer"]
        server.stop("immediate")
        stage.goes_on(200)
        begun, first, most = time.monotonic(), rss_kib(pid), 0
        while time.monotonic() - begun < (300 if FULL else 2):
            stage.goes_on(20)
            most = max(most, rss_kib(pid))
        equal(stage.gateway.children()["cache-writer"], pid, "the writer's pid")
        check(most <= first * 1.05, f"it grew from {first} to {most} KiB")
        lag = stage.metric("opitios_journal_lag_records")
        check(lag > 1000, "hardly any records waited:", lag)
        checks = stage.gateway.ask("/api/v1/health/detailed").json["checks"]
        check(checks["database"]["status"] != "healthy", checks)
        server.start()
        stage.quiet()
        agree(stage, server, 1000)
        print(f"        {first} KiB, at most {most} KiB while {lag:.0f} records waited")


if __name__ == "__main__":
    run_file(globals())
