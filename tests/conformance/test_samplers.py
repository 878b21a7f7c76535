"""One suite for every sampler: the files in search/samplers, and Optuna's own behind the same interface."""

import subprocess
import sys

import numpy as np
import pytest

from search.problem.limits import Limits
from search.problem.problem import Observations, Problem
from search.samplers.by_name import build, names, transferring
from search.samplers.protocol import Proposer
from spaces.components import SAMPLERS, load
from spaces.components import names as component_names
from spaces.mistake import Mistake
from spaces.space import Codes
from tests.places import ROOT
from tests.processes import elsewhere
from tests.search.toy import NOTHING, SPACE, macs, offer, problem, score, some


def sampler(name: str, where: Problem | None = None, seed: int = 0) -> Proposer:
    return build(name, offer(where, seed))


def proposals(name: str) -> list[list[int]]:
    """Two batches, the second with pending candidates."""
    proposer, known = sampler(name, seed=3), some(14)
    first_ND = proposer.propose(known, NOTHING.codes_ND, 3)
    second_ND = proposer.propose(known, first_ND, 2)
    return [*first_ND.tolist(), *second_ND.tolist()]


every_sampler = pytest.mark.parametrize("name", names())


def check_batch(codes_ND: Codes, n: int, seen_ND: Codes, where: Problem) -> None:
    assert codes_ND.shape == (n, 7)
    assert codes_ND.dtype == np.int16
    assert SPACE.contains(codes_ND).all()
    assert where.feasible(codes_ND).all()
    rows = {tuple(row) for row in codes_ND.tolist()}
    assert len(rows) == n
    assert not rows & {tuple(row) for row in seen_ND.tolist()}


def test_ours_and_the_papers_are_found_on_disk() -> None:
    assert set(component_names(SAMPLERS)) >= {"nars", "paper"}


def test_the_names_are_listed_without_optuna() -> None:
    program = "import sys; from search.samplers.by_name import names; names(); sys.exit('optuna' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False).returncode == 0


@pytest.mark.parametrize("name", component_names(SAMPLERS))
def test_a_file_says_whether_it_uses_earlier_searches(name: str) -> None:
    assert isinstance(load(SAMPLERS, name).TRANSFERS, bool)


@every_sampler
def test_earlier_searches_are_used_or_refused(name: str) -> None:
    with_past = offer(earlier=(some(20, seed=5),))
    if name not in transferring():
        with pytest.raises(Mistake, match=f"the sampler '{name}' cannot use earlier searches, given 1"):
            build(name, with_past)
        return
    first_ND = build(name, with_past).propose(NOTHING, NOTHING.codes_ND, 3)
    assert first_ND.tolist() != sampler(name).propose(NOTHING, NOTHING.codes_ND, 3).tolist()


@every_sampler
def test_what_describes_the_search_is_taken(name: str) -> None:
    where, described = problem(), offer(initial=4, batch=3, predictor="constant")
    first_ND = build(name, described).propose(NOTHING, NOTHING.codes_ND, 4)
    check_batch(first_ND, 4, NOTHING.codes_ND, where)
    known = Observations(codes_ND=first_ND, score_N=score(first_ND))
    check_batch(build(name, described).propose(known, NOTHING.codes_ND, 3), 3, first_ND, where)


@every_sampler
@pytest.mark.parametrize("n", [1, 4])
def test_starts_from_nothing(name: str, n: int) -> None:
    where = problem()
    check_batch(sampler(name, where).propose(NOTHING, NOTHING.codes_ND, n), n, NOTHING.codes_ND, where)


@every_sampler
def test_new_and_feasible_beside_known_and_pending(name: str) -> None:
    where, known = problem(), some(16)
    pending_ND = some(19).codes_ND[16:]
    pending_ND = pending_ND[[row not in known.codes_ND.tolist() for row in pending_ND.tolist()]]
    picks_ND = sampler(name, where).propose(known, pending_ND, 5)
    check_batch(picks_ND, 5, np.concatenate([known.codes_ND, pending_ND]), where)


@every_sampler
def test_rare_feasible_region(name: str) -> None:
    where = problem(limit=8.0)
    picks_ND = sampler(name, where, seed=1).propose(NOTHING, NOTHING.codes_ND, 6)
    check_batch(picks_ND, 6, NOTHING.codes_ND, where)


@every_sampler
def test_only_members_of_a_pool(name: str) -> None:
    pool_ND = some(40).codes_ND
    where = problem(pool=pool_ND)
    known = Observations(codes_ND=pool_ND[:12], score_N=score(pool_ND[:12]))
    picks_ND = sampler(name, where).propose(known, pool_ND[12:14], 4)
    check_batch(picks_ND, 4, pool_ND[:14], where)
    assert {tuple(row) for row in picks_ND.tolist()} <= {tuple(row) for row in pool_ND.tolist()}


@every_sampler
def test_exhausted_pool_repeats_instead_of_failing(name: str) -> None:
    pool_ND = some(5).codes_ND
    picks_ND = sampler(name, problem(pool=pool_ND)).propose(
        Observations(codes_ND=pool_ND, score_N=score(pool_ND)), NOTHING.codes_ND, 2
    )
    assert {tuple(row) for row in picks_ND.tolist()} <= {tuple(row) for row in pool_ND.tolist()}
    assert len(picks_ND) == 2


@every_sampler
def test_same_seed_same_proposals_in_another_process(name: str) -> None:
    assert proposals(name) == elsewhere(proposals, name)


@every_sampler
def test_single_objective_without_limits(name: str) -> None:
    free = Problem(
        space=SPACE, costs=macs, statistics=problem().statistics, limits=Limits(), budgets=(Limits(),), pool=None
    )
    known = some(13)
    check_batch(sampler(name, free).propose(known, NOTHING.codes_ND, 2), 2, known.codes_ND, free)
