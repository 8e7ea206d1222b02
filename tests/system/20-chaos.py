"""The short form of `make chaos`: a seed that is always the same, and one of this moment."""
# Alone: recovery is timed.
import os
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "chaos"))
import chaos

if __name__ == "__main__":
    faults = 500 if os.environ.get("OPITIOS_FULL") == "1" else 20
    passed = failed = 0
    for seed in (20260105, time.time_ns() // 1_000_000):
        good, bad = chaos.Run(seed, faults, quiet=True).all()
        passed, failed = passed + good, failed + bad
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)
