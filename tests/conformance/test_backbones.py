"""What every backbone on disk must do, with a small network of a space that offers it: new files need no edit here."""

from collections.abc import Iterator
from functools import cache

import numpy as np
import pytest
import timm
import torch
from torch.nn import functional

import trainables.final.timm_folder  # registers the architecture
from spaces.candidate import Candidate, keywords
from spaces.components import BACKBONES, SPACES, load, names
from spaces.joined import FAMILY
from spaces.sampling import uniform
from spaces.space import Space
from trainables.adapt.full import layer_rates
from trainables.deploy import Deployable
from trainables.final.timm_folder import timm_config

NAMES = names(BACKBONES)
CLASSES, CHANNELS = 5, 3
# A space of many models, each of which would be built to be counted.
FEW = {"timm_model": {"architecture.name": ("mobilenetv3_small_100",), "architecture.resolution": (160,)}}


def offering(backbone: str) -> Iterator[Space]:
    """The spaces of this backbone alone."""
    for name in names(SPACES):
        space = load(SPACES, name).space()
        if FAMILY not in space.index and space.backbone == backbone:
            yield space.restrict(FEW.get(backbone, {}))


@cache
def example(backbone: str) -> Candidate:
    """The smallest of some candidates, by the images and then by the number of parameters."""
    space = next(offering(backbone), None)
    assert space is not None, f"no space offers the backbone '{backbone}'; add one to spaces/"
    candidates = space.decode(uniform(space, 32, np.random.default_rng(0)))
    counts = {c: load(BACKBONES, backbone).cost(classes=CLASSES, channels=CHANNELS, **keywords(c.architecture))[0]
              for c in candidates}  # fmt: skip
    return min(candidates, key=lambda c: (counts[c].resolution, counts[c].params))


def network(backbone: str, **extra: float) -> Deployable:
    torch.manual_seed(0)
    architecture = keywords(example(backbone).architecture)
    body = load(BACKBONES, backbone).build(classes=CLASSES, channels=CHANNELS, **architecture, **extra)
    return Deployable(body, mean=[0.5] * CHANNELS, std=[0.5] * CHANNELS, resolution=int(architecture["resolution"]))


def images(given: Deployable, count: int = 4) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(count, CHANNELS, given.resolution, given.resolution, generator=generator)


@pytest.mark.parametrize("backbone", NAMES)
def test_its_classifier_turns_its_pooled_features_into_its_scores(backbone: str) -> None:
    assert set(load(BACKBONES, backbone).FEATURES) <= {"map", "tokens"}
    made = network(backbone).eval()
    image = images(made)
    with torch.no_grad():
        scores, pooled = made.scores_and_pooled(image)
        assert pooled.shape == (4, made.width)
        assert torch.equal(scores, made(image))
        assert torch.allclose(made.classifier(pooled), scores, atol=1e-5)
        made.network.reset_classifier(3)  # type: ignore[operator]
        assert made(image).shape == (4, 3)
        assert torch.equal(made.pooled(image), pooled)


@pytest.mark.parametrize("backbone", NAMES)
def test_every_parameter_has_a_gradient(backbone: str) -> None:
    made = network(backbone).train()
    functional.cross_entropy(made(images(made)), torch.arange(4)).backward()
    for name, parameter in made.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name


@pytest.mark.parametrize("backbone", NAMES)
def test_dropout_acts_in_training_only(backbone: str) -> None:
    plain, dropping = network(backbone), network(backbone, dropout=0.5)
    image = images(plain)
    with torch.no_grad():
        assert torch.equal(plain.eval()(image), dropping.eval()(image))
        features, head = plain.features(image), dropping.train().network.forward_head
        assert not torch.equal(head(features), head(features))  # type: ignore[operator]


@pytest.mark.parametrize("backbone", NAMES)
def test_its_layers_are_in_order_for_layer_wise_decay(backbone: str) -> None:
    made = network(backbone)
    rates = layer_rates(made, 0.5)
    assert set(rates) == {name for name, _ in made.named_parameters()}
    first, *_, last = rates.values()
    assert first == min(rates.values()) < last == 1.0


@pytest.mark.parametrize("backbone", NAMES)
def test_timm_builds_it_from_what_an_export_writes(backbone: str) -> None:
    made = network(backbone)
    config = timm_config(
        made.network, example(backbone), channels=CHANNELS, resolution=made.resolution, mean=[0.5] * CHANNELS,
        std=[0.5] * CHANNELS, classes=[str(number) for number in range(CLASSES)],
    )  # fmt: skip
    again = timm.create_model(trainables.final.timm_folder.nars.__name__, **config["model_args"]).eval()
    again.load_state_dict(made.network.state_dict())
    with torch.no_grad():
        image = made.prepared(images(made))
        assert torch.equal(again(image), made.network.eval()(image))
    parts = dict(again.named_modules())
    assert parts[config["pretrained_cfg"]["classifier"]] is again.get_classifier()
    assert config["pretrained_cfg"]["first_conv"] in parts
