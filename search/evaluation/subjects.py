"""Which networks are evaluated on which data: of a run, of a family elsewhere, of one folder."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml
from pydantic import ValidationError

from search.errors import UsageError
from search.family.folder import load_network, load_spec
from search.family.members import Family, load_family
from search.family.retrain import read_training, trained_on
from search.identity.folder import family_folder, prepare_run
from search.identity.saved import saved
from search.setting.sections.data import DataSection
from search.setting.setting import Setting
from trainables.data.sources import load_source
from trainables.data.splitting import SPLIT
from trainables.deploy import Deployable
from trainables.splits import Splits
from trainables.teachers.named import LOCAL, load_teacher


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A network that is evaluated.

    Attributes:
        name: what people call it.
        folder: where it lies, and where its figures are kept.
        load: reads it, in evaluation mode on the CPU.
    """

    name: str
    folder: Path
    load: Callable[[], Deployable]


@dataclass(frozen=True, kw_only=True)
class Subjects:
    """Networks and their data.

    Attributes:
        networks: cheapest first.
        splits: the data.
        setting: of the run that they are the family of; None for what lies elsewhere.
    """

    networks: tuple[Subject, ...]
    splits: Splits
    setting: Setting | None = None


def subjects_of(path: Path, data: str | None, images: Mapping[str, str]) -> Subjects:
    """The networks below a folder: of a finished run, of a copied family, of a member, or of one that timm reads.

    Args:
        path: the folder.
        data: the data as YAML, such as ``digits`` or ``{source: folder, path: photos}``; by default what the networks
            were trained on, which a folder that timm reads does not say.
        images: where images are, by key of section ``data``, which members do not say.

    Raises:
        UsageError: there is nothing to evaluate, or nothing to evaluate it on.
        Mistake: a file was damaged, or the data cannot be used.
    """
    if (path / "config.yaml").is_file():
        if data is not None or images:
            raise UsageError("--data and --images go with a folder of networks; a run has its own")
        family, setting = family_folder(path), prepare_run(saved(path))
        return Subjects(
            networks=members_of(family, load_family(family), setting.splits), splits=setting.splits, setting=setting
        )
    if (path / "family.json").is_file():
        first = next(iter(load_family(path).members), None)
        if first is None:
            raise UsageError(f"'{path}' holds a family without a member; name another folder")
        splits = _splits(path / first.name, data, images)
        return Subjects(networks=members_of(path, load_family(path), splits), splits=splits)
    if (path / "candidate.json").is_file():
        splits = _splits(path, data, images)
        return Subjects(networks=(_member(path, splits),), splits=splits)
    if (path / "config.json").is_file() and (path / "model.safetensors").is_file():
        if data is None:
            raise UsageError(f"'{path}' does not say what it was trained on; name it: --data digits")
        splits = _loaded(data)
        return Subjects(
            networks=(Subject(name=path.name, folder=path, load=lambda: load_teacher(f"{LOCAL}{path}", splits)),),
            splits=splits,
        )
    raise UsageError(
        f"'{path}' is neither a run nor a folder with networks (family.json, candidate.json, or config.json beside "
        "model.safetensors)"
    )


def members_of(folder: Path, family: Family, splits: Splits) -> tuple[Subject, ...]:
    """The members of a family in its folder, cheapest first.

    Raises:
        UsageError: one takes other images, or tells other classes apart, than those of the data.
    """
    return tuple(_member(folder / member.name, splits) for member in family.members)


def _member(folder: Path, splits: Splits) -> Subject:
    spec = load_spec(folder)
    taken, stored = spec.preprocessing.shape, (splits.channels, splits.resolution, splits.resolution)
    if spec.classes != splits.classes or taken != stored:
        raise UsageError(
            f"'{folder}' takes images of {taken} and names {len(spec.classes)} classes from '{spec.classes[0]}' on, "
            f"but the data has images of {stored} and {len(splits.classes)} classes from '{splits.classes[0]}' on; "
            "name its own data with --data"
        )
    return Subject(name=folder.name, folder=folder, load=lambda: load_network(folder))


def _splits(member: Path, data: str | None, images: Mapping[str, str]) -> Splits:
    if data is not None:
        return _loaded(data, trained_on(member))
    own = read_training(member, member, images)[0].data
    return load_source(own.source, own.keywords)


def _loaded(data: str, before: DataSection | None = None) -> Splits:
    """The splits of data given as YAML; of a source like that of ``before``, split as then, if it does not say how."""
    try:
        content = yaml.safe_load(data)
        section = DataSection.model_validate(content if isinstance(content, dict) else {"source": content})
    except ValidationError as error:
        words = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise UsageError(f"--data '{data[:80]}' is no data: {words}") from error
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise UsageError(f"--data '{data[:80]}' is no data: {' '.join(str(error).split())[:200]}") from error
    split = before.keywords.get(SPLIT) if before is not None and before.source == section.source else None
    return load_source(section.source, {**({} if split is None else {SPLIT: split}), **section.keywords})
