"""Grad-CAM (Selvaraju et al. 2017): where in an image a network saw what made it choose a class."""

import torch
from torch import Tensor, nn
from torch.nn import functional


def gradcam(network: nn.Module, image_NCHW: Tensor, class_N: Tensor) -> Tensor:
    """Maps of the images' own size, shape (N, H, W), at least 0: weighted activations of the last convolution.

    A channel's weight is the mean gradient of the class's score over its positions; negative sums are cut off.

    Args:
        network: in evaluation mode, from images to class scores.
        image_NCHW: the images.
        class_N: the class of each that is explained.

    Raises:
        ValueError: the network is in training mode, or no convolution of it has more than one position.
    """
    if network.training:
        raise ValueError("Grad-CAM needs a network in evaluation mode (call eval())")
    maps: list[Tensor] = []

    def keep(module: nn.Module, given: object, output: Tensor) -> None:
        if output.ndim == 4 and output.shape[-1] > 1 and output.requires_grad:
            maps.append(output)

    handles = [module.register_forward_hook(keep) for module in network.modules() if isinstance(module, nn.Conv2d)]
    try:
        with torch.enable_grad():
            # The input asks for gradients, so that a network whose weights are frozen has them too.
            score_NK = network(image_NCHW.detach().clone().requires_grad_())
            if not maps:
                raise ValueError("Grad-CAM needs a convolution with more than one position; this network has none")
            (gradient_NCHW,) = torch.autograd.grad(score_NK.gather(1, class_N[:, None]).sum(), maps[-1])
    finally:
        for handle in handles:
            handle.remove()
    weight_NC11 = gradient_NCHW.mean(dim=(2, 3), keepdim=True)
    cam_N1HW = (weight_NC11 * maps[-1].detach()).sum(dim=1, keepdim=True).relu()
    return functional.interpolate(cam_N1HW, size=image_NCHW.shape[-2:], mode="bilinear", align_corners=False)[:, 0]
