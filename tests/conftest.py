import os
import shutil
from collections.abc import Iterator
from pathlib import Path

# Before torch and NumPy are there, and for the processes that tests start: the order of sums, so the last digit of a
# loss, depends on the number of threads, and threads of several processes on two cores wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Ray's workers have no less of the processors than the tests beside them, which would otherwise wait for them long.
os.environ.setdefault("RAY_worker_niceness", "0")

import hypothesis
import pytest
from filelock import FileLock

from tests import leftovers

LONG = ("tests/integration/", "tests/search/tracking/", "tests/trainables/training/")

hypothesis.settings.register_profile("ci", max_examples=10, deadline=None, derandomize=True)
hypothesis.settings.register_profile("nightly", max_examples=60, deadline=None)


def pytest_configure(config: pytest.Config) -> None:
    hypothesis.settings.load_profile("ci" if "not nightly" in config.getoption("-m") else "nightly")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files of few and long tests come first, or one process would wait at the end for the other's last file."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONG))


def pytest_sessionstart() -> None:
    leftovers.adopt_orphans()


@pytest.fixture(scope="module", autouse=True)
def _module_leaves_nothing_running() -> Iterator[None]:
    with leftovers.checked():
        yield


@pytest.fixture(autouse=True)
def _test_leaves_nothing_running() -> Iterator[None]:
    """Set up after the fixtures of the module, whose threads and processes may stay until its end."""
    with leftovers.checked():
        yield


@pytest.fixture(scope="module")
def no_graphs() -> Iterator[None]:
    """For modules that look at no ONNX file of what they hand over."""
    from tests.search.products import without_graphs

    with without_graphs():
        yield


@pytest.fixture(scope="module")
def no_pictures() -> Iterator[None]:
    """For modules that look at no picture of a report."""
    from tests.search.products import without_pictures

    with without_pictures():
        yield


@pytest.fixture(scope="session")
def product(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run, made once for all processes of tests: it is only read, or copied."""
    from tests.runs import configuration, search

    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "product"
    with FileLock(f"{folder}.lock"):
        if not (folder / "ended").exists():
            shutil.rmtree(folder, ignore_errors=True)  # what a process that failed has left
            folder.mkdir()
            done = search("run", configuration(folder, "small", tracking="true"))
            assert done.returncode == 0, (done.returncode, done.stdout, done.stderr)
            (folder / "ended").touch()
    return folder / "runs" / "small"
