"""A migrated PostgreSQL cluster that is kept: a run of tests copies it, which takes no time.

To initialize one and to migrate it takes longer than most tests do.
"""

import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from dev import postgres
from dev.locks import waited_for
from dev.paths import ROOT, TOOLS
from dev.ports import Port
from dev.processes import Processes
from dev.stack import manage

# What the cluster is made of, besides the migrations.
INGREDIENTS = ["poetry.lock", "dev/migrated.py", "dev/postgres.py"]


def copy_migrated(data: Path, password: str, env: Mapping[str, str]) -> None:
    """Puts a cluster in the folder `data`, whose user has that password, and whose database has the
    tables of today's migrations. `env`: of `manage.py migrate`, but for the database."""
    kept = TOOLS / f"postgres-{_fingerprint(password)}"
    with waited_for(TOOLS / "postgres.lock"):
        if not kept.exists():
            for former in TOOLS.glob("postgres-*"):
                shutil.rmtree(former, ignore_errors=True)
            _make(kept, password, env)
        # With its owner, who may be another than ours.
        subprocess.run(["cp", "-a", kept, data], check=True)


def _fingerprint(password: str) -> str:
    migrations = sorted((ROOT / "core").glob("innotter/*/migrations/*.py"))
    digest = hashlib.sha256(password.encode())
    for file in [*(ROOT / name for name in INGREDIENTS), *migrations]:
        digest.update(str(file.relative_to(ROOT)).encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _make(kept: Path, password: str, env: Mapping[str, str]) -> None:
    # Of a name that the next one clears away, should this be killed.
    folder = Path(tempfile.mkdtemp(prefix="postgres-new-", dir=TOOLS))
    processes = Processes(folder / "logs")
    port = Port()
    try:
        options = postgres.FORGETFUL
        postgres.start_postgres(processes, folder / "postgres", port, password, options)
        own = {**env, "DATABASE_URL": postgres.url(port, password)}
        processes.run("migrate", manage("migrate"), env=own, seconds=120)
        processes.stop()
        (folder / "postgres").replace(kept)
    finally:
        processes.stop()
        shutil.rmtree(folder, ignore_errors=True)
