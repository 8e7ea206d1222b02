"""shown.py - where the cause of a fault has to show, soon: in health, in the metrics, in the log and on the status page.

An operator who looks at one of the four must not have to guess. Asked of the master, from the moment the fault is brought about.
"""
import contextlib
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


def end_of(slot, words):
    """A process of this slot ended, and why: `words` is what says so."""
    why = re.compile(words)

    def of(workers):
        return next((w for w in workers or () if w["slot"] == slot), {})

    def told(before, now):
        was, is_now = of(before and before["workers"]), of(now["workers"])
        return bool(is_now.get("last_exit_at") and is_now["last_exit_at"] != was.get("last_exit_at") and why.search(is_now["last_exit"] or ""))

    def counted(before, now):
        total = lambda text: sum(float(n) for n in re.findall(
            rf'^opitios_worker_restarts_total\{{worker="{slot}",.*\}} (\S+)$', text or "", re.M))
        return total(now) > total(before)

    def logged(_, now):
        return any(re.search(rf'"{slot}(\.\d+)?: ', line) and why.search(line) for line in now.splitlines())

    return {"health": told, "status": lambda before, now: told(before and before["health"], now["health"]),
            "metrics": counted, "log": logged}


def full_disk():
    """The journal takes nothing more."""
    reasons = lambda now: "journal_blocked" in now["reason_codes"]
    return {"health": lambda _, now: reasons(now), "status": lambda _, now: reasons(now["health"]),
            "metrics": lambda _, now: re.search(r"^opitios_journal_blocked\{.*\} 1$", now, re.M) is not None,
            "log": lambda _, now: "No space left" in now}
