"""NMTune: its loss by a second writing, what it trains, the form of its network in training, counts and files."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
import torch.nn.functional as F

from search.finals.jobs import teachable
from spaces import reshaped_labels
from spaces.candidate import Candidate
from spaces.sampling import uniform
from tests.conformance.test_spaces import check_counts_equal_fvcores
from tests.trainables.small import batch, few_labels, loss_of, network, pretrained, without_time
from trainables.adapt import nmtune
from trainables.backbones._classifiers import ResidualClassifier, put_residual
from trainables.deploy import Deployable
from trainables.final.soup import start_of
from trainables.final.timm_folder import write_timm_folder
from trainables.plan import Plan
from trainables.teachers.named import load_teacher
from trainables.training.building import build
from trainables.training.checkpoint import Checkpoint
from trainables.training.trial import Task, trained, trial

CANDIDATE = replace(
    pretrained("supervised"), adaptation={"method": "nmtune", "nmtune.ratio": 2.0, "nmtune.consistency": 0.5}
)


def tuned(**knobs: Any) -> tuple[Deployable, torch.nn.Module]:
    body = network("supervised")
    put_residual(body.network, ratio=2.0)
    plan = nmtune.adapt(Plan(epochs=1, images=8, classes=10, network=body), **knobs)
    assert plan.objective is not None
    return body, plan.objective.train()


def changed(body: Deployable) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    classifier = body.classifier
    assert isinstance(classifier, ResidualClassifier)
    with torch.no_grad():
        feature_BF = body.eval().pooled(batch().image_BCHW)
        return feature_BF.numpy(), classifier.train().changed(feature_BF).numpy()


def test_with_all_weights_zero_it_is_an_mlp_probe() -> None:
    body, objective = tuned(consistency=0.0, covariance=0.0, spectrum=0.0)
    _, changed_BF = changed(body)
    classifier = body.classifier
    assert isinstance(classifier, ResidualClassifier)
    expected = F.cross_entropy(classifier.linear(torch.from_numpy(changed_BF)), batch().target_BK)
    assert loss_of(objective, batch()).item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("term", ["consistency", "covariance", "spectrum"])
def test_each_term_is_its_formula(term: str) -> None:
    off = {"consistency": 0.0, "covariance": 0.0, "spectrum": 0.0}
    body, plain = tuned(**off)
    feature_BF, changed_BF = changed(body)
    body, objective = tuned(**{**off, term: 2.0})
    centred_BF = changed_BF - changed_BF.mean(axis=0)
    covariance_FF = centred_BF.T @ centred_BF / (len(centred_BF) - 1)
    value_D = np.linalg.svd(changed_BF.astype(np.float64), compute_uv=False)
    directions = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (changed_BF, feature_BF)]
    expected = {
        "consistency": np.mean((directions[0] - directions[1]) ** 2),
        "covariance": np.sum((covariance_FF - np.diag(np.diag(covariance_FF))) ** 2) / changed_BF.shape[1],
        "spectrum": -np.mean(value_D[:5] / value_D.sum()),
    }[term]
    added = loss_of(objective, batch()).item() - loss_of(plain, batch()).item()
    assert added == pytest.approx(2 * expected, rel=1e-3, abs=1e-6)


def test_two_views_are_seen_and_each_is_near_the_other() -> None:
    _, one = tuned(crop=0.5)
    assert loss_of(one, batch(), 1).item() != loss_of(one, batch(), 2).item()


def test_the_body_stays_what_pretraining_made_it_and_resumes(tmp_path: Path) -> None:
    task, checkpoint = Task(candidate=CANDIDATE, epochs=4, seed=3), Checkpoint(path=tmp_path / "x.pt")
    states = []
    for report in trial(task, few_labels(), checkpoint=checkpoint):
        if report.epoch in (2, 4):
            saved = checkpoint.load()
            assert saved is not None
            states.append(saved["evaluated"])
    body = [name for name in states[0] if not name.startswith("network.classifier")]
    assert all(torch.equal(states[0][name], states[1][name]) for name in body)
    assert "network.classifier.weight" in states[0]  # of the pretraining, whose classifier is a linear one
    assert "network.classifier.linear.weight" in states[1]
    assert isinstance(trained(task, few_labels(), checkpoint).classifier, ResidualClassifier)


def test_pretrained_weights_are_shared_with_other_adaptations(tmp_path: Path) -> None:
    linear = replace(CANDIDATE, adaptation={"method": "linear"})
    tasks = [Task(candidate=one, epochs=2, seed=3) for one in (linear, CANDIDATE)]
    reports = [without_time(list(trial(task, few_labels(), cache=tmp_path))) for task in tasks]
    assert reports[0][0] == reports[1][0]
    assert len(list(tmp_path.glob("*.pt"))) == 1
    starts = {start_of(one, 2, few_labels()) for one in (linear, CANDIDATE)}
    assert len(starts) == 2  # whose weights cannot be mixed
    assert [teachable(one) for one in (linear, CANDIDATE)] == [True, False]


def test_what_timm_and_a_teacher_build_from_the_folder_has_its_form(tmp_path: Path) -> None:
    splits = few_labels()
    with torch.random.fork_rng():
        own = build(CANDIDATE, splits).eval()
    write_timm_folder(own, splits.decoding, CANDIDATE, splits.classes, tmp_path)
    image_BCHW = batch().image_BCHW
    torch.testing.assert_close(load_teacher(f"local-dir:{tmp_path}", splits)(image_BCHW), own(image_BCHW))
    other = timm.create_model(f"local-dir:{tmp_path}", pretrained=True, num_classes=7).eval()
    assert other(torch.rand(2, 1, 8, 8)).shape == (2, 7)


def test_its_hidden_layer_is_counted() -> None:
    space = reshaped_labels.space().restrict(
        {"adaptation.method": ["nmtune"], "pretraining.objective": ["supervised"], "architecture.resolution": [8]}
    )
    codes_ND = uniform(space, 3, np.random.default_rng(0))
    codes_ND[:, space.index["adaptation.nmtune.ratio"]] = (0, 1, 1)
    check_counts_equal_fvcores(space, codes_ND)


def test_a_weight_below_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="consistency, covariance and spectrum are at least 0"):
        tuned(spectrum=-0.1)


def test_forms_that_cannot_be_are_refused() -> None:
    body = network("supervised")
    with pytest.raises(ValueError, match="give a hidden layer no width; raise the ratio"):
        put_residual(body.network, ratio=0.01)
    with pytest.raises(ValueError, match=r"needs a hidden layer of ratio 4\.0 before the network's classifier"):
        nmtune.adapt(Plan(epochs=1, images=8, classes=10, network=body))
    put_residual(body.network, ratio=1.0)
    with pytest.raises(ValueError, match="takes the place of a linear layer; this network ends with Residual"):
        put_residual(body.network, ratio=1.0)


def test_every_candidate_of_the_space_has_a_form_where_it_is_tuned() -> None:
    space = reshaped_labels.space()
    candidates = space.decode(uniform(space, 100, np.random.default_rng(0)))
    methods: dict[str, list[Candidate]] = {}
    for one in candidates:
        methods.setdefault(str(one.adaptation.get("method")), []).append(one)
    assert set(methods) == {"None", "full", "linear", "nmtune"}
    assert all("nmtune.ratio" in one.adaptation for one in methods["nmtune"])
