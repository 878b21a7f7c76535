"""What came out of a run in three sentences, which say no more than their intervals bear."""

from collections.abc import Sequence

from search.family.comparison import Comparison
from search.report.answers import Answers, lead
from search.report.evidence import Evidence
from search.words import amount, named, rounded

SAVES = ("fewer macs", "none reaches it")


def sentences(evidence: Evidence) -> tuple[str, ...]:
    """What there is, what searching brought, and what more macs bring; fewer without members."""
    if evidence.family.empty:
        return ("No network has been handed over yet.",)
    return (_family(evidence), _beside_references(evidence), *_more_macs(evidence))


def small_print(evidence: Evidence) -> str:
    """What the intervals rest on."""
    if not evidence.answers:
        return ""
    several = bool((evidence.family["seeds"] > 1).all())
    seeds = "" if several else " Each was trained once: another training of the same network may differ by more."
    return (
        f"Intervals are of 95 %, each for itself, from the {len(evidence.test):,} test images, which the search never "
        f"saw.{seeds}"
    )


def _family(evidence: Evidence) -> str:
    count, macs_M = len(evidence.family), [amount(float(macs)) for macs in evidence.family["macs"]]
    budgets = f" for {len(evidence.budgets)} budgets" if len(evidence.budgets) > 1 else ""
    name_first, name_last = str(evidence.family["member"].iloc[0]), str(evidence.family["member"].iloc[-1])
    first, last = (_right(evidence, name) for name in (name_first, name_last))
    if count == 1:
        return f"One network{budgets}: {macs_M[0]} macs, {first}."
    return f"{count} networks{budgets}: from {macs_M[0]} macs, {first}, to {macs_M[-1]} macs, {last}."


def _right(evidence: Evidence, member: str) -> str:
    """``95.3 % of the test images right (92.6 to 97.1)``."""
    answers = evidence.answers.get(member)
    if answers is None:
        score = float(evidence.family.set_index("member")["search_accuracy"][member])
        return f"{100 * score:.1f} % of the search-validation images right"
    low, high = answers.interval
    return f"{100 * answers.accuracy:.1f} % of the test images right ({100 * low:.1f} to {100 * high:.1f})"


def _beside_references(evidence: Evidence) -> str:
    compared = {name: one for name, one in evidence.compared.items() if one.itself is None}
    if not evidence.compared:
        return "No reference was trained beside them, so what searching brought is not known."
    saving = {name: one for name, one in compared.items() if one.verdict in SAVES}
    worse = [name for name, one in compared.items() if one.verdict == "worse"]
    rest = _behind(worse) + _references_themselves(len(evidence.compared) - len(compared))
    if not saving:
        return (
            "That a network of the family needs fewer macs than hand-written references of its accuracy is not "
            f"shown.{rest}"
        )
    name, one = max(saving.items(), key=lambda item: _least_times(item[1]))
    need = "needs" if len(saving) == 1 else "need"
    return (
        f"{len(saving)} of {len(evidence.compared)} networks {need} fewer macs than hand-written references of the "
        f"same accuracy: {name} {_times(one)}.{rest}"
    )


def _behind(worse: Sequence[str]) -> str:
    if not worse:
        return ""
    return f" {named(worse).capitalize()} {'is' if len(worse) == 1 else 'are'} behind the reference of the same budget."


def _references_themselves(count: int) -> str:
    if not count:
        return ""
    return f" {count} of them {'is a reference itself' if count == 1 else 'are references themselves'}."


def _least_times(one: Comparison) -> float:
    """How many times fewer macs are shown; those that no reference reaches count by the largest."""
    return (one.low_macs or one.largest_macs) / one.macs


def _times(one: Comparison) -> str:
    if one.low_macs is None:
        times = one.largest_macs / one.macs
        return f"is more accurate than every reference, the largest of which has {rounded(times)} times its macs"
    if one.equal_macs is None:
        return f"at least {rounded(one.low_macs / one.macs)} times fewer"
    return f"{rounded(one.equal_macs / one.macs)} times fewer ({one.interval_of_times})"


def _more_macs(evidence: Evidence) -> tuple[str, ...]:
    """Whether the largest is more accurate than the cheapest."""
    names = [str(name) for name in evidence.family["member"]]
    answers: list[Answers] = [evidence.answers[name] for name in names if name in evidence.answers]
    if len(answers) < 2 or len(answers) < len(names):
        return ()
    difference, (low, high) = lead(answers[-1], answers[0])
    times = float(evidence.family["macs"].iloc[-1]) / float(evidence.family["macs"].iloc[0])
    interval = f"{100 * difference:+.1f} points, {100 * low:+.1f} to {100 * high:+.1f}"
    if low > 0:
        return (f"With {times:.3g} times the macs of the cheapest, the largest is more accurate: {interval}.",)
    return (f"That the largest, at {times:.3g} times the macs, beats the cheapest is not shown: {interval}.",)
