"""What an exported member's folder keeps so that it can be trained again without the run: ``training.json``, teachers.

Not kept: the run's folder, storage, tracking server and cluster, and absolute paths of images, which belong to the
machine and not to the member.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from search.errors import UsageError
from search.files import DamagedFiles, check_sums, read_json, write_text
from search.setting.config import Config, ConfigError, parse
from search.setting.sections.data import PLACES, DataSection
from search.setting.sections.run import RunSection
from search.setting.sections.tracking import TrackingSection
from search.setting.setting import Setting
from spaces.candidate import Candidate
from trainables.final.jobs import FinalJob, network_of
from trainables.final.timm_folder import write_timm_folder
from trainables.teachers.named import LOCAL, save_teacher

FORMAT = 1
"""Version of ``training.json``."""

SECTIONS = ("name", "seed", "data", "space", "weights", "family", "run")
CACHE = "cache"
"""The one place of data that a training does without."""
RUN_KEYS = ("executor", "workers", "cpus", "gpus", "retries")


def write_training(setting: Setting, job: FinalJob, folder: Path) -> None:
    """Write ``training.json``, and every teacher as a timm-style folder ``teacher-N``."""
    names = [f"teacher-{position}" for position in range(1, len(job.teachers) + 1)]
    for name, teacher in zip(names, job.teachers, strict=True):
        if isinstance(teacher, str):
            save_teacher(teacher, setting.splits, folder / name)
        else:
            (folder / name).mkdir()
            network = network_of(teacher, setting.splits, setting.place.final)
            splits = setting.splits
            write_timm_folder(network, splits.decoding, teacher.candidate, splits.classes, folder / name)
    resolved = setting.config.model_copy(update={"data": setting.config.data.resolved})
    config = resolved.model_dump(mode="json", include=set(SECTIONS))
    if setting.config.search.weights:
        config["search"] = resolved.model_dump(mode="json", include={"search": {"score"}})["search"]
    config["run"] = {key: config["run"][key] for key in RUN_KEYS}
    config["family"] |= {
        "teachers": [f"{LOCAL}{name}" for name in names] or 0,
        "untaught": False,
        "epochs": job.epochs,
        "training_seed": job.seed,
    }
    elsewhere = [key for key in PLACES if Path(str(config["data"].get(key) or "")).is_absolute()]
    for key in elsewhere:
        del config["data"][key]
    asked = [key for key in elsewhere if key != CACHE]
    document = {"format": FORMAT, "config": config, "images": asked}
    write_text(folder / "training.json", json.dumps(document, indent=1) + "\n")


def trained_on(member: Path) -> DataSection | None:
    """The data that a member was trained on, as far as its folder says; None where it says nothing.

    Raises:
        UsageError: the file is not what was exported.
    """
    path = member / "training.json"
    if not path.exists():
        return None
    try:
        return DataSection(**read_json(path)["config"]["data"]).stored
    except (TypeError, KeyError, ValueError) as error:
        raise UsageError(f"'{path}' was damaged or edited: {error!s:.200}") from error


def read_training(member: Path, to: Path, images: Mapping[str, str]) -> tuple[Config, Candidate]:
    """The configuration and the candidate that train a member again into the folder ``to``.

    Args:
        member: its folder.
        to: where it is trained.
        images: where images are, by key of section ``data``; in place of what the member says.

    Raises:
        UsageError: the folder is no whole exported member, or of a version that this code does not know; or nothing
            says where its images are.
    """
    try:
        check_sums(member)
        document: dict[str, Any] = read_json(member / "training.json")
        if document.get("format") != FORMAT:
            raise ValueError(f"its training.json has format {document.get('format')!r}; this version reads {FORMAT}")
        candidate = Candidate.from_dict(read_json(member / "candidate.json"))
        missing = [key for key in document.get("images", ()) if key not in images]
        document["config"]["data"] |= images
        config = parse(json.dumps(document["config"]), str(member / "training.json")).stored
    except (DamagedFiles, ConfigError, ValueError, KeyError) as error:
        raise UsageError(f"'{member}' cannot be trained again: {error}") from error
    if missing:
        options = " ".join(f"--images {key}=PATH" for key in missing)
        raise UsageError(f"'{member}' does not say where the images are that it was trained on; give {options}")
    family = config.family
    if isinstance(family.teachers, list):
        folder = member.resolve()
        names = [f"{LOCAL}{folder / name.removeprefix(LOCAL)}" for name in family.teachers]
        family = family.model_copy(update={"teachers": names})
    update = {
        "runs": str(to.parent),
        "name": to.name,
        "family": family,
        "run": RunSection(**config.run.model_dump(include=set(RUN_KEYS))),
        "tracking": TrackingSection(enabled=False),
    }
    return config.model_copy(update=update), candidate
