"""The status page as people see it: Chromium, driven by playwright-core; left out, and said so, where these cannot be had."""
# Alone: a browser, and what it shows in time.
import os
import pathlib
import shutil
import subprocess
import sys

from harness import BUILD, ROOT, Load, Skip, check, run_file, wait_for

DEMO = ROOT / "recordings/matplotlib-daily"
EVERY = ROOT / "tests/recordings/every-endpoint"
HERE = ROOT / "tests/browser"
FAST = ("--supervisor.stable_after=10ms", "--supervisor.fail_deaths=1000", "--supervisor.restart_ceiling=200ms",
        "--supervisor.hang_timeout=0")


def modules():
    """The folder with playwright-core, fetched once into the build folder; its lock file has the sum."""
    for tool in ("chromium", "node", "npm"):
        if not shutil.which(tool):
            raise Skip(f"{tool} is not installed")
    folder = BUILD / "browser"
    if not (folder / "node_modules/playwright-core").exists():
        folder.mkdir(exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, folder)
        p = subprocess.run(["npm", "ci", "--silent", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"], cwd=folder,
                           capture_output=True, text=True, timeout=60, env={**os.environ, "npm_config_fetch_retries": "0"})
        if p.returncode != 0:
            raise Skip("npm could not fetch playwright-core: " + p.stderr.strip()[-200:])
    return folder


def browse(scene, cases, *more):
    folder = modules()
    r = scene.replay(DEMO, EVERY, args=("--rate-per-minute", "0"))
    g = scene.gateway(r, workers=2, settings=(*FAST, "--upstream.budget_per_minute=100000"))
    wait_for(lambda: g.admin_ask("/startupz").status == 200, 10, "the start")
    load = Load(g.port, ["/api/v1/stocks/GOOG/bars?limit=5", "/api/v1/stocks/AAPL/quote"], clients=2) if more else None
    try:
        p = subprocess.run(["node", str(HERE / "status.mjs"), cases, str(folder), str(g.port), str(g.admin), *more],
                           capture_output=True, text=True, timeout=150, env={**os.environ, "HOME": str(scene.folder)})
    finally:
        if load:
            load.stop()
    print(p.stdout, end="", flush=True)
    check(p.returncode == 0, p.stderr.strip()[-800:])


# One browser and one gateway for all: starting these is most of what it costs. What each case asks is in status.mjs:
# a killed worker on both pages within two seconds; all by keyboard; a phone's width, contrast in light and dark;
# hostile texts; the master's page with every worker stopped.
def test_the_page_in_a_browser(scene):
    browse(scene, "kill,keyboard,looks,hostile,stopped")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--pictures"]:     # renews those of doc/
        def test_pictures(scene):
            browse(scene, "pictures", str(pathlib.Path(ROOT / "doc")))
        sys.argv[1:] = []
        run_file({"test_pictures": test_pictures})
    run_file(globals())
