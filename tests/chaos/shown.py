"""shown.py - where the cause of a fault has to show, soon: in health, in the metrics, in the log and on the status page.

An operator who looks at one of the four must not have to guess. Asked of the master, from the moment the fault is brought about.
"""
import contextlib
import datetime
import re
import threading
import time

import invariants

BOUND = 5.0     # seconds from the fault to the last of the four
LOOK = 0.03


class Shown(threading.Thread):
    """Looks at the four until each has shown; `missing` names those that have not, `took` is when the last one did."""

    def __init__(self, fault):
        super().__init__(daemon=True)
        self.fault, self.gateway = fault, fault.gateway
        self.over, self.took, self.seen = threading.Event(), None, {}
        self.log_from = self.gateway.log_path.stat().st_size
        self.before = {name: self.look(name) for name in fault.shows if name != "log"}
        self.missing = set(fault.shows)

    def look(self, name):
        """What stands there now; None: it cannot be asked at the moment."""
        with contextlib.suppress(*invariants.LOST, AssertionError, KeyError, ValueError):
            if name == "health":
                return self.gateway.admin_ask("/health/detailed", timeout=2).json
            if name == "status":
                return self.gateway.admin_ask("/status/now.json", timeout=2).json
            if name == "metrics":
                return self.gateway.admin_ask("/metrics", timeout=2).body.decode()
            with open(self.gateway.log_path, "rb") as log:
                log.seek(self.log_from)
                return log.read().decode(errors="replace")
        return None

    def run(self):
        begun = time.monotonic()
        while self.missing and not self.over.wait(LOOK):
            for name in sorted(self.missing):
                now = self.look(name)
                if now is not None:
                    self.seen[name] = now
                    if self.fault.shows[name](self.before.get(name), now):
                        self.missing.discard(name)
            self.took = time.monotonic() - begun

    def end(self):
        """The bound is the watch's own: what shows later has not shown."""
        self.join(max(0.0, BOUND - (self.took or 0.0)))
        self.over.set()
        self.join(5)


def series(text, pattern):
    """Sum over the series that match, as a scrape had them; None counts as none."""
    return sum(float(n) for n in re.findall(rf"^opitios_{pattern} (\S+)$", text or "", re.M))


def by_health(told):
    """The status page shows what health says, and is asked for itself."""
    return {"health": told, "status": lambda before, now: told(before and before["health"], now["health"])}


def all_of(*causes):
    """Each of them has to show at each place."""
    return {name: lambda before, now, name=name: all(c[name](before, now) for c in causes) for name in causes[0]}


def any_of(*causes):
    """Each place shows one of them."""
    return {name: lambda before, now, name=name: any(c[name](before, now) for c in causes) for name in causes[0]}


def end_of(slot, words):
    """A process of this slot ended, and why: `words` is what says so. None: of any slot."""
    why, who = re.compile(words), slot or r"[a-z]+(?:-[a-z0-9]+)*"

    def ends(workers):
        return {w["slot"]: w for w in workers or () if slot in (None, w["slot"])}

    def told(before, now):
        was = ends(before and before["workers"])
        return any(w.get("last_exit_at") and w["last_exit_at"] != was.get(s, {}).get("last_exit_at") and why.search(w["last_exit"] or "")
                   for s, w in ends(now["workers"]).items())

    def counted(before, now):
        restarts = rf'worker_restarts_total\{{worker="{who}",.*\}}'
        return series(now, restarts) > series(before, restarts)

    def logged(_, now):
        return any(re.search(rf'"{who}(\.\d+)?: ', line) and why.search(line) for line in now.splitlines())

    return {**by_health(told), "metrics": counted, "log": logged}


CODES = {"descriptors": "descriptors_short", "memory": "memory_short", "processes": "process_refused", "channel": "channel_broken",
         "stall": "stood_still", "journal": "journal_dropped"}


def trouble(kind, what, words, slot=None):
    """A process met a trouble of this kind, of which `what` says which, and the log says `words`; the one of `slot` if given.
    One that was told before does not count."""
    what, words, code = re.compile(what), re.compile(words), CODES[kind]
    met = rf'worker_troubles_total\{{worker="{slot or ".*"}",.*trouble="{kind}".*\}}'

    def those(told):
        return {(t["slot"], t["at"]): t["what"] for t in (told or {}).get("troubles", ()) if t["trouble"] == kind}

    def told(before, now):
        was = those(before)
        return now["status"] != "healthy" and code in now["reason_codes"] and any(
            at not in was and slot in (None, at[0]) and what.search(text) and any(f"({at[0]}: {text}" in r for r in now["reasons"])
            for at, text in those(now).items())

    def counted(before, now):
            return series(now, met) > series(before, met)

    return {**by_health(told), "metrics": counted, "log": lambda _, now: words.search(now) is not None}


def scaled(number):
    """So many http workers are there, as somebody asked."""
    return {**by_health(lambda _, now: sum(w["role"] == "http" for w in now["workers"]) == number),
            "metrics": lambda _, now: series(now, r"http_workers\{.*\}") == number,
            "log": lambda _, now: f'"http: {number} workers, was ' in now}


def full_disk():
    """What is received is not kept, though it be for a moment until something makes room."""
    return trouble("journal", "records were not kept", "No space left", "fetcher-rest")


def low_disk():
    """Hardly anything is left, whether anybody writes meanwhile or not."""
    left = lambda now: series(now, r"state_disk_available_bytes\{.*\}")
    size = lambda now: series(now, r"state_disk_bytes\{.*\}")
    return {**by_health(lambda _, now: "disk_low" in now["reason_codes"]),
            "metrics": lambda _, now: size(now) > 0 and left(now) < size(now) / 20, "log": lambda _, now: "the disk is nearly full" in now}


def failing_upstream(gateway, why):
    """Calls to the upstream fail, and why. A line that came a great many times is summed up for ten seconds, so those before count."""
    failed = r'upstream_requests_total\{.*outcome="(?!ok")[a-z_]+".*\}'
    line, oldest = re.compile(rf'"time":"([^"]+)".*"upstream \w+: try \d+: .*{why}'), time.time() - 11

    def logged(_, __):
        with open(gateway.log_path, errors="replace") as log:
            return any(datetime.datetime.fromisoformat(m[1].replace("Z", "+00:00")).timestamp() > oldest for m in map(line.search, log) if m)

    return {**by_health(lambda _, now: "upstream_fails" in now["reason_codes"]),
            "metrics": lambda before, now: series(now, failed) > series(before, failed), "log": logged}
