"""A member's folder, as timm itself loads it."""

import pytest
import timm
import torch
from timm.data import resolve_model_data_config
from timm.loss import LabelSmoothingCrossEntropy
from timm.optim import create_optimizer_v2

import trainables.final.timm_folder  # noqa: F401  registers the architecture
from search.family.folder import load_network, onnx_runner
from search.family.members import Member
from spaces import components
from spaces.candidate import keywords
from spaces.mistake import Mistake
from spaces.sampling import sobol
from tests.search.products import export, spec_of
from trainables.deploy import Deployable

MEAN, STD, CLASSES = (0.3,), (0.4,), ("a", "b", "c")


@pytest.fixture(scope="module", params=["tiny"])
def exported(request, tmp_path_factory):
    space = components.load(components.SPACES, request.param).space()
    candidate = space.decode(sobol(space, 1, seed=0))[0]
    torch.manual_seed(0)
    module = components.load(components.BACKBONES, candidate.backbone)
    network = module.build(classes=3, channels=1, **keywords(candidate.architecture)).eval()
    member = Member(
        name="member-1", candidate=candidate, macs=1, params=1, activations=1,
        resolution=int(candidate.architecture["resolution"]), search_accuracy=0.5,
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("export") / "m"
    export(folder, member, network, spec_of(8, member.resolution, MEAN, STD, CLASSES))
    return folder, member, network


def test_timm_builds_and_loads_the_same_network(exported):
    folder, member, network = exported
    loaded = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    images = torch.rand(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    wrapped = Deployable(loaded, mean=MEAN, std=STD, resolution=member.resolution).eval()
    with torch.no_grad():
        scores = wrapped(images)
    torch.testing.assert_close(scores, torch.from_numpy(onnx_runner(folder / "model.onnx")(images.numpy())))
    torch.testing.assert_close(load_network(folder)(images), scores)
    assert not torch.equal(scores[0], scores[1])
    assert all(torch.equal(value, network.state_dict()[name]) for name, value in loaded.state_dict().items())


def test_timm_knows_the_preprocessing(exported):
    folder, _, _ = exported
    config = resolve_model_data_config(timm.create_model(f"local-dir:{folder}"))
    assert config["input_size"] == (1, 8, 8)
    assert tuple(config["mean"]) == MEAN
    assert tuple(config["std"]) == STD
    assert (config["interpolation"], config["crop_pct"], config["crop_mode"]) == ("bicubic", 1.0, "center")


def test_fine_tuning_for_other_classes_keeps_the_features(exported):
    folder, member, network = exported
    other = timm.create_model(f"local-dir:{folder}", pretrained=True, num_classes=7, in_chans=3, drop_rate=0.5).train()
    scores = other(torch.rand(2, 3, member.resolution, member.resolution))
    assert scores.shape == (2, 7)
    scores.sum().backward()
    assert all(parameter.grad is not None for parameter in other.parameters())
    assert torch.equal(other.conv_head.weight, network.conv_head.weight)
    assert other.drop_rate == 0.5


def test_a_loop_of_timm_fine_tunes_a_member(exported):
    folder, member, _ = exported
    model = timm.create_model(f"local-dir:{folder}", pretrained=True, num_classes=2).train()
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(16, 1, member.resolution, member.resolution, generator=generator)
    labels = torch.arange(16) % 2
    images[labels == 1] *= 0.3
    optimizer = create_optimizer_v2(model, opt="adamw", lr=3e-3)
    losses = []
    for _ in range(15):
        loss = LabelSmoothingCrossEntropy(0.1)(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]


@pytest.mark.parametrize("name", ["nowhere", "os.path", "../mobile"])
def test_an_unknown_backbone_is_one_sentence(name):
    with pytest.raises(Mistake, match=r"is no backbone of this version of NARS"):
        timm.create_model("nars", backbone=name, architecture={}, num_classes=2, in_chans=1)
