"""What every backbone on disk must do, with a small network of a space that offers it: new files need no edit here."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from torch.nn import functional

import trainables.final.timm_folder  # registers the architecture
from search.family.export import compare, write_graphs
from search.family.folder import InputSpec
from spaces.candidate import Candidate, keywords
from spaces.components import BACKBONES, SPACES, load, names
from spaces.joined import FAMILY
from spaces.sampling import uniform
from spaces.space import Space
from tests.conformance.contracts import members
from trainables.adapt._whole import layer_rates
from trainables.decoding import Decoding
from trainables.deploy import Backbone, Deployable, MapBackbone, SequenceBackbone, TokenBackbone
from trainables.final.timm_folder import timm_config
from trainables.objectives import simmim, spark
from trainables.plan import Batch

NAMES = names(BACKBONES)
CLASSES, CHANNELS = 5, 3
# A space of many models, each of which would be built to be counted.
FEW = {"timm_model": {"architecture.name": ("mobilenetv3_small_100",), "architecture.resolution": (160,)}}


def offering(backbone: str) -> Iterator[Space]:
    """The spaces of this backbone, and its part of those that join it with others; for images, which are no clips."""
    few = FEW.get(backbone, {})
    for name in names(SPACES):
        space = load(SPACES, name).space()
        if not space.joins_families:
            own = space.backbone == backbone
            if own and all(set(values) <= set(space.dimension(address).values) for address, values in few.items()):
                yield space.restrict(
                    {**few, **({"architecture.frames": (1,)} if "frames" in space.architecture else {})}
                )
        elif not few and backbone in space.dimension(FAMILY).values:
            yield space.restrict({FAMILY: (backbone,)})


@cache
def example(backbone: str) -> Candidate:
    """The smallest of some candidates, by the images and then by the number of parameters."""
    spaces = list(offering(backbone))
    assert spaces, f"no space offers the backbone '{backbone}'; add one to spaces/"
    candidates = [
        candidate for space in spaces for candidate in space.decode(uniform(space, 32, np.random.default_rng(0)))
    ]
    counts = {c: load(BACKBONES, backbone).cost(classes=CLASSES, channels=CHANNELS, **keywords(c.architecture))[0]
              for c in candidates}  # fmt: skip
    return min(candidates, key=lambda c: (counts[c].resolution, counts[c].params))


def network(backbone: str, **extra: float) -> Deployable:
    torch.manual_seed(0)
    architecture = keywords(example(backbone).architecture)
    body = load(BACKBONES, backbone).build(classes=CLASSES, channels=CHANNELS, **architecture, **extra)
    return Deployable(body, mean=[0.5] * CHANNELS, std=[0.5] * CHANNELS, resolution=int(architecture["resolution"]))


@cache
def unchanged(backbone: str) -> Deployable:
    """A network for tests that only look at it."""
    return network(backbone).eval()


def images(built: Deployable, count: int = 4) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(count, CHANNELS, built.resolution, built.resolution, generator=generator)


def contract_of(backbone: str) -> type:
    """Of the one kind of features that a backbone has; what all have in common where it depends on the model."""
    features = load(BACKBONES, backbone).FEATURES
    contracts = {("map",): MapBackbone, ("tokens",): TokenBackbone, ("tokens", "sequence"): SequenceBackbone}
    return contracts.get(features, Backbone)


@pytest.mark.parametrize(
    ("backbone", "member"), [(name, member) for name in NAMES for member in members(contract_of(name))]
)
def test_a_network_has_every_member_of_its_contract(backbone: str, member: str) -> None:
    body = unchanged(backbone).network
    assert hasattr(body, member), f"{backbone}.build returns a {type(body).__name__} without '{member}'"


@pytest.mark.parametrize("backbone", NAMES)
def test_a_network_says_its_own_sizes(backbone: str) -> None:
    built = unchanged(backbone)
    features = built.features(images(built))
    assert built.scored == CLASSES
    assert built.network.num_features in features.shape[1:]
    sizes = {"input_size": (CHANNELS, built.resolution, built.resolution), "num_classes": CLASSES}
    assert sizes.items() <= built.network.default_cfg.items()
    assert set(built.network.default_cfg) - set(sizes) <= {"architecture", "tag"}, "what weights.loading reads"


@pytest.mark.parametrize("backbone", NAMES)
def test_the_classifier_maps_pooled_features_to_scores(backbone: str) -> None:
    assert set(load(BACKBONES, backbone).FEATURES) <= {"map", "tokens", "sequence"}
    assert load(BACKBONES, backbone).TRACED in (False, True)
    built = network(backbone).eval()
    image = images(built)
    with torch.no_grad():
        scores, pooled = built.scores_and_pooled(image)
        assert pooled.shape == (4, built.width)
        assert torch.equal(scores, built(image))
        assert torch.allclose(built.classifier(pooled), scores, atol=1e-5)
        built.network.reset_classifier(3)  # type: ignore[operator]
        assert built(image).shape == (4, 3)
        assert torch.equal(built.pooled(image), pooled)


@pytest.mark.parametrize("backbone", NAMES)
def test_every_parameter_has_a_gradient(backbone: str) -> None:
    built = network(backbone).train()
    functional.cross_entropy(built(images(built)), torch.arange(4)).backward()
    for name, parameter in built.named_parameters():
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
def test_layers_are_in_order_for_layer_wise_decay(backbone: str) -> None:
    built = network(backbone)
    rates = layer_rates(built, 0.5)
    assert set(rates) == {name for name, _ in built.named_parameters()}
    first, *_, last = rates.values()
    assert first == min(rates.values()) < last == 1.0


@pytest.mark.parametrize("backbone", NAMES)
def test_timm_builds_it_from_an_exported_configuration(backbone: str) -> None:
    built = network(backbone)
    preprocessing = built.preprocessing(Decoding(side=40, channels=CHANNELS))
    config = timm_config(preprocessing, built.network, example(backbone), [str(number) for number in range(CLASSES)])
    again = timm.create_model(trainables.final.timm_folder.nars.__name__, **config["model_args"]).eval()
    again.load_state_dict(built.network.state_dict())
    with torch.no_grad():
        image = built.prepared(images(built))
        assert torch.equal(again(image), built.network.eval()(image))
    parts = dict(again.named_modules())
    assert parts[config["pretrained_cfg"]["classifier"]] is again.get_classifier()
    assert config["pretrained_cfg"]["first_conv"] in parts


@pytest.mark.parametrize("backbone", NAMES)
def test_masked_pretraining_trains_it(backbone: str) -> None:
    """Masked tokens where its features are tokens, masked convolution where they are maps."""
    built = network(backbone).train()
    masking = spark if "map" in load(BACKBONES, backbone).FEATURES else simmim
    objective = masking.objective(built)
    batch = Batch(image_BCHW=images(built), target_BK=torch.zeros(4, CLASSES))
    loss = objective(batch, torch.Generator().manual_seed(0))
    loss.backward()
    assert torch.isfinite(loss)
    idle = [name for name, part in objective.named_parameters() if part.requires_grad != (part.grad is not None)]
    assert idle == []
    assert sum(part.grad is not None for part in built.parameters()) > 4


@pytest.mark.nightly
@pytest.mark.parametrize("backbone", NAMES)
def test_its_exports_give_its_scores(backbone: str, tmp_path: Path) -> None:
    built = unchanged(backbone)
    preprocessing = built.preprocessing(Decoding(side=built.resolution, channels=CHANNELS))
    spec = InputSpec(preprocessing=preprocessing, classes=tuple(map(str, range(CLASSES))))
    write_graphs(built, spec, tmp_path)
    compare(built, spec, tmp_path)  # raises where the scores of a file differ
