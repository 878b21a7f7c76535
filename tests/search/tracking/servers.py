"""MLflow's own servers as processes."""

import contextlib
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

MLFLOW = [sys.executable, "-m", "mlflow"]


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


@contextlib.contextmanager
def process(arguments: list[str], address: str, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Start in a group of its own, wait until it answers, and end the whole group afterwards."""
    own = {"MLFLOW_DISABLE_TELEMETRY": "true", "OMP_NUM_THREADS": "1"}
    # MLflow starts uvicorn by name, which stands beside the interpreter.
    environment = {**os.environ, **own, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    with (folder / "server.log").open("ab") as log:
        started = subprocess.Popen(
            [*MLFLOW, *arguments], cwd=folder, stdout=log, stderr=log, env=environment, start_new_session=True
        )
    try:
        until = time.monotonic() + 240
        while not answers(address):
            assert started.poll() is None, (folder / "server.log").read_text()[-2000:]
            assert time.monotonic() < until, (folder / "server.log").read_text()[-2000:]
            time.sleep(0.5)
        yield started
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(started.pid, signal.SIGKILL)
        started.wait()


def server(folder: Path, port: int) -> contextlib.AbstractContextManager[subprocess.Popen[bytes]]:
    store = ["--backend-store-uri", f"sqlite:///{folder / 'store.db'}", "--artifacts-destination", str(folder / "art")]
    arguments = ["server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1", *store]
    return process(arguments, f"http://127.0.0.1:{port}/health", folder)
