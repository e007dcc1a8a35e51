"""What `doctor` finds out about the model and about what it may spend."""

from __future__ import annotations

import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator

from cli.doctor_check import Check, existing
from cli.options import caller
from cli.project import Project
from config import BudgetSettings, LLMSettings
from llm import (
    PROVIDERS,
    Lineup,
    LLMError,
    NotConfigured,
    key_variables,
    local_model,
    model_status,
    resolve_provider,
    this_machine,
    unbounded,
    unlimited,
    uses_embedded_model,
)
from llm.providers.openai_compatible import EMBEDDED

_PERIODS = {"task": "a task", "agent_day": "an agent and day", "day": "a day", "month": "a month"}


def check_model(project: Project) -> Check:
    settings = project.settings.llm
    try:
        lineup = Lineup(settings, project.settings.agents)
    except NotConfigured as problem:
        return Check(name="model", state="missing", detail=str(problem), remedy="see the message")
    provider = resolve_provider(settings)
    if uses_embedded_model(settings, project.settings.agents):
        embedded = _embedded(settings)
        if embedded.state != "ok" or provider == EMBEDDED.name:
            return embedded
    if PROVIDERS[provider].own_server:
        return _server(settings.base_url or "", lineup.endpoints[provider].api_key)
    return Check(name="model", state="ok", detail=f"{provider}: a key is set")


def _embedded(settings: LLMSettings) -> Check:
    """The embedded model: a program to run it, its file, and the memory and cores it needs."""
    model, machine = local_model(settings), this_machine()
    try:
        status = model_status(model)
    except LLMError as problem:
        return Check(name="model", state="missing", detail=str(problem), remedy="see the message")
    if not status.server:
        return Check(name="model", state="missing", detail="nothing can run the embedded model",
                     remedy="pip install xllamacpp, put llama-server on the PATH, or set a key")  # fmt: skip
    if not status.ready:
        size = f" ({model.gigabytes:g} GB)" if model.gigabytes else ""
        fetch = f"fetch it{size} with `{caller()} model fetch`"
        what = "correct llm.local_model" if model.own_path else fetch
        free = shutil.disk_usage(existing(status.path)).free
        if (needed := model.gigabytes * 1e9 - status.bytes_present) > free:
            what += f" on a disk with {needed / 1e9:.1f} GB of room (AI_AGENTS_CACHE chooses it)"
        return Check(name="model", state="missing", detail=f"{status.path} is not there",
                     remedy=f"{what}, or set {' or '.join(key_variables())}")  # fmt: skip
    detail = f"embedded {model.name}, {status.path} ({status.server})"
    if lacks := model.lacks(machine):
        has = f"this machine has {machine.memory_gb:.0f} GB and {machine.cores} cores"
        return Check(name="model", state="warning", detail=f"{detail}: it {lacks}, {has}",
                     remedy=f"set llm.local_model to auto, or to a smaller one of `{caller()} model list`")  # fmt: skip
    return Check(name="model", state="ok", detail=detail)


def check_budget(project: Project) -> Check:
    """Calls that cost money should have a limit in money."""
    settings, budget = project.settings.llm, project.settings.budget
    try:
        lineup = Lineup(settings, project.settings.agents)
    except NotConfigured:
        return Check(name="budget", state="ok", detail="no model is configured yet")
    limits = ", ".join(_limits(budget)) or "no limits"
    if problem := unbounded(lineup.all(), settings, budget):
        return Check(name="budget", state="missing", detail=problem, remedy="see the message")
    if problem := unlimited(lineup.all(), settings, budget):
        return Check(name="budget", state="missing", detail=problem,
                     remedy=f"`{caller()} config set budget.day_usd 5`, or budget.no_limit true")  # fmt: skip
    if any(PROVIDERS[name].price_id for name in lineup.endpoints) and not budget.limits_money:
        return Check(name="budget", state="warning", detail=f"calls cost money and no limit in money is set ({limits})",
                     remedy="set budget.day_usd and budget.month_usd in config.yaml")  # fmt: skip
    return Check(name="budget", state="ok", detail=limits)


def _limits(budget: BudgetSettings) -> Iterator[str]:
    """Each limit in words: `$5.00 a day`, `5,000,000 tokens a task`."""
    for name, limit in budget:
        scope, _, unit = name.rpartition("_")
        if limit and scope in _PERIODS:
            yield f"{f'${limit:,.2f}' if unit == 'usd' else f'{limit:,} tokens'} {_PERIODS[scope]}"


def _server(base_url: str, key: str | None) -> Check:
    """Whether a server answers, and takes the key; its list of models is asked for, which costs nothing."""
    if not base_url.startswith(("http://", "https://")):
        return Check(name="model", state="missing", detail=f"llm.base_url is {base_url!r}",
                     remedy="set llm.base_url to the server's address, such as http://127.0.0.1:11434/v1")  # fmt: skip
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    asked = urllib.request.Request(f"{base_url.rstrip('/')}/models", headers=headers)  # noqa: S310  # checked above
    try:
        with urllib.request.urlopen(asked, timeout=5) as answer:  # noqa: S310  # checked above
            return Check(name="model", state="ok", detail=f"{base_url} answers ({answer.status})")
    except urllib.error.HTTPError as answered:
        if answered.code in (401, 403):
            what = "does not accept the key" if key else "wants a key, and none is set"
            return Check(name="model", state="missing", detail=f"{base_url} {what} ({answered.code})",
                         remedy="correct llm.api_key, or the key in the environment or in .env")  # fmt: skip
        return Check(name="model", state="ok", detail=f"{base_url} answers ({answered.code})")
    except OSError as problem:
        return Check(name="model", state="missing", detail=f"{base_url}: {problem}",
                     remedy="start the server, or correct llm.base_url")  # fmt: skip
