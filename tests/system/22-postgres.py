"""History in PostgreSQL: every record once, and one clear line for each way in which the database cannot be used."""
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time

from harness import BUILD, ROOT, Gateway, check, equal, run_file, wait_for
from servers_postgres import PASSWORD, PgBouncer, Postgres, Wire

DEMO = ROOT / "recordings/matplotlib-daily"
TABLES = ("quotes", "trades", "bars", "greeks", "snapshots", "upstream_calls", "market_clocks", "coverage", "dead_letters")
BARS = "/api/v1/stocks/GOOG/bars?start=2004-01-01&limit=10000"


def pair(scene, url, **kw):
    """Every answer is fetched, and so journalled: none comes from the history."""
    return scene.pair(DEMO, env={"POSTGRES_URL": url}, settings=("--freshness.bars=0", "--freshness.closed=0", "--history.wait=0"), **kw)


def ask_bars(g, times):
    for n in range(times):
        equal(g.ask(f"/api/v1/stocks/GOOG/bars?start=2004-01-01&limit={50 + n}").status, 200)


def stored(g, server, name="history"):
    """All that is in the journal, and the lag says so."""
    def position():
        last = int(g.metric("opitios_journal_sequence"))
        with contextlib.suppress(AssertionError):  # no table yet
            return last > 0 and server.sql("SELECT journal_sequence FROM journal_position", name) == [[str(last)]]
        return False
    wait_for(position, 30, "the journal to be stored; " + g.tail())
    wait_for(lambda: g.metric("opitios_journal_lag_records") == 0, 5, "no lag")


def each_once(g, server):
    """Rows and dead letters are the journal's sequences from its first to the position, once each."""
    g.stop()
    union = " UNION ALL ".join(f"SELECT journal_source, journal_sequence AS n FROM {t}" for t in TABLES)
    rows = server.sql(f"SELECT journal_source, count(*), count(DISTINCT n), max(n) - min(n) + 1, max(n) FROM ({union}) a GROUP BY 1", "history")
    equal(len(rows), 1, rows)
    source, count, distinct, span, last = rows[0]
    equal((count, distinct), (span, span), "rows, distinct sequences, span")
    check(source.endswith("/fetcher-rest") and len(source) == 16 + len("/fetcher-rest"), source)
    equal(server.sql("SELECT * FROM journal_position", "history")[0][:2], [source, last])
    equal((g.state / "node").read_text().strip(), source[:16])
    return int(count)


def database(g):
    return g.ask("/api/v1/health/detailed").json["checks"]["database"]


def red(g, words):
    wait_for(lambda: database(g)["status"] == "unhealthy", 10, "a red check; " + g.tail())
    check(words in database(g)["last_error"], database(g))
    check(g.tail(10**6).count("trying again") == 1, "not one line:", g.tail())
    check(PASSWORD not in g.tail(10**6), "the password is in the log")


def green(g):
    wait_for(lambda: database(g)["status"] == "healthy", 20, "a green check; " + g.tail())


def test_rows_are_stored_once_and_what_is_refused_is_a_dead_letter(scene):
    with Postgres() as server:
        _, g = pair(scene, server.url())
        ask_bars(g, 5)
        stored(g, server)
        equal(server.value("SELECT count(*) FROM bars WHERE symbol = 'GOOG'"), str(50 + 51 + 52 + 53 + 54))
        equal(server.value("SELECT count(*) FROM bars_default"), "0")
        server.sql("ALTER TABLE upstream_calls ADD CONSTRAINT no CHECK (endpoint <> 'stock_bars') NOT VALID", "history")
        ask_bars(g, 2)
        stored(g, server)
        wait_for(lambda: g.metric("opitios_store_dead_letters_total", store="postgres") == 2, 5, "dead letters")
        check("put into dead_letters" in g.tail(10**6), g.tail())
        equal(server.value("SELECT count(*) FROM dead_letters WHERE type = 'call' AND reason LIKE '%violates check%' AND record::json ->> 'status' = '200'"), "2")
        green(g)
        check(g.metric("opitios_store_delay_seconds_count", store="postgres") > 260)
        each_once(g, server)
        scene.expected = ("put into dead_letters",)


def test_what_is_stored_is_answered_from_there_without_a_call(scene):
    path = "/api/v1/stocks/GOOG/bars?start=2004-08-19&end=2004-12-31&limit=1000"
    with Postgres() as server:
        _, g = scene.pair(DEMO, env={"POSTGRES_URL": server.url()}, settings=("--freshness.bars=0", "--freshness.closed=0"))
        first = g.ask(path).json
        equal(first["metadata"]["cache"], "miss")
        stored(g, server)
        again = wait_for(lambda: next((j for j in [g.ask(path).json] if j["metadata"]["cache"] == "store"), None), 10, "an answer from the store")
        calls = g.metric("opitios_upstream_requests_total", endpoint="stock_bars")
        equal(g.ask(path).json["data"], again["data"])
        equal((calls >= 1, g.metric("opitios_upstream_requests_total", endpoint="stock_bars")), (True, calls), "calls")
        for a, b in zip(first["data"]["bars"], again["data"]["bars"], strict=True):
            equal({**a, "versions": 1}, b)
        server.stop()
        equal(g.ask(path).status, 200, "asked upstream instead")
        scene.expected = ("trying again",)


def test_a_pooler_in_transaction_mode_changes_nothing(scene):
    with Postgres() as server:
        pooler = PgBouncer(server)
        try:
            r, g = pair(scene, server.url(port=pooler.port))
            equal(g.ask(BARS).status, 200)
            ask_bars(g, 5)
            stored(g, server)
            check(each_once(g, server) > 250)
            # Another one reads what is there, row by row, also when somebody leaves half way.
            (scene.folder / "reads").mkdir()
            reads = Gateway(scene.folder / "reads", r.port, env={"POSTGRES_URL": server.url(port=pooler.port)}, settings=("--history.wait=5s",))
            scene.started.append(reads)
            for day in (11, 12, 13):
                with socket.create_connection(("127.0.0.1", reads.port)) as s:
                    s.sendall(f"GET {BARS}&end=2023-07-{day} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
                answer = reads.ask(f"{BARS}&end=2005-06-{day}")
                equal((answer.status, answer.headers["x-cache-status"]), (200, "store"), reads.tail())
        finally:
            pooler.close()


def test_behind_a_pooler_the_session_of_a_writer_that_is_gone_is_ended_and_no_other(scene):
    """Both gateways share its sessions, as one role; the network of one goes in the midst of its rows."""
    with Postgres() as server:
        pooler = PgBouncer(server)
        wire = Wire(pooler)
        try:
            settings = ("--freshness.bars=0", "--freshness.closed=0", "--history.wait=0", "--postgres.timeout=1s")
            r, g = scene.pair(DEMO, env={"POSTGRES_URL": server.url(port=wire.port)}, settings=settings)
            (scene.folder / "other").mkdir()
            other = Gateway(scene.folder / "other", r.port, env={"POSTGRES_URL": server.url(port=pooler.port)},
                                    settings=(*settings, "--upstream.budget_per_minute=100000"))
            scene.started.append(other)
            ask_bars(g, 1)
            ask_bars(other, 1)
            wire.fall_silent(30_000)
            equal(g.ask(BARS).status, 200)
            check(wire.silent.wait(10), "nothing was copied; ", g.tail())

            def ended():
                ask_bars(other, 1)
                return "still waited for rows of" in g.tail(10**6)
            wait_for(ended, 15, "the session to be ended; " + g.tail())
            for each in (g, other):
                wait_for(lambda each=each: each.metric("opitios_journal_lag_records") == 0, 15, "all to be stored; " + each.tail())
            check("trying again" not in other.tail(10**6), "it was disturbed", other.tail())
            union = " UNION ALL ".join(f"SELECT journal_source, journal_sequence AS n FROM {t}" for t in TABLES)
            rows = server.sql(f"SELECT count(*), count(DISTINCT n), max(n) - min(n) + 1 FROM ({union}) a GROUP BY journal_source", "history")
            check(len(rows) == 2 and all(len(set(row)) == 1 for row in rows), "each once", rows)
            scene.expected = ("trying again",)
        finally:
            wire.close()
            pooler.close()


def test_an_absent_server_is_one_line_and_a_crash_loses_nothing(scene):
    with Postgres() as server:
        server.stop()
        _, g = pair(scene, server.url())
        ask_bars(g, 3)
        red(g, f"connection refused at 127.0.0.1:{server.port}")
        wait_for(lambda: g.metric("opitios_journal_lag_records") > 0, 5, "a lag")
        server.start()
        green(g)
        stored(g, server)
        for _ in range(3):
            ask_bars(g, 2)
            server.restart("immediate")
        ask_bars(g, 2)
        stored(g, server)
        check(each_once(g, server) > 250)
        scene.expected = ("trying again",)


def test_a_wrong_password_is_one_line_and_mended_without_a_restart(scene):
    with Postgres() as server:
        server.sql("ALTER ROLE gateway PASSWORD 'another'")
        _, g = pair(scene, server.url())
        ask_bars(g, 2)
        red(g, f"password refused for user gateway at 127.0.0.1:{server.port}/history")
        server.sql(f"ALTER ROLE gateway PASSWORD '{PASSWORD}'")
        green(g)
        stored(g, server)
        each_once(g, server)


def test_a_missing_database_and_a_newer_schema_are_one_line_each(scene):
    with Postgres() as server:
        _, g = pair(scene, server.url(database="absent"))
        ask_bars(g, 2)
        red(g, f"database absent does not exist at 127.0.0.1:{server.port}")
        server.sql("CREATE DATABASE absent OWNER gateway")
        green(g)
        stored(g, server, "absent")
        server.sql("INSERT INTO schema_version VALUES (999, 'future', 1)", "absent")
        server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'absent'")
        wait_for(lambda: "version 999" in (database(g)["last_error"] or ""), 15, "the newer schema to be told; " + g.tail())
        ask_bars(g, 1)
        server.sql("DELETE FROM schema_version WHERE version = 999", "absent")
        green(g)
        stored(g, server, "absent")
        check(PASSWORD not in g.tail(10**6), "the password is in the log")


def test_another_primary_gets_what_it_lacks(scene):
    with Postgres() as first, Postgres(primary=first) as second:
        hosts = f"127.0.0.1:{second.port},127.0.0.1:{first.port}"
        _, g = pair(scene, f"postgresql://gateway:{PASSWORD}@{hosts}/history")
        ask_bars(g, 3)
        stored(g, first)
        wait_for(lambda: second.value("SELECT count(*) FROM journal_position") == "1", 10, "replication")
        second.sql("SELECT pg_wal_replay_pause()")
        ask_bars(g, 3)
        stored(g, first)
        first.stop("immediate")
        second.sql("SELECT pg_wal_replay_resume()")
        second.promote()
        ask_bars(g, 2)
        green(g)
        stored(g, second)
        check(each_once(g, second) > 300)


def test_a_copy_that_falls_silent_half_way_is_given_up_and_stored_once(scene):
    """The network goes in the midst of the rows, and then again before the commit is answered: neither end hears of the other any more."""
    with Postgres() as server:
        wire = Wire(server)
        try:
            _, g = scene.pair(DEMO, env={"POSTGRES_URL": server.url(port=wire.port)},
                              settings=("--freshness.bars=0", "--freshness.closed=0", "--history.wait=0", "--postgres.timeout=1s"))
            ask_bars(g, 1)
            stored(g, server)
            for n, after in enumerate((30_000, None)):
                wire.fall_silent(after)
                equal(g.ask(BARS).status, 200)
                check(wire.silent.wait(10), "nothing was copied; ", g.tail())
                begun = time.monotonic()
                wait_for(lambda: g.tail(10**6).count("no answer within postgres.timeout; ") == n + 1, 5, "it to be given up; " + g.tail())
                given_up = time.monotonic() - begun
                stored(g, server)
                print(f"        silent: given up after {given_up:.1f} s, stored after {time.monotonic() - begun:.1f} s", flush=True)
                check(0.5 < given_up < 3 and time.monotonic() - begun < 8, given_up, time.monotonic() - begun)
                # Only of the first one the server has a session that waits for the rest.
                equal(g.tail(10**6).count("still waited for rows of"), 1, g.tail())
            green(g)
            each_once(g, server)
            scene.expected = ("trying again",)
        finally:
            wire.close()


def test_a_server_process_that_hangs_is_given_up_and_what_it_does_later_changes_nothing(scene):
    with Postgres() as server:
        _, g = scene.pair(DEMO, env={"POSTGRES_URL": server.url()},
                          settings=("--freshness.bars=0", "--freshness.closed=0", "--history.wait=0", "--postgres.timeout=1s"))
        ask_bars(g, 1)
        stored(g, server)
        backends = [int(pid) for pid, in server.sql("SELECT pid FROM pg_stat_activity WHERE usename = 'gateway' AND query LIKE '%journal_move%'")]
        equal(len(backends), 1, backends)
        os.kill(backends[0], signal.SIGSTOP)
        try:
            ask_bars(g, 3)
            wait_for(lambda: "no answer within postgres.timeout" in g.tail(10**6), 5, "it to be given up; " + g.tail())
            stored(g, server)
        finally:
            os.kill(backends[0], signal.SIGCONT)
        wait_for(lambda: server.value(f"SELECT count(*) FROM pg_stat_activity WHERE pid = {backends[0]}") == "0", 10, "its end")
        ask_bars(g, 1)
        stored(g, server)
        each_once(g, server)
        scene.expected = ("trying again",)


def test_of_two_copies_of_a_state_directory_one_stores_and_the_other_says_why(scene):
    with Postgres() as server:
        r, g = pair(scene, server.url())
        ask_bars(g, 2)
        stored(g, server)
        folder = scene.folder / "copy"
        shutil.copytree(g.state, folder / "state", ignore=lambda _, names: [n for n in names if n not in ("journal", "node", "owner") and "fetcher" not in n])
        for n in range(2):
            check((folder / "state" / ("node", "owner")[n]).exists(), "not copied")
        copy = Gateway(folder, r.port, env={"POSTGRES_URL": server.url()}, settings=("--history.wait=0", "--freshness.bars=0", "--freshness.closed=0"))
        scene.started.append(copy)
        ask_bars(copy, 2)
        wait_for(lambda: server.value("SELECT count(*) FROM bars") == str(2 * (50 + 51)), 10, "the copy to store; " + copy.tail())
        ask_bars(g, 3)
        wait_for(lambda: "remove the file owner here" in (database(g)["last_error"] or ""), 15, "the original to be refused; " + g.tail())
        equal(database(copy)["status"], "healthy", copy.tail())
        copy.stop()
        (g.state / "owner").unlink()
        wait_for(lambda: server.value("SELECT count(*) FROM bars") == str(2 * (50 + 51) + 50 + 51 + 52), 20, "what waited to be stored; " + g.tail())
        green(g)
        g.stop()
        equal(server.value("SELECT count(*) - count(DISTINCT (journal_source, journal_sequence)) FROM bars"), "0")
        scene.expected = ("copy of this state directory", "numbers the store knows", "trying again", "still not working")


def test_a_url_that_does_not_parse_is_refused_before_anything_starts(scene):
    r = subprocess.run([BUILD / "opitios-alpaca", "--check-config"], capture_output=True, text=True, timeout=10,
                       env={"POSTGRES_URL": f"postgresql://gateway:{PASSWORD}@127.0.0.1:99999/history"})
    equal(r.returncode, 78, r.stderr)
    check("postgres.url" in r.stderr and PASSWORD not in r.stderr + r.stdout, r.stderr)


if __name__ == "__main__":
    run_file(globals())
