#!/usr/bin/env python3
"""chaos.py - random faults against the running gateway under load; after each of them everything must be whole, and true.

    chaos.py [--seed N] [--faults N] [--seconds S] [--only KIND[,KIND]] [--list] [--quiet]

The seed is printed first: the same seed draws the same faults in the same order. stage.py has what is asked after each,
invariants.py what is watched all the time, faults.py and together.py the kinds.
"""
import argparse
import os
import pathlib
import random
import shutil
import sys
import time

os.environ.setdefault("OPITIOS_BUILD", str(pathlib.Path(__file__).resolve().parents[2] / "build"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))
import invariants
from harness import Scene, Skip
from stage import Stage
from together import KINDS


class Run:
    def __init__(self, seed, faults, only=(), quiet=False, seconds=float("inf"), keep=False):
        self.seed, self.faults, self.quiet, self.seconds = seed, faults, quiet, seconds
        self.keep, self.names = keep, sorted(only or KINDS)
        self.rng, self.times, self.skipped = random.Random(seed), {}, {}
        self.passed = self.failed = 0

    def say(self, *words):
        print(*words, flush=True)

    def one(self, stage, index):
        """Each fault has a generator of its own: what one draws does not shift the next."""
        kind = self.rng.choices(self.names, [KINDS[n].weight for n in self.names])[0]
        own = random.Random(self.rng.getrandbits(64))
        self.now = f"fault {index + 1}, {kind}"
        try:
            fault = KINDS[kind](stage, own)
            self.now += f" {fault.what}"
            took, healed = stage.one(fault)
        except Skip as e:
            self.skipped[kind] = str(e)
            return
        self.passed += 1
        self.times.setdefault(kind, []).append(took)
        if not self.quiet:
            self.say(f"  {index + 1:4} {kind:16} {fault.what:28} whole after {took * 1e3:5.0f} ms, {healed * 1e3:5.0f} ms since healed")

    def fail(self, stage, e):
        self.failed += 1
        self.say(f"  FAIL seed {self.seed}, {self.now}: {type(e).__name__}: {str(e)[:1500]}")
        only = f" --only {','.join(self.names)}" if self.names != sorted(KINDS) else ""
        self.say(f"  kept in {self.folder}; to repeat it: tests/chaos/chaos.py --seed {self.seed} --faults {self.faults}{only}")
        if stage:
            for p in stage.problems()[:10]:
                self.say("  problem:", p[:300])
            for line in stage.gateway.log_path.read_text(errors="replace").splitlines()[-30:]:
                self.say("  |", line[:260])

    def all(self):
        self.say(f"  seed {self.seed}, {self.faults} faults")
        scene, stage, self.now = Scene("chaos"), None, "the start"
        self.folder = scene.folder
        try:
            stage, end = Stage(scene), time.monotonic() + self.seconds
            for index in range(self.faults):
                if time.monotonic() > end:
                    break
                self.one(stage, index)
            self.now = "the end"
            self.say("  " + stage.finish())
            for kind, n in sorted(invariants.complaints(stage.gateway.log_path).items()):
                self.say(f"  logged {n:4} x {kind}")
        except Exception as e:      # whatever it was: it is told together with what repeats it
            self.fail(stage, e)
        finally:
            if stage:
                stage.close()
            for thing in reversed(scene.started):
                thing.stop()
            if self.keep:
                self.say("  kept in", self.folder)
            elif not self.failed:
                shutil.rmtree(scene.folder, ignore_errors=True)
        self.sum()
        return self.passed, self.failed

    def sum(self):
        for kind, why in sorted(self.skipped.items()):
            self.say(f"  skip  {kind}: {why}")
        if not self.times:
            return
        self.say(f"  {'whole after, ms':16} {'count':>6} {'p50':>7} {'p99':>7} {'max':>7}")
        for kind, took in sorted(self.times.items()):
            took.sort()
            p50, p99 = (took[min(len(took) - 1, int(len(took) * q))] for q in (0.5, 0.99))
            self.say(f"  {kind:16} {len(took):6} {p50 * 1e3:7.0f} {p99 * 1e3:7.0f} {took[-1] * 1e3:7.0f}")


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--seed", type=int, default=time.time_ns() // 1_000_000)
    p.add_argument("--faults", type=int, default=50)
    p.add_argument("--seconds", type=float, default=float("inf"), help="no further fault after so many")
    p.add_argument("--only", default="")
    p.add_argument("--keep", action="store_true", help="the folder with state and log, also when nothing failed")
    p.add_argument("--list", action="store_true")
    p.add_argument("--quiet", action="store_true")
    a = p.parse_args()
    if a.list:
        for name, c in KINDS.items():
            print(f"{name:16} {c.__doc__.splitlines()[0]}")
        return 0
    only = [k for k in a.only.split(",") if k]
    if unknown := set(only) - set(KINDS):
        p.error(f"no such kind: {', '.join(sorted(unknown))}; see --list")
    passed, failed = Run(a.seed, a.faults, only, a.quiet, a.seconds, a.keep).all()
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
