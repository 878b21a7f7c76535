"""Run a dense convolutional network as a sparse one: what is hidden stays hidden in every layer (SparK, section 3.1).

Zeros at hidden positions would be filled in by the next convolution, and would shift batch statistics and pooled means.
So every convolution's and pooling's output is masked again, batch statistics are those of the visible positions, and
squeeze-excite layers average over them. Layer normalisation and linear layers act on each position by itself; what
their biases put at hidden positions is removed.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch.nn.functional as F
from timm.layers import LayerNorm2d, LayerNormAct2d, SEModule
from timm.models._efficientnet_blocks import SqueezeExcite
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

CHANNELS_FIRST = (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d, LayerNorm2d, LayerNormAct2d)
CHANNELS_LAST = (nn.LayerNorm, nn.Linear)
SQUEEZES = (SqueezeExcite, SEModule)
UNSUPPORTED = (nn.GroupNorm, nn.MultiheadAttention)


def visible_at(visible_B1UU: Tensor, height: int, width: int) -> Tensor:
    """Visible positions of a map, float (B, 1, height, width); one that holds several units if any of them is."""
    visible = visible_B1UU.float()
    if height < visible.shape[-2] or width < visible.shape[-1]:
        return F.adaptive_max_pool2d(visible, (height, width))
    return F.interpolate(visible, size=(height, width), mode="nearest")


@contextmanager
def masked(network: nn.Module, visible_B1UU: Tensor) -> Iterator[None]:
    """Inside, the network computes on visible positions alone; its modules and weights are the same afterwards.

    Args:
        network: of convolutions, poolings, batch or layer normalisation and squeeze-excite layers.
        visible_B1UU: which units of the image it may see, bool (B, 1, U, U).

    Raises:
        ValueError: the network has a layer that this does not know how to mask.
    """
    squeezed: dict[nn.Module, Tensor] = {}
    with ExitStack() as stack:
        for name, module in network.named_modules():
            if isinstance(module, UNSUPPORTED):
                raise ValueError(_unknown(name, module))
            if isinstance(module, CHANNELS_FIRST):
                stack.callback(module.register_forward_hook(partial(_hide, visible_B1UU)).remove)
            elif isinstance(module, CHANNELS_LAST):
                stack.callback(module.register_forward_hook(partial(_hide_last, name, visible_B1UU)).remove)
            elif isinstance(module, _BatchNorm):
                module.forward = partial(normalised, module, visible_B1UU)  # type: ignore[method-assign]
                stack.callback(delattr, module, "forward")
            elif isinstance(module, SQUEEZES):
                first = module.conv_reduce if isinstance(module, SqueezeExcite) else module.fc1
                note = partial(_note_share, squeezed, first, visible_B1UU)
                stack.callback(module.register_forward_pre_hook(note).remove)
                stack.callback(first.register_forward_pre_hook(partial(_over_visible, squeezed)).remove)
        yield


def hidden_at_last(visible_B1UU: Tensor, x_BHWC: Tensor) -> Tensor:
    """A map of channels last, zero at hidden positions."""
    return x_BHWC * visible_at(visible_B1UU, *x_BHWC.shape[1:3])[:, 0, :, :, None]


def _unknown(name: str, module: nn.Module) -> str:
    return (
        f"masked convolution cannot hide positions from '{name}' ({type(module).__name__}); it knows convolutions, "
        "poolings, batch and layer normalisation of maps, and squeeze-excite"
    )


def _hide(visible_B1UU: Tensor, module: nn.Module, inputs: Any, output: Tensor) -> Tensor:
    del module, inputs
    if output.shape[-2:] == (1, 1):  # inside a squeeze-excite layer, or a map that holds all units
        return output
    return output * visible_at(visible_B1UU, output.shape[-2], output.shape[-1])


def _hide_last(name: str, visible_B1UU: Tensor, module: nn.Module, inputs: Any, output: Tensor) -> Tensor:
    del inputs
    if output.ndim == 2 or (output.ndim == 4 and output.shape[1:3] == (1, 1)):  # pooled
        return output
    if output.ndim != 4:
        raise ValueError(_unknown(name, module))
    return hidden_at_last(visible_B1UU, output)


def normalised(module: Any, visible_B1UU: Tensor, x_BCHW: Tensor) -> Tensor:
    """Batch normalisation over visible positions, and the activation that timm's layers hold."""
    visible_BHW = visible_at(visible_B1UU, x_BCHW.shape[-2], x_BCHW.shape[-1])[:, 0] > 0
    rows_MC = x_BCHW.permute(0, 2, 3, 1)[visible_BHW]
    if module.training:
        module.num_batches_tracked.add_(1)
    normal_MC = F.batch_norm(
        rows_MC,
        module.running_mean,
        module.running_var,
        module.weight,
        module.bias,
        module.training,
        module.momentum,
        module.eps,
    )
    y_BHWC = x_BCHW.new_zeros(x_BCHW.shape[0], *x_BCHW.shape[2:], x_BCHW.shape[1])
    y_BHWC[visible_BHW] = normal_MC
    y_BCHW = y_BHWC.permute(0, 3, 1, 2)
    activate = getattr(module, "act", None)
    if activate is None:
        return y_BCHW
    activated: Tensor = activate(module.drop(y_BCHW))
    return activated * visible_BHW[:, None]


def _note_share(
    squeezed: dict[nn.Module, Tensor], first: nn.Module, visible_B1UU: Tensor, module: nn.Module, inputs: Any
) -> None:
    del module
    share_B111 = visible_at(visible_B1UU, *inputs[0].shape[-2:]).mean(dim=(2, 3), keepdim=True)
    squeezed[first] = share_B111


def _over_visible(squeezed: dict[nn.Module, Tensor], module: nn.Module, inputs: Any) -> tuple[Tensor]:
    """The mean over all positions, of which the hidden ones are zero, as the mean over the visible ones."""
    return (inputs[0] / squeezed[module],)
