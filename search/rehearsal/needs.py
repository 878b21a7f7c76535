"""What the later stages of a run need, opened before its first trial.

A teacher that cannot be loaded or a place that cannot be written ends a run here, not after hours of training. Nothing
that is written stays.
"""

import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import fsspec
from fsspec.implementations.local import LocalFileSystem

from search.executors.places import checkpoint_places
from search.files import check_writable
from search.setting.config import Config
from search.setting.sections.search import words_of_score
from search.setting.setting import Setting, needs_other_networks
from search.tracking.address import check_address
from search.words import masked
from spaces import components
from spaces.candidate import Candidate
from spaces.mistake import Mistake
from spaces.sampling import sobol

if TYPE_CHECKING:
    from trainables.deploy import Deployable

T = TypeVar("T")

PATIENCE_S = 10.0
"""How long something beyond this machine may take to answer."""


def rehearse(setting: Setting, target: Path | None = None) -> list[str]:
    """Open the places, teachers and pretrained weights of a run; a sentence for each. This machine fetches its weights.

    Args:
        setting: of the run.
        target: folder where the family is written; in the run's folder by default.

    Raises:
        Mistake: a folder or the checkpoints' place cannot be written.
        TeacherError: a teacher cannot be loaded.
        WeightsError: weights that a candidate may begin with cannot be fetched or read, or do not fit.
    """
    config = setting.config
    places = checkpoint_places(setting.checkpoints, config.folder.resolve())
    results, targets = target or config.folder / "family", config.folder / "targets"
    for folder in (config.folder, results):
        check_writable(folder)
    for folder_or_uri in (places.trials, f"{places.final}/final"):
        check_checkpoints(folder_or_uri)
    opened = [f"results: '{results}' can be written", f"checkpoints: '{places.trials}' can be written"]
    if config.family.stored_targets:
        check_writable(targets)
        opened.append(f"stored targets: '{targets}' can be written")
    return [*opened, *_teachers(setting), *_weights(setting), *_score(setting)]


def _teachers(setting: Setting) -> Iterator[str]:
    names = setting.config.family.teachers
    if isinstance(names, int):
        return
    from trainables.teachers.named import load_teacher

    for name in names:
        load_teacher(name, setting.splits)
        yield f"teacher: '{name}' is loaded and has the data's {len(setting.splits.classes)} classes"


def _weights(setting: Setting) -> Iterator[str]:
    """Teachers of pretraining, and weights that candidates begin with."""
    if needs_other_networks(setting.space):
        from search.setting.weights import fetch_weights, open_teachers

        yield from open_teachers(setting.space, setting.splits)
        yield from fetch_weights(setting.space, setting.splits)


def _score(setting: Setting) -> Iterator[str]:
    """What trials are judged by, measured once of an untrained network."""
    weights = setting.config.search.weights
    if not weights:
        return
    from trainables.training.building import build
    from trainables.training.features import accuracy, judged

    some = setting.space.decode(sobol(setting.space, 16, 0))
    candidate = min(some, key=lambda one: setting.statistics_of(one).macs)
    network = build(candidate, setting.splits)
    evaluations = [name.split(".")[1] for name, _ in weights if "." in name]
    if any(components.constant(components.EVALUATIONS, name, "TEXTS") for name in evaluations):
        network = _with_texts(network, candidate)
    right = accuracy(network, setting.splits.validation)
    score, _ = judged(weights, network, setting.splits, right)
    yield f"score: {words_of_score(setting.config.search)} is {score:.3f} of an untrained network"


def _with_texts(network: "Deployable", candidate: Candidate) -> "Deployable":
    """A network beside the text tower that its pretraining would train."""
    from trainables.joint import knobs_of, load
    from trainables.plan import Reading

    rest = dict(candidate.pretraining)
    name = str(rest["objective"])
    objective = load(name).objective(network, **knobs_of(name, rest))
    assert isinstance(objective, Reading)
    assert objective.texts is not None
    return network.beside(objective.texts.eval())


def check_secrets(config: Config) -> None:
    """No address holds a password, which would be written into the folder of the run and shown by MLflow.

    Raises:
        Mistake: one does.
    """
    places = {
        "run.storage": config.run.storage,
        "run.checkpoints": config.run.checkpoints,
        "tracking.uri": config.tracking.uri,
        "ray.address": config.ray.address,
    }
    for key, address in places.items():
        if address is not None and masked(address) != address:
            raise Mistake(
                f"{key} '{masked(address)}' holds a password, which would be written into files; put it into an "
                "environment variable such as NARS_PASSWORD, and write ${NARS_PASSWORD} in its place"
            )


def reach(config: Config) -> list[str]:
    """Reach the servers of a run; a sentence for each.

    A run does without: it waits for its storage, and sends later what a tracking server has missed.

    Raises:
        StorageError: the study's storage does not answer.
        Mistake: the tracking server does not.
    """
    storage, tracking = config.run.storage, config.tracking
    reached = []
    if storage is not None:
        from search.record.storage import check_storage

        within(PATIENCE_S, "the study's storage", partial(check_storage, storage))
        reached.append("storage of the study: answers")
    if tracking.enabled and tracking.uri is not None:
        check_address(tracking.uri)
        reached.append(f"tracking: '{masked(tracking.uri)}' answers")
    return reached


def check_checkpoints(folder: str) -> None:
    """Write, read and remove a checkpoint in a folder or below a URI.

    Raises:
        Mistake: the place cannot be written, or does not answer in time.
    """

    def work() -> None:
        files, path = fsspec.core.url_to_fs(folder)
        if isinstance(files, LocalFileSystem):
            check_writable(Path(path))
            return
        from trainables.training.checkpoint import Checkpoint

        probe = Checkpoint(path=f"{folder}/probe-{uuid.uuid4().hex}.pt")
        probe.save({})
        probe.load()
        probe.delete()

    try:
        within(PATIENCE_S, f"run.checkpoints '{folder}'", work)
    except Mistake:
        raise
    except Exception as error:  # every file system has its own
        raise Mistake(f"run.checkpoints '{folder}' cannot be used: {' '.join(str(error).split())[:300]}") from error


def within(seconds: float, what: str, act: Callable[[], T]) -> T:
    """Do something that may wait for another machine, for some seconds at most; its thread ends with the process.

    Raises:
        Mistake: it takes longer.
    """
    future: Future[T] = Future()

    def work() -> None:
        try:
            future.set_result(act())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=work, name=f"reaching {what}", daemon=True).start()
    try:
        return future.result(timeout=seconds)
    except TimeoutError:
        if future.done():  # its own
            raise
        raise Mistake(f"{what} did not answer within {seconds:g} seconds") from None
