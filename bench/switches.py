"""Single parts of the coding engine switched off, to see what each adds; and other samples drawn from the model.

    python -m bench.coding SET --without agreement          in a run of the flow
    python -m bench.coding SET --seed 1000                  what depends on the samples
    python -m bench.recorded HOME SET                       each repair, on the answers of a run that is over
    python -m bench.switches 1000 agreement -- --config FILE run   a daemon (what these two start)

Nobody but the bench switches anything off here: the parts are replaced in this process, the product knows no switches.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from llm import LLMClient


@dataclass(frozen=True)
class Switch:
    """A part of the engine: where it stands (`module:name`), and what stands there when it is off."""

    kind: Literal["strategy", "filter", "repair", "finish"]
    """Repairs are done to an answer before it is tried, a finish to what passed."""
    what: str
    place: str
    off: Any


def _first(code: str, *_: object, **__: object) -> str:
    return code


def _always(value: object) -> Callable[..., Any]:
    return lambda *_, **__: value


SWITCHES: dict[str, Switch] = {
    "recombining": Switch("strategy", "a search among small changes of near misses",
                          "orchestrator.coding.plan:near", _always(False)),
    "resuming": Switch("strategy", "every second warm answer begins as the nearest one so far",
                       "orchestrator.small_models.sampling:_resumed", _always(None)),
    "views": Switch("strategy", "five ways to show a task, instead of its words and the file alone",
                    "orchestrator.small_models.sampling:_views",
                    lambda _: importlib.import_module("orchestrator.small_models.sampling")._VIEWS[:1]),
    "agreement": Switch("filter", "a small model's answer lands when a second one means the same",
                        "orchestrator.small_models.agreement:is_wanted", _always(False)),
    "confirming": Switch("strategy", "one answer that passed is confirmed by what is found among near misses",
                         "orchestrator.small_models.agreement:is_alone", _always(False)),
    "certainty": Switch("filter", "recombined code is an answer when all ways mean the same and tests run all of it",
                        "orchestrator.small_models.search_program:Recombination.certain", _always(True)),
    "remembering": Switch("filter", "where a search found several ways, later ones settle nothing by themselves",
                          "orchestrator.small_models.recombining:_is_certain",
                          lambda found, state: found.certain()),
    "assertions": Switch("filter", "assertions of QA beside the stated examples",
                         "orchestrator.coding.tests_first:_propose", _always([])),
    "laws": Switch("filter", "tests of the laws that a task states",
                   "orchestrator.coding.tests_first:law_cases", _always([])),
    "strengthening": Switch("filter", "further cases where mutants of the accepted code go unnoticed",
                            "orchestrator.coding.suite_strength:_strengthened", lambda ctx, state, found: found),
    "hiding": Switch("filter", "a third of the tests kept from the developer",
                     "orchestrator.coding.hidden_tests:hidden_of", _always([])),
    "missing imports": Switch("repair", "imports of the standard library that the answer forgot",
                              "file_system.edits.definitions.merge:missing_imports", _always([])),
    "renaming": Switch("repair", "the one new function under the wanted name",
                       "orchestrator.small_models.wanted_code:with_wanted_name", _first),
    "cutting down": Switch("repair", "neighbours that the answer writes anew, and unused imports, left out",
                           "orchestrator.small_models.wanted_code:only_wanted", _first),
    "mending syntax": Switch("repair", "sessions, quotes, tabs, indentation and open ends put right",
                             "file_system.edits.definitions.merge:repaired", _first),
    "exporting": Switch("repair", "a new name handed out by its package where the tests import it from there",
                        "orchestrator.workbench.apply:ensure_export", _first),
    "formatting": Switch("finish", "the project's own formatter, over the files that it formatted before",
                         "orchestrator.workbench.workbench:as_project_formats", _always({})),
}  # fmt: skip


@contextmanager
def switched_off(names: Sequence[str]) -> Iterator[None]:
    """These parts do nothing in this process. Raises KeyError for a name there is not."""
    before = []
    try:
        for name in names:
            owner, attribute = _owner(SWITCHES[name].place)
            before.append((owner, attribute, owner.__dict__[attribute]))
            setattr(owner, attribute, SWITCHES[name].off)
        yield
    finally:
        for owner, attribute, value in reversed(before):
            setattr(owner, attribute, value)


@contextmanager
def other_samples(seed: int) -> Iterator[None]:
    """Every sample is drawn with its own seed and this one more, in this process. Greedy answers stay the same."""
    before = LLMClient.generate

    def generate(self: LLMClient, prompt: str, **asked: Any) -> str:
        if asked.get("seed") is not None:
            asked["seed"] += seed
        return before(self, prompt, **asked)

    LLMClient.generate = generate  # type: ignore[method-assign]
    try:
        yield
    finally:
        LLMClient.generate = before  # type: ignore[method-assign]


def _owner(place: str) -> tuple[Any, str]:
    module, _, path = place.partition(":")
    *outer, attribute = path.split(".")
    owner: Any = importlib.import_module(module)
    for name in outer:
        owner = getattr(owner, name)
    return owner, attribute


def main() -> None:
    """Run the command line with other samples and parts switched off: a seed, names, `--`, then its own arguments."""
    place = sys.argv.index("--")
    (seed, *names), sys.argv[1:] = sys.argv[1:place], sys.argv[place + 1 :]
    from cli import app

    with other_samples(int(seed)), switched_off(names):
        app()


if __name__ == "__main__":
    main()
