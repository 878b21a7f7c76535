"""List what is wrong with a run, mend it, and write again what was set aside."""

from pathlib import Path

from search.console.lines import tell
from search.errors import UsageError
from search.experiment.running import carry_out, show_finished
from search.family.members import is_complete
from search.files import alone
from search.identity.document import FILE
from search.identity.saved import saved
from search.record.storage import JOURNAL
from search.repair.findings import Finding, examine

ROUNDS = 8
"""Times that a folder is looked at: what was mended shows what lay below it."""


def repair(folder: Path, *, look: bool, verbose: bool) -> None:
    """Say what is wrong, and mend it unless it is only looked at.

    Raises:
        UsageError: the folder holds no run, another process works on it, or something cannot be mended.
    """
    if not any((folder / name).exists() for name in ("config.yaml", FILE, JOURNAL)):
        raise UsageError(f"'{folder}' holds no run; name the folder of one, such as runs/digits")
    if look:
        findings = examine(folder)
        _tell(findings)
        _refuse_rest(findings)
        return
    with alone(folder):
        resumes = _mend(folder)
    if resumes:
        tell("what was set aside is written again; what is recorded is not trained again")
        config = saved(folder)
        if is_complete(config.folder / "family"):
            show_finished(config)
        else:
            carry_out(config, verbose=verbose)


def _mend(folder: Path) -> bool:
    """Whether a resume has to write something again."""
    resumes = False
    for _ in range(ROUNDS):
        findings = examine(folder)
        _tell(findings)
        mendable = [one for one in findings if one.mend is not None]
        if not mendable:
            break
        for one in mendable:
            assert one.mend is not None
            tell(f"mended: {one.mend()}")
        resumes = resumes or any(one.resumes for one in mendable)
    _refuse_rest(findings)
    return resumes


def _tell(findings: list[Finding]) -> None:
    if not findings:
        tell("nothing is wrong")
    for one in findings:
        tell(f"wrong: {one.what}")


def _refuse_rest(findings: list[Finding]) -> None:
    rest = [one for one in findings if one.mend is None]
    if rest:
        raise UsageError(f"{len(rest)} of these cannot be mended; put what is named back from a copy of the run")
