"""The profiles of the models in use: looked up, or found out once by a probe and then kept in the database."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Mapping
from urllib.parse import urlsplit

from config import Capabilities, LLMSettings
from llm.calls.responder import Responder
from llm.errors import LLMError, ProviderRefused
from llm.lineup import ServedModel
from llm.probe import QUESTIONS, Question
from llm.profiles import PROBED, ModelProfile, guessed, known, profile_of, tried
from llm.providers.provider import Endpoint
from llm.request import CallContext
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
        for question in QUESTIONS:
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

    def _manages(self, model: ServedModel, question: Question) -> bool:
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
