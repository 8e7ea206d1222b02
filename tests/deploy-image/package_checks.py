"""debian/: built, looked at by lintian, and installed into a root that has seen nothing of it."""
import os
import re
import shutil

from box import BASE, Skip, same
from image_checks import context

ROOT_IMAGE = "localhost/opitios-alpaca:systemd"
SYSTEM = ["systemd", "systemd-sysv", "dbus", "procps", "curl"]


def build(box):
    """From the tree; with --full from the tarball of `make dist`."""
    if not shutil.which("dpkg-buildpackage") or not shutil.which("dh"):
        raise Skip("dpkg-buildpackage or debhelper is not installed")
    folder = box.folder / "deb"
    folder.mkdir()
    source = context(box, "deb/source")
    if os.environ.get("OPITIOS_FULL") == "1":
        source = from_tarball(box, source)
    env = {"DEB_BUILD_OPTIONS": "nocheck parallel=2"}
    if os.environ.get("CCACHE_DIR") and os.path.isdir("/usr/lib/ccache"):
        env["PATH"] = "/usr/lib/ccache:" + os.environ["PATH"]
    done = box.run("dpkg-buildpackage", "-b", "-uc", "-us", cwd=source, env=env, limit=600, okay=None)
    if "Unmet build dependencies" in done.stderr:
        raise Skip(re.search(r"Unmet build dependencies: .*", done.stderr)[0])
    same(done.returncode, 0, "dpkg-buildpackage: " + (done.stdout + done.stderr)[-1500:])
    files = box.run("dpkg", "-c", package(box))
    modes = {line.split()[-1]: line.split()[0] for line in files.splitlines()}
    for path, mode in (("./etc/opitios-alpaca/opitios-alpaca.conf", "-rw-r--r--"), ("./etc/opitios-alpaca/opitios-alpaca.env", "-rw-------"),
                       ("./lib/systemd/system/opitios-alpaca.service", "-rw-r--r--"), ("./usr/bin/opitios-ctl", "-rwxr-xr-x"),
                       ("./usr/libexec/opitios-alpaca/fetcher", "-rwxr-xr-x"), ("./usr/lib/sysusers.d/opitios-alpaca.conf", "-rw-r--r--")):
        same(modes.get(path), mode, path)
    conffiles = box.run("dpkg-deb", "-I", package(box), "conffiles").split()
    same(sorted(conffiles), ["/etc/opitios-alpaca/opitios-alpaca.conf", "/etc/opitios-alpaca/opitios-alpaca.env"], "conffiles")
    return f"{package(box).stat().st_size // 1024} KiB"


def from_tarball(box, source):
    box.run("autoreconf", "-fi", cwd=source, limit=120)
    made = box.folder / "deb/dist"
    made.mkdir()
    box.run(source / "configure", "-q", cwd=made, limit=120)
    box.run("make", "-s", "dist", cwd=made, limit=300)
    tarball = next(made.glob("opitios-alpaca-*.tar.xz"))
    box.run("tar", "xf", tarball, cwd=box.folder / "deb")
    return box.folder / "deb" / tarball.name.removesuffix(".tar.xz")


def package(box):
    return next((box.folder / "deb").glob("opitios-alpaca_*.deb"))


def lint(box):
    if not shutil.which("lintian"):
        raise Skip("lintian is not installed")
    changes = next((box.folder / "deb").glob("*.changes"))
    done = box.run("lintian", "--allow-root", "--fail-on", "error", changes, okay=None)
    said = [line for line in done.stdout.splitlines() if line[:2] in ("E:", "W:")]
    same([line for line in said if line.startswith("E:")], [], "errors")
    return f"{len(said)} warnings" if said else ""


def install(box):
    """Into the base and a systemd, by apt, which brings what it depends on."""
    c = box.run("buildah", "from", "--pull-never", BASE).strip()
    box.run("buildah", "copy", "-q", c, package(box), "/root/")
    apt = "apt-get install -y -q --no-install-recommends"
    box.run("buildah", "run", c, "--", "sh", "-ec", f"""
        export DEBIAN_FRONTEND=noninteractive
        apt-get update -q; {apt} {' '.join(SYSTEM)}
        {apt} /root/{package(box).name}
        rm -f /root/*.deb""", limit=300)
    said = box.run("buildah", "run", c, "--", "sh", "-c", "dpkg -s opitios-alpaca; id opitios-alpaca; stat -c '%U %a' /var/lib/opitios-alpaca; "
                   "opitios-alpaca --version; opitios-alpaca --check-config --config /etc/opitios-alpaca/opitios-alpaca.conf && echo config fine; "
                   "ls /etc/systemd/system/*.wants")
    for words in ("Status: install ok installed", "uid=", "opitios-alpaca 700", "config fine", "opitios-alpaca.service"):
        assert words in said, f"{words}: {said}"
    assert "opitios-alpaca.socket" not in said, "the socket unit is enabled, which is the operator's to do"
    # Credentials reach a unit through a mount, which has to be seen by all: a machine's root is shared, a container's is not.
    box.run("buildah", "config", "--cmd", '["sh", "-c", "mount --make-rshared / && exec /sbin/init"]', "--stop-signal", "SIGRTMIN+3", c)
    box.run("buildah", "commit", "-q", c, ROOT_IMAGE)
    box.run("buildah", "rm", c)
