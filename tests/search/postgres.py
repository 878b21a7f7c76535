"""A PostgreSQL server of Debian's package that a test starts for itself, restarts and ends."""

import contextlib
import importlib.util
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass
class Postgres:
    """A server on a private port and folder; as root it runs as the user ``postgres``, for it refuses root."""

    binaries: Path
    folder: Path
    port: int

    def command(self, *arguments: str | Path) -> list[str]:
        user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.getuid() == 0 else []
        return [*user, str(self.binaries / arguments[0]), *map(str, arguments[1:])]

    def control(self, *arguments: str) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -k {self.folder}"
        words = ("pg_ctl", "-D", self.folder / "data", "-w", "-l", self.folder / "log", "-o", options, *arguments)
        subprocess.run(self.command(*words), check=True, stdout=subprocess.DEVNULL, cwd=self.folder)

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://nars@127.0.0.1:{self.port}/postgres"


@contextlib.contextmanager
def postgres_server() -> Iterator[Postgres]:
    """Skips the test where the server or its driver is not installed."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
    if not programs:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    if importlib.util.find_spec("psycopg") is None:
        pytest.skip("psycopg is not installed: pip install '.[cluster]'")
    folder = Path(tempfile.gettempdir()) / f"nars-pg-{os.getpid()}"
    folder.mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    if os.getuid() == 0:
        user = pwd.getpwnam("postgres")
        os.chown(folder, user.pw_uid, user.pw_gid)
    server = Postgres(programs[-1].parent, folder, port)
    try:
        make = server.command("initdb", "-D", folder / "data", "-U", "nars", "-A", "trust")
        subprocess.run(make, check=True, stdout=subprocess.DEVNULL, cwd=folder)
        server.control("start")
        yield server
    finally:
        if (folder / "data" / "postmaster.pid").exists():
            server.control("stop", "-m", "immediate")
        shutil.rmtree(folder)
