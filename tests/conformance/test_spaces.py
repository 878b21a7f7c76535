"""What every space on disk must do. New files are picked up by themselves."""

import json
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from spaces.candidate import Candidate, keywords
from spaces.components import BACKBONES, SPACES, load, names
from spaces.encoding import encode, layout
from spaces.reference import Reference
from spaces.sampling import sobol, uniform
from spaces.space import Codes, Space
from spaces.translation import addressed, translate
from spaces.variation import breed, mutate, neighbours
from tests.nights import by_night
from tests.places import ROOT
from trainables.adapt._shape import shape
from trainables.counting.statistics import count, free_statistics
from trainables.counting.tracing import trace

NAMES = names(SPACES)
# Counts of these are traced and cached, not computed by formula; few different architectures keep the suite quick.
TRACED: dict[str, tuple[str, int]] = {
    "timm_models": ("mobilenetv3_small_100", 160),
    "finetune": ("mobilenetv3_small_100", 160),
    "finetune_whole": ("mobilenetv3_small_100", 160),
    "finetune_small": ("tf_efficientnet_lite0", 64),
    "captions_pretrained": ("tf_efficientnet_lite0", 64),
}


@pytest.fixture(scope="session", autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NARS_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(params=NAMES)
def space(request: pytest.FixtureRequest) -> Space:
    built: Space = load(SPACES, request.param).space()
    return built


OF_OTHERS = {
    "every_recipe",
    "every_objective",
    "as_published",
    "everything_small",
    "self_supervised",
    "self_supervised_groups",
    "taught",
    "pretrained_families",
    "fbnetv3_augmented",
    "masked_tokens",
    "captions",
    "described",
    "captions_of_all_kinds",
    "guided",
    "noisy_labels",
    "reshaped_labels",
    "further",
    "all_families",
}
"""Spaces whose architectures are those of other spaces."""


def _quickly_counted(space: Space) -> Space:
    """The space, or one model of a space of traced ones; of the deepest networks some, on small images."""
    if space.name == "resnet_rs_augmented":  # but for its depths its architectures are those of resnet_rs
        return space.restrict(
            {"architecture.resolution": (128,), "architecture.depth.1": (3, 29), "architecture.depth.2": (4,)}
        )
    if space.name in ("imagenet", "imagenet_pretraining"):  # but for necks they have those of fbnetv3 and others
        others = [
            a for a in space.addresses if a.startswith("architecture.") and not a.endswith((".backbone", ".neck"))
        ]
        return space.restrict({address: space.dimension(address).values[:1] for address in others})
    if space.name == "fbnetv3":  # its sides enter one formula, and the larger ones take longest
        return space.restrict({"architecture.resolution": (224, 232)})
    if space.name == "regnet":
        return space.restrict({"architecture.resolution": (160,), "architecture.depth": (13, 15)})
    if space.name == "moat":
        narrow = {
            f"architecture.width.{stage}": tuple(width * 2**stage for width in (32, 40, 64)) for stage in range(4)
        }
        return space.restrict({**narrow, "architecture.stem_width": (32, 64), "architecture.depth.2": (4, 7)})
    if space.name in OF_OTHERS:  # and none is pretrained, which costs the same
        others = [address for address in space.addresses if address.startswith(("architecture.", "pretraining."))]
        return space.restrict({address: space.dimension(address).values[:1] for address in others})
    if space.name in TRACED:
        name, resolution = TRACED[space.name]
        return space.restrict({"architecture.name": (name,), "architecture.resolution": (resolution,)})
    return space


def channels_of(space: Space) -> int:
    """Of images in colour, or of clips of them where networks may see such."""
    return 3 * max(space.dimension("architecture.frames").values if "frames" in space.architecture else (1,))


def test_its_name_is_its_file_and_its_parts_exist(space: Space) -> None:
    assert space.name in NAMES
    backbones = space.architecture["backbone"].values if space.joins_families else (space.backbone,)
    assert set(backbones) <= set(names(BACKBONES))


def test_codes_candidates_and_json_are_one_to_one(space: Space) -> None:
    codes_ND = uniform(space, 200, np.random.default_rng(0))
    candidates = space.decode(codes_ND)
    assert np.array_equal(space.encode(candidates), codes_ND)
    read = [Candidate.from_dict(json.loads(candidate.to_json())) for candidate in candidates]
    assert np.array_equal(space.encode(read), codes_ND)
    distinct = len(np.unique(codes_ND, axis=0))
    assert len({candidate.key for candidate in candidates}) == distinct


def test_samples_are_members_and_move_with_the_seed(space: Space) -> None:
    for draw in (lambda seed: uniform(space, 256, np.random.default_rng(seed)), lambda seed: sobol(space, 100, seed)):
        assert space.contains(draw(1)).all()
        assert np.array_equal(draw(1), draw(1))
        assert not np.array_equal(draw(1), draw(2))


def test_variation_stays_inside_and_changes_something(space: Space) -> None:
    rng = np.random.default_rng(3)
    a_ND = uniform(space, 500, rng)
    for rate in (0.0, 0.2, 1.0):
        mutated_ND = mutate(space, a_ND, rng, rate)
        assert space.contains(mutated_ND).all()
        assert (mutated_ND != a_ND).any(axis=1).all()
    assert space.contains(breed(space, a_ND, 1_000, rng)).all()
    around_MD = neighbours(space, a_ND[0])
    assert space.contains(around_MD).all()
    assert (around_MD != a_ND[0]).any(axis=1).all()


def test_columns_are_unit_and_tell_candidates_apart(space: Space) -> None:
    codes_ND = np.unique(uniform(space, 500, np.random.default_rng(4)), axis=0)
    x_NF = encode(space, codes_ND)
    assert x_NF.shape == (len(codes_ND), layout(space).width)
    assert x_NF.min() >= 0
    assert x_NF.max() <= 1


def test_statistics_are_finite_positive_and_the_same_one_by_one(space: Space) -> None:
    space = _quickly_counted(space)
    codes_ND = uniform(space, 60, np.random.default_rng(5))
    channels = channels_of(space)
    counts = count(space, codes_ND, classes=10, channels=channels)
    for cost_N in counts.costs().values():
        assert cost_N.shape == (60,)
        assert (cost_N > 0).all()
    s_NK, columns = free_statistics(space, codes_ND, counts)
    assert s_NK.shape == (60, len(columns))
    assert np.isfinite(s_NK).all()
    for row in range(0, 60, 20):
        assert count(space, codes_ND[row : row + 1], classes=10, channels=channels)[0] == counts[row]


def covering(space: Space) -> Codes:
    """A few candidates that have every value of every dimension of the architecture among them.

    Drawn ones, each time the one with the most values that none has yet.
    """
    codes_ND = uniform(space, 4096, np.random.default_rng(6))
    columns = [column for address, column in space.index.items() if address.startswith("architecture.")]
    values = [frozenset(enumerate(row)) for row in codes_ND[:, columns].tolist()]
    missing = set[tuple[int, int]]().union(*values)
    assert {pair for pair in missing if pair[1] >= 0} == {
        (at, code) for at, column in enumerate(columns) for code in range(space.sizes_D[column])
    }
    rows: list[int] = []
    while missing:
        rows.append(max(range(len(values)), key=lambda row: len(values[row] & missing)))
        missing -= values[rows[-1]]
    return codes_ND[rows]


def unweighted(candidate: Candidate, channels: int) -> nn.Module:
    """Its network with zeros for weights, on which counts do not depend and which take no time to draw."""
    with torch.device("meta"):
        network: nn.Module = load(BACKBONES, candidate.backbone).build(
            classes=10, channels=channels, **keywords(candidate.architecture)
        )
        shape(network, candidate)
    network.to_empty(device="cpu")
    for weight in (*network.parameters(), *network.buffers()):
        weight.detach().zero_()
    return network.eval()


def check_counts_equal_fvcores(space: Space, codes_ND: Codes) -> None:
    channels = channels_of(space)
    counts = count(space, codes_ND, classes=10, channels=channels)
    for row, candidate in enumerate(space.decode(codes_ND)):
        traced = trace(unweighted(candidate, channels), channels=channels, resolution=counts[row].resolution)
        assert traced == counts[row], candidate


LARGE_AS_ANOTHERS = {
    "captions_pretrained",
    "fbnetv3_augmented",
    "finetune",
    "finetune_whole",
    "imagenet",
    "imagenet_pretraining",
    "resnet_rs_augmented",
}
"""Spaces whose networks are those of ``fbnetv3``, ``finetune_small``, ``resnet_rs``, ``timm_models`` and ``tiny_vit``,
which are traced by day."""


@pytest.mark.parametrize("space", by_night(NAMES, LARGE_AS_ANOTHERS), indirect=True)
def test_statistics_equal_those_of_fvcore_and_torch(space: Space) -> None:
    """Of the one or two candidates that cover the most values; torch counts neither parameters nor activations."""
    one = space.name in (*OF_OTHERS, *SLOWLY_TRACED)
    space = _quickly_counted(space)
    codes_ND = covering(space)[: 1 if one else 2]
    check_counts_equal_fvcores(space, codes_ND)
    channels = channels_of(space)
    counts = count(space, codes_ND, classes=10, channels=channels)
    for row, candidate in enumerate(space.decode(codes_ND)):
        # by matrix products, since torch does not count its fused attention on CPUs
        with FlopCounterMode(display=False) as counter, torch.no_grad(), sdpa_kernel(SDPBackend.MATH):
            unweighted(candidate, channels)(torch.zeros(1, channels, *[counts[row].resolution] * 2))
        assert counter.get_total_flops() == 2 * counts[row].macs  # torch counts multiplication and addition


SLOWLY_TRACED = {
    "cswin",
    "fbnetv3",
    "imagenet_pretraining",
    "moat",
    "regnet",
    "resnet_rs",
    "resnet_rs_augmented",
    "small_families",
    "tiny_vit",
    "uniformer",
    "vit",
}
"""Spaces of which a handful of networks take more than five seconds to trace."""


@pytest.mark.slow
@pytest.mark.parametrize("name", by_night(NAMES, SLOWLY_TRACED))
def test_statistics_equal_fvcores_for_every_value_of_every_dimension(name: str) -> None:
    space = _quickly_counted(load(SPACES, name).space())
    check_counts_equal_fvcores(space, covering(space)[2:])


@pytest.mark.nightly
def test_statistics_equal_fvcores_on_fifty_candidates(space: Space) -> None:
    space = _quickly_counted(space)
    check_counts_equal_fvcores(space, uniform(space, 50, np.random.default_rng(6)))


def references_of(space: Space) -> list[Reference]:
    return list(getattr(load(SPACES, space.name), "references", list)())


def test_its_references_are_candidates_of_it_with_names_of_their_own(space: Space) -> None:
    references = references_of(space)
    assert len({reference.name for reference in references}) == len(references)
    assert len({reference.candidate for reference in references}) == len(references)
    for reference in references:
        values = addressed(space, reference.candidate)
        codes_D = None if values is None else translate(space, values)
        assert codes_D is not None, f"{reference.name} does not fit the space"
        assert space.contains(codes_D[None]).all()


def test_its_references_of_a_family_differ_in_cost(space: Space) -> None:
    families: dict[str, list[Candidate]] = {}
    for reference in references_of(space):
        if space.name not in TRACED or reference.candidate.architecture["name"] == TRACED[space.name][0]:
            families.setdefault(reference.family, []).append(reference.candidate)
    for candidates in families.values():
        some = [candidates[0], candidates[-1]] if space.name in TRACED else candidates
        rows = [translate(space, addressed(space, candidate) or {}) for candidate in some]
        macs_N = count(space, np.array(rows, dtype=np.int16), classes=10, channels=channels_of(space)).macs_N
        assert (macs_N > 0).all()
        assert len(np.unique(macs_N)) > 1


def test_same_seed_gives_the_same_candidates_in_another_process() -> None:
    script = (
        "import numpy as np\n"
        "from spaces.components import SPACES, load, names\n"
        "from spaces.sampling import sobol, uniform\n"
        "for name in names(SPACES):\n"
        "    space = load(SPACES, name).space()\n"
        "    drawn = np.concatenate([uniform(space, 20, np.random.default_rng(7)), sobol(space, 20, 7)])\n"
        "    print(*[candidate.key for candidate in space.decode(drawn)])\n"
    )
    other = subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True, capture_output=True, text=True)
    here = []
    for name in NAMES:
        space = load(SPACES, name).space()
        drawn = np.concatenate([uniform(space, 20, np.random.default_rng(7)), sobol(space, 20, 7)])
        here.append(" ".join(candidate.key for candidate in space.decode(drawn)))
    assert other.stdout.splitlines() == here


def test_spaces_import_neither_torch_nor_scipy() -> None:
    modules = ", ".join(f"spaces.{name}" for name in NAMES)
    script = f"import sys, spaces.sampling, spaces.variation, spaces.encoding, {modules}\n"
    script += "print([name for name in ('torch', 'scipy', 'timm') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
