"""The load of this machine, sampled by a thread: what MLflow shows as system metrics.

MLflow's own sampler is not used: it writes past the queue, so that what it sees while no server answers is lost.
"""

import os
import shutil
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

MEMORY = Path("/proc/meminfo")
KIBIBYTE, MEGABYTE = 1024, 1e6


def load(folder: Path) -> dict[str, float]:
    """Load average of a minute per core, the disk that holds a folder, and (on Linux) the memory in use."""
    disk = shutil.disk_usage(folder)
    metrics = {
        "system/load_average_per_core": os.getloadavg()[0] / (os.cpu_count() or 1),
        "system/disk_usage_megabytes": disk.used / MEGABYTE,
        "system/disk_usage_percentage": 100 * disk.used / disk.total,
    }
    if MEMORY.exists():
        lines = (line.split() for line in MEMORY.read_text(encoding="ascii").splitlines())
        kibibytes = {words[0].rstrip(":"): float(words[1]) for words in lines}
        used = kibibytes["MemTotal"] - kibibytes["MemAvailable"]
        metrics["system/system_memory_usage_megabytes"] = used * KIBIBYTE / MEGABYTE
        metrics["system/system_memory_usage_percentage"] = 100 * used / kibibytes["MemTotal"]
    return metrics


class Sampling:
    """Gives the load to ``put`` every ``every_s`` seconds until it is stopped."""

    def __init__(self, folder: Path, every_s: float, put: Callable[[Mapping[str, float]], None]) -> None:
        self._stopped = threading.Event()

        def sample() -> None:
            while not self._stopped.wait(every_s):
                put(load(folder))

        self._thread = threading.Thread(target=sample, name="system metrics", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """No sample is put after this."""
        self._stopped.set()
        self._thread.join()
