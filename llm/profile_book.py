"""The profiles of the models in use: looked up, or found out once by a probe and then kept in the database.

The probe is four small questions whose answers code can check. A question costs a few hundred tokens in and at most 96
out. No code in an answer is run.
"""

from __future__ import annotations

import ast
import hashlib
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, ValidationError

from config import Capabilities, LLMSettings
from llm.calls.responder import Responder
from llm.errors import LLMError, ProviderRefused
from llm.lineup import ServedModel
from llm.profiles import PROBED, ModelProfile, guessed, known, profile_of, tried
from llm.providers.provider import Endpoint
from llm.request import Answer, CallContext, OutputSchema, Request, Tool, Turn
from memory import MemoryStore, ModelProbe
from monitoring import get_logger

log = get_logger(__name__)

PROBE_AGENT = "probe"
"""The ledger has the questions under this name."""
_NOT_ABLE = (400, 404, 422, 501)
"""How servers refuse tools or schemas that they or the model do not support."""
_PAUSE = 600.0
"""Seconds until a model whose provider failed is tried out again."""


class ProfileBook:
    """Profiles by model. Thread-safe."""

    def __init__(
        self, settings: LLMSettings, store: MemoryStore, responder: Responder, endpoints: Mapping[str, Endpoint]
    ) -> None:
        self._settings = settings
        self._store = store
        self._responder = responder
        self._endpoints = endpoints
        self._lock = threading.Lock()
        self._trying: dict[ServedModel, threading.Lock] = {}
        self._found: dict[ServedModel, ModelProbe] = {}
        self._not_before: dict[ServedModel, float] = {}

    def profile(self, model: ServedModel, *, of_owner: bool, ask: bool = True) -> ModelProfile:
        """What `model` can do. An unknown one is tried out, at most once, unless `ask` is False.

        `of_owner`: `llm.profile` and `llm.capabilities` apply to it. When the provider fails, a cautious guess is used
        until the model is tried out again.
        """
        kind = self._settings.profile if of_owner else "auto"
        stated = self._settings.capabilities if of_owner else Capabilities()
        if (found := known(model)) is not None:
            return profile_of(model, found, "known", kind, stated)
        decided = kind != "auto" or all(getattr(stated, ability) is not None for ability in PROBED)
        probe = None if decided else self._probed(model, ask=ask)
        if probe is None:
            return profile_of(model, guessed(), "guessed", kind, stated)
        return profile_of(model, tried(model, probe), "probed", kind, stated)

    def _probed(self, model: ServedModel, *, ask: bool) -> ModelProbe | None:
        with self._lock:
            trying = self._trying.setdefault(model, threading.Lock())
        if not ask:
            return self._remembered(model)
        with trying:
            found = self._remembered(model)
            if found is None and time.monotonic() >= self._not_before.get(model, 0.0):
                found = self._try_out(model)
            return found

    def _remembered(self, model: ServedModel) -> ModelProbe | None:
        if model not in self._found:
            found = self._store.ledger.find_probe(model.provider, self._address(model), model.name)
            if found is None:
                return None
            self._found[model] = found
        return self._found[model]

    def _try_out(self, model: ServedModel) -> ModelProbe | None:
        log.info("trying out an unknown model", provider=model.provider, model=model.name)
        able: dict[str, bool] = {}
        for question in _QUESTIONS:
            try:
                able[question.ability] = self._manages(model, question)
            except LLMError as problem:
                self._not_before[model] = time.monotonic() + _PAUSE
                log.warning("the model could not be tried out; few abilities are assumed for now", model=model.name,
                            problem=str(problem), again_in=_PAUSE)  # fmt: skip
                return None
        probe = ModelProbe(
            provider=model.provider,
            address=self._address(model),
            model=model.name,
            tools=able["tools"],
            structured=able["structured"],
            edit_blocks=able["edit_blocks"],
            repairs=able["repairs"],
        )
        self._store.ledger.record_probe(probe)
        self._found[model] = probe
        log.info("tried out a model", provider=model.provider, model=model.name, **able)
        return probe

    def _manages(self, model: ServedModel, question: _Question) -> bool:
        # An answer that was paid for before a crash is found in the ledger under this name.
        workflow = f"probe.{model}.{self._address(model)}"
        context = CallContext(task_id=None, agent=PROBE_AGENT, workflow_id=workflow, step=question.ability)
        try:
            return question.passes(self._responder.answer(question.request(model), context, trial=True))
        except ProviderRefused as refusal:
            if (question.tools or question.schema) and refusal.status in _NOT_ABLE:
                return False
            raise

    def _address(self, model: ServedModel) -> str:
        """Tells servers apart by the port and path of their base URL; the host may change."""
        endpoint = self._endpoints.get(model.provider)
        if endpoint is None or not endpoint.base_url:
            return ""
        place = urlsplit(endpoint.base_url)
        return hashlib.sha256(f"{place.port or place.scheme}{place.path.rstrip('/')}".encode()).hexdigest()[:16]


_MOST_TOKENS = 96
_LONGEST_EXPRESSION = 200
"""Characters; the right answer has 16."""

_SYSTEM = "You are a precise programmer. Answer with exactly what is asked for, and with nothing else."


class _Lines(BaseModel):
    """Arguments of the tool."""

    model_config = ConfigDict(extra="forbid", strict=True)

    path: str
    first_line: int
    last_line: int


class _Release(BaseModel):
    """The structured answer that is asked for."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: str
    year: int
    stable: bool
    authors: list[str]


_READ = Tool("read_lines", "Gives some lines of a file.", _Lines.model_json_schema())
_WANTED_LINES = _Lines(path="src/app/main.py", first_line=10, last_line=25)
_WANTED_RELEASE = _Release(name="Heron", year=2019, stable=False, authors=["Ada", "Grace"])

_FILE = """\
TIMEOUT = 30


def wait(seconds=TIMEOUT):
    return min(seconds, 60)
"""
_WANTED_FILE = _FILE.replace("60", "90")
_BLOCK = re.compile(r"^<{5,9} ?SEARCH\n(.*?)^={5,9}\n(.*?)^>{5,9} ?REPLACE", re.DOTALL | re.MULTILINE)

_WRONG = "def days(first, last):\n    return last - first"
_DAYS = [(3, 5, 3), (10, 10, 1), (1, 31, 31)]
"""First day, last day, how many both included."""


@dataclass(frozen=True)
class _Question:
    """A question, and whether an answer shows the ability."""

    ability: str
    turns: tuple[Turn, ...]
    passes: Callable[[Answer], bool]
    tools: tuple[Tool, ...] = ()
    schema: OutputSchema | None = None

    def request(self, model: ServedModel) -> Request:
        """The question as it is put to `model`."""
        return Request(
            model.provider, model.name, _SYSTEM, self.turns, temperature=0.0, max_tokens=_MOST_TOKENS,
            schema=self.schema, tools=self.tools,
        )  # fmt: skip


def _calls_the_tool(answer: Answer) -> bool:
    if len(answer.calls) != 1 or answer.calls[0].name != _READ.name:
        return False
    return _fits(answer.calls[0].arguments, _WANTED_LINES)


def _fits(text: str, wanted: BaseModel) -> bool:
    try:
        return type(wanted).model_validate_json(text) == wanted
    except ValidationError:
        return False


def _edits_the_file(answer: Answer) -> bool:
    blocks = _BLOCK.findall(answer.text)
    if len(blocks) != 1:
        return False
    search, replacement = blocks[0]
    whole_lines = f"\n{_FILE}".count(f"\n{search}") == 1
    return bool(search) and whole_lines and _FILE.replace(search, replacement) == _WANTED_FILE


def _mends_the_line(answer: Answer) -> bool:
    returned = re.findall(r"^\s*return (.*)$", answer.text, re.MULTILINE)
    try:
        return bool(returned) and all(
            _value(returned[-1], {"first": first, "last": last}) == days for first, last, days in _DAYS
        )
    except (ValueError, SyntaxError, RecursionError):
        return False


def _value(expression: str, names: dict[str, int]) -> int:
    """The value of a sum or difference of names and numbers. Raises ValueError for anything else."""
    if len(expression) > _LONGEST_EXPRESSION:
        raise ValueError("longer than any right answer")
    return _evaluated(ast.parse(expression.strip(), mode="eval").body, names)


def _evaluated(node: ast.expr, names: dict[str, int]) -> int:
    match node:
        case ast.Constant(value=int(number)):
            return number
        case ast.Name(id=name) if name in names:
            return names[name]
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _evaluated(left, names) + _evaluated(right, names)
        case ast.BinOp(left=left, op=ast.Sub(), right=right):
            return _evaluated(left, names) - _evaluated(right, names)
        case _:
            raise ValueError(f"{ast.dump(node)} is no sum")


_QUESTIONS = (
    _Question(
        "tools",
        (Turn("user", "Read lines 10 to 25 of src/app/main.py, both included, by one call of the tool."),),
        _calls_the_tool,
        tools=(_READ,),
    ),
    _Question(
        "structured",
        (
            Turn(
                "user",
                "Answer in JSON: which release is this? Heron came out in 2019, written by Ada and Grace. It was "
                "a beta and never became stable.",
            ),
        ),
        lambda answer: _fits(answer.json_text(), _WANTED_RELEASE),
        schema=OutputSchema("release", _Release.model_json_schema()),
    ),
    _Question(
        "edit_blocks",
        (
            Turn(
                "user",
                f"This is wait.py:\n```python\n{_FILE}```\nLet `wait` allow up to 90 seconds. Answer with one block of "
                "this form, which holds only the lines that change:\n<<<<<<< SEARCH\nlines exactly as they stand in "
                "the file now\n=======\nthe new lines\n>>>>>>> REPLACE",
            ),
        ),
        _edits_the_file,
    ),
    _Question(
        "repairs",
        (
            Turn("user", "Write `days(first, last)` in Python: how many days a stay from day `first` to `last` has."),
            Turn("assistant", f"```python\n{_WRONG}\n```"),
            Turn(
                "user",
                "It fails:\n>   assert days(3, 5) == 3\nE   assert 2 == 3\nOnly the line with `return` is wrong. "
                "Answer with that line, corrected.",
            ),
        ),
        _mends_the_line,
    ),
)
