"""The short form of tests/chaos: a seed that is always the same, and one of this moment."""
import os
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "chaos"))
import chaos

if __name__ == "__main__":
    faults = 1000 if os.environ.get("OPITIOS_FULL") == "1" else 25
    passed = failed = 0
    for seed in (20260105, int(time.time())):
        p, f = chaos.run(seed, faults, quiet=True)
        passed, failed = passed + p, failed + f
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)
