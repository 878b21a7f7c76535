"""Pretrained weights for a network: every tensor of its own shape, but for the classifier and the image's channels."""

from collections.abc import Mapping

import timm
from timm.models import adapt_input_conv
from torch import Tensor, nn

from trainables.deploy import Deployable
from trainables.pretrained import Sources
from trainables.weights.files import Tensors, tensors_of
from trainables.weights.sources import Start, WeightsError, start_of

COUNTER = "num_batches_tracked"
"""Of batch norms; weights from other frameworks do not have it."""
OURS = "network."
"""What ``Deployable`` puts before the names of its network's tensors."""
RGB = 3


def start_for(network: nn.Module, sources: Sources) -> Start | None:
    """The pretrained weights that a backbone's network says it is to begin with; None for none.

    Raises:
        WeightsError: they stand for nothing.
    """
    config = getattr(network, "default_cfg", {})
    return start_of(config["architecture"], config["tag"], sources) if "tag" in config else None


def weights_for(start: Start, network: Deployable, *, classifier: bool = False) -> Tensors:
    """The weights by the names of the network's state, without those of its classifier unless asked for.

    The first convolution takes the image's channels as timm does it: their sum for one channel, repeated for more.

    Args:
        start: the weights.
        network: of ``start.model``, with as many classes and channels as the data; on any device, meta too.
        classifier: whether its weights are wanted too, so that the network has their classes.

    Raises:
        WeightsError: the weights cannot be read, or do not fit.
    """
    last = network.name_of_classifier.removeprefix(OURS)
    expected = {name: value for name, value in network.network.state_dict().items() if not name.endswith(COUNTER)}
    tensors = _by_name(start, tensors_of(start), list(expected))
    own = {name: value for name, value in expected.items() if classifier or not name.startswith(f"{last}.")}
    surplus = [name for name in tensors if name not in expected and not name.endswith(COUNTER)]
    common = sum(name in expected for name in tensors)
    if 2 * common < len(expected):
        raise WeightsError(
            f"weights {start.name} are of another model: of its {len(tensors)} tensors {common} have names of "
            f"{start.model}, which has {len(expected)}"
        )
    for name in own:
        if name not in tensors:
            raise WeightsError(f"weights {start.name} do not fit: tensor '{name}' is missing")
    if surplus:
        raise WeightsError(f"weights {start.name} do not fit: {start.model} has no tensor '{surplus[0]}'")
    first = _first_convolutions(start.model)
    return {f"{OURS}{name}": _fitted(start, name, tensors[name], value, first) for name, value in own.items()}


def _by_name(start: Start, tensors: Tensors, names: list[str]) -> Mapping[str, Tensor]:
    if start.format == "names":
        return tensors
    if str(start.path).endswith(".safetensors"):
        raise WeightsError(
            f"weights {start.name}: .safetensors keeps no order of its tensors, which 'positional' needs"
        )
    values = [value for name, value in tensors.items() if not name.endswith(COUNTER)]
    if len(values) != len(names):
        raise WeightsError(
            f"weights {start.name} are of another model: {len(values)} tensors, of which {start.model} has {len(names)}"
        )
    return dict(zip(names, values, strict=True))


def _first_convolutions(model: str) -> tuple[str, ...]:
    """Names of the weights that read the image."""
    config = timm.get_pretrained_cfg(model)
    named = () if config is None or not config.first_conv else config.first_conv
    return tuple(f"{name}.weight" for name in ((named,) if isinstance(named, str) else named))


def _fitted(start: Start, name: str, value: Tensor, own: Tensor, first: tuple[str, ...]) -> Tensor:
    if name in first and value.ndim == 4 and value.shape[1] == RGB != own.shape[1]:
        value = adapt_input_conv(own.shape[1], value)
    if value.shape != own.shape:
        raise WeightsError(
            f"weights {start.name} do not fit: tensor '{name}' has the shape {tuple(value.shape)}, "
            f"{start.model} needs {tuple(own.shape)}"
        )
    return value
