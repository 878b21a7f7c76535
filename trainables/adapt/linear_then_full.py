"""LP-FT (Kumar et al. 2022): probe linearly, then fine-tune all weights from there.

A classifier that is still random distorts pretrained features in the first steps of fine-tuning. So does a body that
is then trained at the rate of the probe, or whose batch norms take the statistics of small batches: by default it does
neither (docs/finetuning.md has the figures).
"""

from dataclasses import replace

from trainables.adapt._resting import rest
from trainables.adapt._standardised import Features, standardise
from trainables.adapt._whole import anchored, network_of, with_body_rate, with_head_rate, with_statistics
from trainables.plan import Plan

PAPER = "https://arxiv.org/abs/2202.10054"
OWN_LOSS = False
FORM = None


def adapt(
    plan: Plan,
    *,
    features: Features,
    trained: bool,
    share: float = 0.5,
    head_rate: float = 10.0,
    body_rate: float = 0.1,
    l2_sp: float = 0.0,
    statistics: str = "pretrained",
) -> Plan:
    """Train the classifier alone in the first epochs, all parameters in the others; each has at least one.

    While the classifier is trained alone, batch statistics, dropout and drop path rest, as in ``linear``. A schedule of
    one epoch is all fine-tuning.

    Args:
        plan: with a network.
        features, trained: as in ``linear``; the classifier sees standardised features in all epochs.
        share: of the epochs that train the classifier alone, in (0, 1), rounded to whole ones.
        head_rate: learning rate of the classifier, in all epochs, as a multiple of the recipe's.
        body_rate: learning rate of all else, once it is trained, as a multiple of the recipe's.
        l2_sp, statistics: as in ``full``.

    Raises:
        ValueError: a value out of range.
    """
    if not 0.0 < share < 1.0:
        raise ValueError(f"adaptation.linear_then_full.share is in (0, 1), given {share}")
    network = network_of(plan)
    standardise(network, features, trained=trained)
    network.requires_grad_(True)
    body = [
        parameter
        for name, parameter in network.named_parameters()
        if not name.startswith(f"{network.name_of_classifier}.")
    ]
    alone = min(max(1, round(share * plan.epochs)), plan.epochs - 1)
    first = True

    def before_epoch(epoch: int) -> None:
        nonlocal first
        first = epoch <= alone
        for parameter in body:
            parameter.requires_grad_(not first)

    rest((module for module in network.modules() if module is not network.classifier), lambda: first)
    plan = with_body_rate(with_head_rate(plan, head_rate, "linear_then_full"), body_rate, "linear_then_full")
    plan = with_statistics(anchored(plan, l2_sp, "linear_then_full"), statistics, "linear_then_full")
    return replace(plan, before_epoch=(*plan.before_epoch, before_epoch), thaws=True, probed=alone)
