"""A linear classifier on frozen features, fitted to its optimum: regularised logistic regression."""

import warnings

import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

PAPER = "https://arxiv.org/abs/1610.01644"


def classifier(*, strength: float = 1.0, steps: int = 2_000) -> Pipeline:
    """Logistic regression on standardised features, to be fitted; arguments as in ``classify``."""
    return make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=steps))


def classify(
    known_NF: Tensor, class_N: Tensor, query_MF: Tensor, *, classes: int, strength: float = 1.0, steps: int = 1000
) -> Tensor:
    """The class of the largest score of a linear map that minimises |W|^2 / 2 + ``strength`` sum of cross-entropies.

    Features are standardised over the labelled ones first.

    Args:
        known_NF, class_N: labelled features.
        query_MF: features to classify.
        classes: number of classes.
        strength: scikit-learn's C, > 0: weight of the data against the penalty.
        steps: of the solver at most; scikit-learn warns where they are too few.
    """
    del classes  # scikit-learn reads them off the labels
    probe = classifier(strength=strength, steps=steps)
    with warnings.catch_warnings():  # one image a class is what few shots are
        warnings.filterwarnings("ignore", message="The number of unique classes is greater than 50%")
        probe.fit(known_NF.double().numpy(), class_N.numpy())
    return torch.from_numpy(probe.predict(query_MF.double().numpy()))
