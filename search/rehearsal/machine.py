"""Whether this machine has what a run asks of it: cores, GPUs, memory and space on its disks."""

import os
import shutil
from collections.abc import Iterator

from search.rehearsal.stored_images import memory_of_machine, of_images
from search.setting.setting import Setting
from search.words import amount
from spaces.mistake import Mistake
from spaces.sampling import sobol
from trainables.decoding import is_shown

BYTES_PER_PARAMETER = 16
"""Of a checkpoint: weights, two moments of an optimizer and an average, in float32."""
FEWEST_BYTES = 4
"""Of its weights alone."""
DRAWN = 1024
"""Candidates of which the largest stands for the space's largest."""
KEPT_PER_BUDGET = 4
"""Checkpoints and exported files of a budget, in units of a checkpoint."""
LONGEST_CLASS = 200


def of_machine(setting: Setting) -> Iterator[str]:
    """A sentence for what was looked at, or a warning; nothing of other machines, which a cluster answers for.

    Args:
        setting: of a run that is to begin.

    Raises:
        Mistake: the machine has less.
    """
    check_names(setting.splits.classes)
    if setting.config.ray.address is None:
        _check_cores(setting)
        _check_gpus(setting)
        _check_memory(setting)
        yield from of_images(setting)
    largest = _largest_parameters(setting)
    _check_quota(setting.config.run.checkpoint_quota, largest)
    yield from _of_disk(setting, largest)


def check_names(classes: tuple[str, ...]) -> None:
    """Names of classes go into files that other programs read.

    Raises:
        Mistake: one is no printable text, or too long.
    """
    for name in classes:
        if not is_shown(name) or not name.strip() or len(name) > LONGEST_CLASS:
            raise Mistake(
                f"class {name[:LONGEST_CLASS]!r} cannot be written into the files of a member; give it a name of at "
                f"most {LONGEST_CLASS} printable characters"
            )


def _check_cores(setting: Setting) -> None:
    run, cores = setting.config.run, os.cpu_count() or 1
    largest = run.cpus * max(run.workers_per_trial, run.workers)
    if largest > cores:
        raise Mistake(
            f"run.cpus {run.cpus} for each of {max(run.workers_per_trial, run.workers)} worker(s) is more than this "
            f"machine's {cores} cores; lower run.cpus, run.workers or run.workers_per_trial, or name a cluster in "
            "ray.address"
        )


def _check_gpus(setting: Setting) -> None:
    gpus = setting.config.run.gpus
    if not gpus:
        return
    import torch  # only where a GPU is asked for: its import takes seconds

    count = torch.cuda.device_count()
    if not count:
        raise Mistake(f"run.gpus is {gpus}, but torch sees no GPU on this machine; set it to 0, or name a cluster")
    if gpus != "auto" and gpus > count:
        raise Mistake(f"run.gpus is {gpus:g}, but this machine has {count} GPU(s); lower it")


def _check_memory(setting: Setting) -> None:
    memory = setting.config.run.memory
    has = memory_of_machine()
    if memory != "auto" and memory > has:
        raise Mistake(
            f"run.memory is {amount(memory)} bytes, but this machine has {amount(has)}; lower it, or set it to 0"
        )


def _check_quota(quota: float | None, largest_parameters: float) -> None:
    least = FEWEST_BYTES * largest_parameters
    if quota is not None and quota < least:
        raise Mistake(
            f"run.checkpoint_quota is {amount(quota)}, but a checkpoint of the largest network has {amount(least)}"
        )


def _of_disk(setting: Setting, largest_parameters: float) -> Iterator[str]:
    """Space in the folder of the run for the checkpoints of trials that run at once, and for the family."""
    config = setting.config
    pieces = config.run.at_once + KEPT_PER_BUDGET * len(setting.problem.budgets)
    if setting.checkpoints is not None:
        pieces -= config.run.at_once
    needed = pieces * BYTES_PER_PARAMETER * largest_parameters
    folder = config.folder.absolute()
    free = shutil.disk_usage(next(path for path in (folder, *folder.parents) if path.exists())).free
    if needed > free:
        raise Mistake(
            f"'{config.folder}' needs about {amount(needed)} bytes for checkpoints and family, but its disk has "
            f"{amount(free)} free; free some, choose another 'runs', or set run.checkpoints to another place"
        )
    yield f"disk: about {amount(needed)} bytes for checkpoints and family, of {amount(free)} free"


def _largest_parameters(setting: Setting) -> float:
    """Of networks within the limits."""
    codes_ND = sobol(setting.space, DRAWN, 0)
    params_N = setting.counts(codes_ND).params_N
    return min(float(params_N.max()), setting.problem.limits.bounds().get("params", float("inf")))
