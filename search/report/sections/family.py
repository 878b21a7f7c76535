"""The exported members: a table of them, and a card of each."""

import pandas as pd

from search.family.comparison import wilson
from search.report.evidence import Evidence
from search.report.section import Card, Section
from search.words import amount, duration, named

ORDER = 10
TITLE = "The family"

TEXT = (
    "The trained models, cheapest first. Search accuracy is on the images that guided the search, test accuracy on "
    "those that it never saw, with Wilson's interval (95 %); the balanced one counts each class alike."
)


def section(evidence: Evidence) -> Section | None:
    """The family's table and its cards."""
    if evidence.family.empty:
        return None
    cards = tuple(_card(evidence, row) for _, row in evidence.family.iterrows())
    return Section(text=TEXT, table=_table(evidence), cards=cards)


def _table(evidence: Evidence) -> pd.DataFrame:
    family = evidence.family
    answers = [evidence.answers.get(str(name)) for name in family["member"]]
    return pd.DataFrame(
        {
            "member": family["member"],
            "macs": family["macs"],
            "parameters": family["params"],
            "latency, ms": family["latency_ms"],
            "search accuracy": family["search_accuracy"],
            "test accuracy": family["test_accuracy"],
            "its interval": [_interval(evidence, share) for share in family["test_accuracy"]],
            "balanced": [float("nan") if one is None else one.balanced for one in answers],
            "spread over seeds": family["test_accuracy_std"],
            "seeds": family["seeds"],
        }
    )


def _interval(evidence: Evidence, share: float) -> str | None:
    if pd.isna(share) or not len(evidence.test):
        return None
    low, high = wilson(share, len(evidence.test))
    return f"{low:.3f} to {high:.3f}"


def _card(evidence: Evidence, row: pd.Series) -> Card:
    name = str(row["member"])
    served = [f"{amount(one.max_macs)}" for one in evidence.budgets if one.member == name]
    facts = {
        "budgets" if len(served) > 1 else "budget": f"{named(served)} macs" if served else "",
        "macs": f"{row['macs']:,}",
        "parameters": f"{row['params']:,}",
        "latency": "" if pd.isna(row["latency_ms"]) else f"{row['latency_ms']:.3g} ms",
        "search-validation": f"{row['search_accuracy']:.1%}",
        **_tested(evidence, name, row),
        "final training": _final(evidence, name),
        "folder": f"{evidence.folder}/{name}",
    }
    compared, candidate = evidence.compared.get(name), evidence.candidates.get(name)
    return Card(
        anchor=name,
        title=name,
        text="" if compared is None else _sentence(compared.sentence),
        facts={term: value for term, value in facts.items() if value},
        details={} if candidate is None else {address: str(value) for address, value in candidate.by_address.items()},
    )


def _tested(evidence: Evidence, name: str, row: pd.Series) -> dict[str, str]:
    if pd.isna(row["test_accuracy"]):
        return {}
    interval, answers = _interval(evidence, row["test_accuracy"]), evidence.answers.get(name)
    return {
        "test": f"{row['test_accuracy']:.1%}",
        "its interval, 95 %": interval or "",
        "balanced": "" if answers is None else f"{answers.balanced:.1%}",
    }


def _final(evidence: Evidence, name: str) -> str:
    spent = evidence.spent.get(name)
    return "" if spent is None else f"{spent.trainings} x {duration(spent.seconds / spent.trainings)}"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
