"""The peers' side of a replay: ask and tell as JSON lines on stdin and stdout. Standard library only.

An adapter is one script, run by the Python of the peer's own environment. It defines a class and calls ``serve``:

    {"start": {"dimensions": [{"size": 6, "ordinal": true}, ...], "seed": 0, "trials": 100, "budgets": [0.2, ...],
               "seconds": 600}}
    {"ask": true}                                   -> {"codes": [3, 0, ...]}
    {"tell": {"codes": [...], "score": 0.9, "cost": 0.4, "asked": true}}
    {"refuse": {"codes": [...], "cost": 1.3, "known": false}}
                                                    outside the limit or already known: not trained, not charged

Scores are to be maximised; costs and budgets are logarithms; ``budgets`` is empty where nothing is limited. The process
ends after ``seconds`` of processor time.
"""

import json
import resource
import sys
from typing import Any, Protocol, TextIO


class Peer(Protocol):
    """What an adapter implements; constructed with the fields of ``start``, but for ``seconds``, as keywords."""

    def ask(self) -> list[int]:
        """The next candidate, as the level of each dimension."""

    def tell(self, codes: list[int], score: float, cost: float, asked: bool) -> None:
        """A trained candidate; ``asked`` is false where it was put in place of the last proposal."""

    def refuse(self, codes: list[int], cost: float, known: bool) -> None:
        """The last proposal is not trained: its score is ``known``, else it is outside the limits."""


def serve(make: Any) -> None:
    """Answer until stdin ends. What libraries print goes to stderr."""
    answers: TextIO = sys.stdout
    sys.stdout = sys.stderr
    peer: Any = None
    for line in sys.stdin:
        ((word, fields),) = json.loads(line).items()
        answer: dict[str, Any] = {}
        if word == "start":
            seconds = fields.pop("seconds")
            resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
            peer = make(**fields)
        elif word == "ask":
            answer = {"codes": [int(code) for code in peer.ask()]}
        else:
            getattr(peer, word)(**fields)
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
