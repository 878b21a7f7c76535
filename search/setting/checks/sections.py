"""Whether the sections of a configuration fit its space, this machine's packages and each other."""

from importlib.util import find_spec

from search.setting.config import Config, ConfigError
from search.setting.sections.family import FamilySection
from spaces import components
from spaces.candidate import AGREEMENT, STAGE_COUNTS, STAGES
from spaces.components import EXECUTORS, INGREDIENTS, OBJECTIVES
from spaces.space import Space


def check_stages(space: Space, config: Config) -> None:
    """Every stage of a pretraining that the space offers gets a report in the search's trainings and in the final ones.

    Raises:
        ConfigError: there are too few epochs, or stages have a value that they cannot have.
    """
    for address, dimension in space.pretraining.items():
        if address.rpartition(".")[2] != STAGES:
            continue
        for value in map(str, dimension.values):
            if value not in STAGE_COUNTS:
                raise ConfigError(f"'pretraining.{address}' can be {', '.join(STAGE_COUNTS)}; given '{value}'")
            least = STAGE_COUNTS[value] + 1
            for key, epochs in (("search.epochs", config.search.epochs), ("family.epochs", config.family.epochs)):
                if epochs < least:
                    raise ConfigError(
                        f"{key} is {epochs}; 'pretraining.{address}' has the value '{value}', whose stages and "
                        f"training need {least} epochs: give it more, or leave the value out by space.restrict"
                    )


def check_family_objective(family: FamilySection) -> None:
    """The family's objective exists, compares a network with a teacher, and reads what the section says of it.

    Raises:
        ConfigError: it does not.
    """
    name = family.objective
    taught = [one for one in components.names(OBJECTIVES) if one != AGREEMENT]  # whose teacher is an earlier stage
    compares = {one: components.constant(OBJECTIVES, one, "COMPARES") for one in taught}
    teachable = [one for one, what in compares.items() if what is not None]
    if name not in teachable:
        raise ConfigError(f"family.objective is '{name}'; it needs one with a teacher: {', '.join(teachable)}")
    teachers = family.teachers if isinstance(family.teachers, int) else len(family.teachers)
    if not teachers:
        return
    if not components.constant(OBJECTIVES, name, "LABELS") and family.label_weight:
        raise ConfigError(f"family.objective '{name}' reads no labels: set family.label_weight to 0")
    if compares[name] == "features":
        _check_features(family, teachers)


def _check_features(family: FamilySection, teachers: int) -> None:
    for wrong, remedy in (
        (family.stored_targets, "stored targets hold no features: set family.stored_targets to false"),
        (teachers > 1, f"{teachers} teachers have no common features: set family.teachers to 1"),
        (family.temperature != 1, "features have no temperature: set family.temperature to 1"),
        (family.label_weight == 0, "only labels train the classifier: set family.label_weight above 0"),
    ):
        if wrong:
            raise ConfigError(f"family.objective '{family.objective}' compares features; {remedy}")


def check_packages(space: Space) -> None:
    """The 8-bit optimizers that a space offers can be had.

    Raises:
        ConfigError: it offers some, and their package is not installed.
    """
    offered = {
        str(name)
        for address in space.addresses
        if address.startswith("recipe.") and address.endswith("optimizer.name")
        for name in space.dimension(address).values
    }
    eight_bit = sorted(offered.intersection(components.constant(INGREDIENTS, "optimizer", "EIGHT_BIT")))
    if eight_bit and find_spec("bitsandbytes") is None:
        raise ConfigError(
            f"space '{space.name}' offers the optimizers {', '.join(eight_bit)}, which need bitsandbytes: pip install "
            "bitsandbytes, or restrict recipe.optimizer.name to the others"
        )


def check_soup(family: FamilySection, space: Space) -> None:
    """A family's soups have something to mix: trainings that begin from the same weights.

    Raises:
        ConfigError: all candidates of the space begin from random weights.
    """
    parts = [address.split(".") for address in space.addresses]
    if family.soup != "none" and not any(part[0] == "pretraining" or "weights" in part for part in parts):
        raise ConfigError(
            f"family.soup is '{family.soup}', and space '{space.name}' has neither pretraining nor pretrained weights: "
            "trainings that begin from random weights cannot be mixed; set it to none, or choose another space"
        )


def check_executor(config: Config) -> None:
    """The executor offers what the sections ``run`` and ``ray`` ask of it.

    Raises:
        ConfigError: it does not.
    """
    run = config.run
    wanted = {
        "workers": f"run.workers {run.workers}" if run.workers > 1 else "",
        "workers_per_trial": f"run.workers_per_trial {run.workers_per_trial}" if run.workers_per_trial > 1 else "",
        "concurrent": f"run.concurrent {run.concurrent}" if (run.concurrent or 1) > 1 else "",
        "memory": f"run.memory {run.memory}" if run.memory else "",
        "measuring": f"run.gpus {run.gpus}" if run.measures else "",
        "address": f"ray.address '{config.ray.address}'" if config.ray.address is not None else "",
    }
    offers = {name: components.constant(EXECUTORS, name, "OFFERS") for name in components.names(EXECUTORS)}
    for key, words in wanted.items():
        if words and key not in offers[run.executor]:
            able = " or ".join(name for name, keys in offers.items() if key in keys)
            raise ConfigError(f"{words} is more than run.executor '{run.executor}' offers; use run.executor: {able}")
    if run.workers_per_trial > 1 and (run.measures or (run.gpus != "auto" and 0 < run.gpus < 1)):
        raise ConfigError(
            "'auto' measures trials of one worker, and only they can share a GPU: with run.workers_per_trial "
            f"{run.workers_per_trial}, give run.gpus in whole GPUs of a worker, and run.memory in bytes"
        )
