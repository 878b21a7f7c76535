"""Grad-CAM (Selvaraju et al. 2017) by captum: where in an image a network saw what made it choose a class."""

import torch
from torch import Tensor, nn


class NoConvolution(ValueError):
    """A network without a convolution that has several positions, such as one of attention or linear layers alone."""


def gradcam(network: nn.Module, image_NCHW: Tensor, class_N: Tensor) -> Tensor:
    """Maps of the images' own size, shape (N, H, W), at least 0: weighted activations of the last convolution.

    Args:
        network: in evaluation mode, from images to class scores.
        image_NCHW: the images.
        class_N: the class of each image that is explained.

    Raises:
        ValueError: the network is in training mode.
        NoConvolution: no convolution of it has more than one position.
    """
    from captum.attr import LayerAttribution, LayerGradCam  # 0.7 s, which only a report needs

    if network.training:
        raise ValueError("Grad-CAM needs a network in evaluation mode (call eval())")
    with torch.enable_grad():
        # The input asks for gradients, so that a network whose weights are frozen has them too.
        image_NCHW = image_NCHW.detach().clone().requires_grad_()
        layer = _last_convolution(network, image_NCHW)
        cam_N1HW = LayerGradCam(network, layer).attribute(image_NCHW, target=class_N, relu_attributions=True)
    map_N1HW: Tensor = LayerAttribution.interpolate(cam_N1HW, image_NCHW.shape[-2:], interpolate_mode="bilinear")
    return map_N1HW[:, 0].detach()


def _last_convolution(network: nn.Module, image_NCHW: Tensor) -> nn.Module:
    """The last convolution with more than one position on the way from the image to the scores."""
    layers: list[nn.Module] = []

    def on_forward(module: nn.Module, inputs: object, output: Tensor) -> None:
        if output.ndim == 4 and output.shape[-1] > 1 and output.requires_grad:
            layers.append(module)

    handles = [
        module.register_forward_hook(on_forward) for module in network.modules() if isinstance(module, nn.Conv2d)
    ]
    try:
        network(image_NCHW[:1])
    finally:
        for handle in handles:
            handle.remove()
    if not layers:
        raise NoConvolution("Grad-CAM needs a convolution with more than one position; this network has none")
    return layers[-1]
