"""Programs that are downloaded once, below `.data/tools`. Standard library only.

Each function gives back where its program lies, and makes it first when it is not there.
They raise Failed when that cannot be done here.
"""

import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dev.errors import Failed
from dev.paths import ROOT, TOOLS

# With letters, Cyrillic ones too, and emoji.
FONTS = ("fonts-dejavu-core", "fonts-noto-color-emoji")
# The same letters in every browser that we unpack, and none of the machine's own rules.
FONTS_CONF = """\
<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">
<fontconfig>
  <dir>{home}/usr/share/fonts</dir>
  <dir>/usr/share/fonts</dir>
  <cachedir>{home}/fonts-cache</cachedir>
  <alias><family>sans-serif</family><prefer><family>DejaVu Sans</family></prefer></alias>
  <alias><family>serif</family><prefer><family>DejaVu Serif</family></prefer></alias>
  <alias><family>monospace</family><prefer><family>DejaVu Sans Mono</family></prefer></alias>
</fontconfig>
"""
SAM_IS_HERE = sys.version_info < (3, 15)


def poetry() -> Path:
    """The Python of Poetry's environment: run it with `-m poetry`."""
    return _environment("poetry")


def ministack() -> Path:
    """The Python of the AWS emulator's environment: run it with `-m ministack`."""
    return _environment("ministack")


def caddy() -> Path:
    """The gateway's program. Made when it is first needed."""
    return _environment("caddy").with_name("caddy")


def patroni() -> Path:
    """The program that keeps one PostgreSQL of a cluster. Made when it is first needed."""
    return _environment("patroni").with_name("patroni")


def etcd() -> Path:
    """The store in which Patroni elects: one on PATH, else Debian's unpacked."""
    if found := shutil.which("etcd"):
        return Path(found)
    program = TOOLS / "etcd" / "etcd"
    with _lock("etcd"):
        if not program.exists():
            if not _apt_is_here():
                raise Failed("etcd can be fetched by itself on Debian and Ubuntu only. Install it.")
            _unpack_program("etcd-server", program)
    return program


def sam() -> Path:
    """The Python of the environment that looks at AWS's templates, and expands those of SAM.

    Made when it is first needed: only `make check` and the tests of lambdas/ do.
    """
    if not SAM_IS_HERE:
        raise Failed("cfn-lint does not support this Python yet.")
    return _environment("sam")


def rabbitmq() -> Path | None:
    """The root folder of RabbitMQ's and Erlang's unpacked packages.

    None: the machine has a `rabbitmq-server` of its own.
    """
    if installed_rabbitmq():
        return None
    root = TOOLS / "rabbitmq"
    if not root.exists():
        if not _apt_is_here():
            raise Failed(
                "RabbitMQ can be fetched by itself on Debian and Ubuntu only. Install "
                "rabbitmq-server, or name a broker in AMQP_URL."
            )
        _unpack_rabbitmq(root)
    return root


def installed_rabbitmq() -> Path | None:
    """The machine's own `rabbitmq-server` script, if it has one."""
    # Debian's script on PATH insists on root and /var/lib: take the one behind it.
    debian = sorted(Path("/usr/lib/rabbitmq/lib").glob("rabbitmq_server-*/sbin/rabbitmq-server"))
    if debian:
        return debian[-1]
    found = shutil.which("rabbitmq-server")
    return Path(found) if found else None


def chromium() -> Path:
    """A Chromium to test with: CHROMIUM, one on PATH, Playwright's, else Debian's unpacked."""
    found = installed_chromium()
    if found:
        return found
    root = TOOLS / "chromium"
    with _lock("chromium"):
        if not root.exists():
            if not _apt_is_here():
                raise Failed(
                    "Chromium can be fetched by itself on Debian only. Run "
                    "`.venv/bin/playwright install chromium`, or name a browser in CHROMIUM."
                )
            _unpack_chromium(root)
    return root / "start"


def installed_chromium() -> Path | None:
    """The machine's own browser, if it has one. Raises Failed where CHROMIUM names none."""
    if named := os.environ.get("CHROMIUM"):
        if not shutil.which(named):
            raise Failed(f"CHROMIUM={named} is no program.")
        return Path(named)
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if on_path := shutil.which(name):
            return Path(on_path)
    # The newest of those that `playwright install chromium` has left here.
    browsers = os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or "~/.cache/ms-playwright"
    by_playwright = Path(browsers).expanduser().glob("chromium-*/chrome-linux*/chrome")
    return max(by_playwright, default=None, key=_revision)


def promtool() -> Path:
    """What evaluates the rules of Prometheus: PROMTOOL, one on PATH, else Debian's unpacked."""
    if found := shutil.which(os.environ.get("PROMTOOL") or "promtool"):
        return Path(found)
    program = TOOLS / "prometheus" / "promtool"
    with _lock("prometheus"):
        if not program.exists():
            if not _apt_is_here():
                raise Failed(
                    "promtool can be fetched by itself on Debian and Ubuntu only. Install "
                    "Prometheus, or name its promtool in PROMTOOL."
                )
            _unpack_program("prometheus", program)
    return program


def pip_environment() -> dict[str, str]:
    """For pip and Poetry: what they download stays below `.data/tools`."""
    return {
        **os.environ,
        "PIP_CACHE_DIR": str(TOOLS / "cache" / "pip"),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "POETRY_CACHE_DIR": str(TOOLS / "cache" / "poetry"),
    }


def run(command: list[str], *, env: dict[str, str] | None = None, cwd: Path = ROOT) -> str:
    """Standard output of a command. Raises Failed with its last lines if it fails."""
    done = subprocess.run(command, env=env, cwd=cwd, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        last = "\n".join((done.stdout + done.stderr).splitlines()[-15:])
        raise Failed(f"`{' '.join(command)}` failed:\n{last}")
    return done.stdout


def _environment(name: str) -> Path:
    requirements = ROOT / "dev" / f"{name}-requirements.txt"
    folder = TOOLS / name
    stamp = folder / "stamp"
    wanted = f"{platform.python_version()} {hashlib.sha256(requirements.read_bytes()).hexdigest()}"
    python = folder / "bin" / "python"
    with _lock(name):
        if not (stamp.exists() and stamp.read_text() == wanted and python.exists()):
            run([sys.executable, "-m", "venv", "--clear", str(folder)])
            run(
                [str(python), "-m", "pip", "install", "--quiet", "-r", str(requirements)],
                env=pip_environment(),
            )
            stamp.write_text(wanted)
    return python


@contextmanager
def _lock(name: str) -> Iterator[None]:
    """Of two commands at once the second waits, and finds the work done."""
    TOOLS.mkdir(parents=True, exist_ok=True)
    with (TOOLS / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _apt_is_here() -> bool:
    return bool(shutil.which("apt-get") and shutil.which("dpkg-deb"))


@contextmanager
def _apt(name: str) -> Iterator[tuple[Path, list[str]]]:
    """A working folder for packages of Debian or Ubuntu, and the options with which apt-get
    keeps to it: it installs nothing and needs no root. The lists are those of today."""
    work = TOOLS / f"{name}-packages"
    shutil.rmtree(work, ignore_errors=True)
    for folder in ("lists/partial", "state", "cache/archives/partial", "root"):
        (work / folder).mkdir(parents=True)
    options = _apt_options(work)
    run(["apt-get", *options, "update"])
    yield work, options
    shutil.rmtree(work)


def _unpack_rabbitmq(root: Path) -> None:
    """The whole of Erlang, whatever part of it the machine has: it needs all in one folder."""
    with _apt("rabbitmq") as (work, options):
        # `apt-get download` writes to the working directory.
        run(["apt-get", *options, "download", *_packages(options)], cwd=work)
        for package in sorted(work.glob("*.deb")):
            _unpack(package, work / "root")
        _move_erlang(work / "root", root)
        _drop_unneeded_plugins(work / "root")
        (work / "root").rename(root)


def _unpack_chromium(root: Path) -> None:
    """The headless browser with fonts for Cyrillic and emoji, and the libraries that the machine
    does not have. Raises Failed unless it runs."""
    with _apt("chromium") as (work, options):
        words = ("install", "--download-only", "--no-install-recommends", "--yes")
        run(["apt-get", *options, *words, "chromium-headless-shell", *FONTS])
        for package in sorted(work.glob("cache/archives/*.deb")):
            _unpack(package, work / "root")
        _write_start_script(work / "root", root)
        (work / "root").rename(root)
    try:
        run([str(root / "start"), "--no-sandbox", "--version"])
    except Failed:
        shutil.rmtree(root)
        raise


def _unpack_program(package: str, program: Path) -> None:
    """One program that needs nothing of its package but itself. Raises Failed unless it runs."""
    with _apt(package) as (work, options):
        run(["apt-get", *options, "download", package], cwd=work)
        for file in work.glob("*.deb"):
            _unpack(file, work / "root")
        found = work / "root" / "usr" / "bin" / program.name
        run([str(found), "--version"])
        program.parent.mkdir(exist_ok=True)
        found.rename(program)


def _write_start_script(root: Path, home: Path) -> None:
    """`start` runs the browser with the libraries and fonts of its own folder, and the fonts
    of the machine. `home` is where the root will lie."""
    libraries = {file.parent for file in root.rglob("lib/*-linux-gnu*/**/*.so*")}
    path = ":".join(str(home / folder.relative_to(root)) for folder in sorted(libraries))
    (root / "fonts.conf").write_text(FONTS_CONF.format(home=home))
    start = root / "start"
    start.write_text(
        "#!/bin/sh\n"
        f'export LD_LIBRARY_PATH="{path}" FONTCONFIG_FILE="{home}/fonts.conf"\n'
        f'exec "{home}/usr/lib/chromium/chromium-headless-shell" "$@"\n'
    )
    start.chmod(0o755)


def _revision(chrome: Path) -> int:
    """Of …/chromium-1234/chrome-linux/chrome: 1234."""
    return int(chrome.parents[1].name.partition("-")[2])


def _apt_options(work: Path) -> list[str]:
    settings = {
        "Dir::State": work / "state",
        "Dir::State::Lists": work / "lists",
        "Dir::State::status": "/var/lib/dpkg/status",
        "Dir::Cache": work / "cache",
        "Acquire::Languages": "none",
        "APT::Sandbox::User": "",
        "Debug::NoLocking": "1",
    }
    return [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]


def _packages(options: list[str]) -> list[str]:
    """rabbitmq-server and every Erlang package that it needs, directly or not."""
    tree = run(
        [
            *("apt-cache", *options, "depends", "--recurse", "--important"),
            *("--no-breaks", "--no-conflicts", "--no-replaces", "--no-enhances"),
            "rabbitmq-server",
        ]
    )
    names = {line for line in tree.splitlines() if not line.startswith((" ", "<", "|"))}
    if "rabbitmq-server" not in names:
        raise Failed("This system has no package rabbitmq-server. Set AMQP_URL to a broker.")
    return ["rabbitmq-server", *sorted(name for name in names if name.startswith("erlang-"))]


def _unpack(package: Path, into: Path) -> None:
    with subprocess.Popen(
        ["dpkg-deb", "--fsys-tarfile", str(package)], stdout=subprocess.PIPE
    ) as archive:
        subprocess.run(
            ["tar", "x", "-C", str(into), "--keep-directory-symlink", "--no-same-owner"],
            stdin=archive.stdout,
            check=True,
        )


def _move_erlang(root: Path, home: Path) -> None:
    """Erlang's start scripts hold the folder that the package was made for."""
    erlang = root / "usr" / "lib" / "erlang"
    for name in ("erl", "start"):
        for script in [erlang / "bin" / name, *erlang.glob(f"erts-*/bin/{name}")]:
            if script.exists():
                script.write_text(
                    script.read_text().replace(
                        "ROOTDIR=/usr/lib/erlang", f'ROOTDIR="{home}/usr/lib/erlang"'
                    )
                )


def _drop_unneeded_plugins(root: Path) -> None:
    """Keeps the applications that the broker itself needs.

    Erlang looks for every module in every folder: without the others the broker starts
    in half the time.
    """
    for plugins in root.glob("usr/lib/rabbitmq/lib/rabbitmq_server-*/plugins"):
        folders = {folder.name.partition("-")[0]: folder for folder in plugins.iterdir()}
        # What the start script calls before it knows the broker's own list.
        waiting = {"rabbit", "rabbitmq_prelaunch"}
        needed: set[str] = set()
        while waiting:
            name = waiting.pop()
            needed.add(name)
            waiting |= _applications_of(folders[name]) & folders.keys() - needed
        for name, folder in folders.items():
            if name not in needed and folder.is_dir():
                shutil.rmtree(folder)


def _applications_of(folder: Path) -> set[str]:
    """The applications that an Erlang application declares to need."""
    text = "".join(file.read_text() for file in folder.glob("ebin/*.app"))
    lists = re.findall(r"applications,\s*\[(.*?)\]", text, re.DOTALL)
    return set(re.findall(r"\w+", " ".join(lists)))
