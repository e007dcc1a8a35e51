"""`init`: a short conversation that ends with a configuration that works. Flags answer for scripts."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, TypeVar

import typer
from dotenv import set_key
from pydantic import ValidationError

from cli.configuration import change
from cli.options import EXIT_FAILED, EXIT_USAGE, Choice, absolute, caller, choice_of, chosen, err, fail, out
from cli.project import load
from config import Autonomy, Settings, config_file, plain_key, with_values
from llm import PROVIDERS, CallContext, Lineup, LLMClient, LLMError, NotConfigured, provider_names, unbounded, unlimited
from llm.providers.openai_compatible import EMBEDDED, OPENAI_COMPATIBLE
from memory import MemoryStore
from monitoring import register_secret, silenced

_DAY_USD = 5.0
_SECONDS = 60.0
Answered = TypeVar("Answered")
_AUTONOMY: dict[str, str] = {
    "full": "verified work lands by itself, on agents/integration",
    "approve_landing": "verified work waits for your approval",
    "approve_plan": "what the team thinks of by itself waits for your approval, the rest lands",
    "suggest": "nothing lands by itself, and nobody presses you",
}


def init(
    ctx: typer.Context,
    provider: Annotated[
        str | None, typer.Option("--provider", help="auto, openai, anthropic, openai_compatible or local (embedded).")
    ] = None,
    model: Annotated[str | None, typer.Option("--model", help="The model's name, as its provider writes it.")] = None,
    base_url: Annotated[
        str | None, typer.Option("--base-url", help="Address of a server of your own, such as http://host:11434/v1.")
    ] = None,
    day_usd: Annotated[
        float | None, typer.Option("--day-usd", min=0, help="US dollars it may spend a day; 0: no limit.")
    ] = None,
    autonomy: Annotated[
        Autonomy | None,
        typer.Option("--autonomy", help="What the team may do without asking you; `orchestrator.autonomy` later."),
    ] = None,
    trial: Annotated[bool, typer.Option("--try/--no-try", help="Try the model with one small call.")] = True,
    service: Annotated[
        bool | None, typer.Option("--service/--no-service", help="Install it as a service of systemd; as root for all.")
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Ask nothing; what no option says keeps its default.")
    ] = False,
) -> None:
    """Set up: which repository, which model, what it may spend. Writes config.yaml, then checks that all is there.

    Keys are taken from the environment or asked for, and are kept in `.env` beside config.yaml, for you alone.
    """
    choice = choice_of(ctx)
    file = (choice.config or config_file()).absolute()
    settings = load(Choice(choice.config)).settings if file.is_file() else Settings()
    talk = Talk(not yes and sys.stdin.isatty())
    values: dict[str, Any] = {"git.repository_url": _repository(talk, choice, settings)}
    values |= _model(talk, file.parent / ".env", settings, provider, model, base_url)
    planned = _with(settings, values)
    values |= _budget(talk, planned, day_usd)
    stated = settings.orchestrator.autonomy
    if autonomy is None and talk.possible and isinstance(stated, str):
        usual = stated if settings.git.auto_commit else "approve_landing"
        autonomy = talk.choose("What may the team do without asking you?", _AUTONOMY, usual)
    if autonomy:
        values |= {"orchestrator.autonomy": autonomy, "git.auto_commit": True}
    if trial:
        _try(_with(settings, values))
    change(choice, values)
    from cli.doctor import doctor

    err.print()
    ctx.obj = chosen(Choice(choice.config), None)  # the repository stands in the file now
    missing = None
    try:
        doctor(ctx)
    except typer.Exit as ended:  # what is missing is on the screen, with its remedy
        missing = ended
    err.print()
    if service is None and talk.possible and Path("/run/systemd/system").is_dir():
        service = typer.confirm("Install it as a service that starts with the machine?", default=False, err=True)
    if service:
        from cli.service import install

        install(ctx, for_user=os.geteuid() != 0)
    for said, then in (
        ("Start the team", "run"),
        ("Give it work", 'task add "Title" -d "What, where, with examples"'),
        *([] if service else [("As a service", "service install --user")]),
    ):
        out.print(f"{said + ':':<17} {caller()} {then}", markup=False, soft_wrap=True)
    if missing:
        err.print("Something is missing still; see the lines with FAIL.")
        raise missing


class Talk:
    """Asks whoever sits at the terminal; without one every question has its default for an answer."""

    def __init__(self, possible: bool) -> None:
        self.possible = possible

    def ask(self, question: str, default: str, read: Callable[[str], Answered], *, hidden: bool = False) -> Answered:
        """The answer, as `read` makes it; a ValueError of `read` is shown and the question is asked again."""
        while True:
            given = default
            if self.possible:
                given = str(
                    typer.prompt(question, default=default, hide_input=hidden, err=True, show_default=not hidden)
                )
            try:
                return read(given.strip())
            except ValueError as problem:
                if not self.possible:
                    raise fail(str(problem), EXIT_USAGE) from None
                err.print(f"  {problem}", markup=False, soft_wrap=True)

    def choose(self, question: str, answers: dict[str, str], default: str) -> Any:
        """One of `answers`, whose values say what each means."""
        if self.possible:
            err.print(f"\n{question}", markup=False, soft_wrap=True)
            for name, meaning in answers.items():
                err.print(f"  {name:<18} {meaning}", markup=False, soft_wrap=True)

        def read(given: str) -> str:
            if given not in answers:
                raise ValueError(f"{given!r} is none of {', '.join(answers)}")
            return given

        return self.ask("Choose", default, read)


def _repository(talk: Talk, choice: Choice, settings: Settings) -> str:
    here = str(Path.cwd()) if (Path.cwd() / ".git").exists() and not (Path.cwd() / "ai-agents.service").exists() else ""

    def read(given: str) -> str:
        if not given:
            raise ValueError("which repository shall the team work on? Give --repo PATH_OR_URL")
        path = Path(given).expanduser()
        if ":" in given or (path / ".git").exists() or (path / "HEAD").is_file():
            return absolute(given)
        above = next((str(folder) for folder in path.absolute().parents if (folder / ".git").exists()), "")
        if above and path.exists():
            raise ValueError(f"{given} lies in a repository; give that: {above}")
        if path.exists():
            raise ValueError(f"{given} is no git repository" + ("; `git init` makes it one" if path.is_dir() else ""))
        raise ValueError(f"{given} does not exist")

    if choice.repo:
        try:
            return read(choice.repo)
        except ValueError as problem:
            raise fail(str(problem), EXIT_USAGE) from None
    return talk.ask("Repository to work on (path or URL)", settings.git.repository_url or here, read)


def _model(
    talk: Talk, env: Path, settings: Settings, provider: str | None, model: str | None, base_url: str | None
) -> dict[str, Any]:
    """The settings of the model; a key that is asked for is written to `env`."""
    keys = [each for each in PROVIDERS.values() if each.key_variable and os.environ.get(each.key_variable)]
    if provider is None and base_url:
        provider = OPENAI_COMPATIBLE.name
    if provider is None and talk.possible:
        meanings = {each.name: f"{each.key_variable} is set" if each in keys else "a key is asked for"
                    for each in PROVIDERS.values() if each.key_variable}  # fmt: skip
        meanings |= {OPENAI_COMPATIBLE.name: "a server of yours: Ollama, vLLM, llama.cpp …",
                     EMBEDDED.name: "no key: a small model on this machine, for small functions"}  # fmt: skip
        before = settings.llm.provider if settings.llm.provider != "auto" else EMBEDDED.name
        provider = talk.choose("Which model shall the team use?", meanings, keys[0].name if keys else before)
    if provider is not None and provider not in provider_names():
        raise fail(f"--provider {provider} is not known; give one of {', '.join(provider_names())}", EXIT_USAGE)
    if provider is None:
        return {"llm.model": model} if model else {}
    # What is said of another provider's model is not true of this one's.
    values: dict[str, Any] = {"llm.provider": provider, "llm.model": model, "llm.base_url": base_url,
                              "llm.profile": None, "llm.capabilities": None}  # fmt: skip
    if provider == settings.llm.provider:
        values = {key: value for key, value in values.items() if value}
    chosen = PROVIDERS.get(provider)
    if chosen is None:
        return values
    if chosen.key_variable and chosen not in keys and not settings.llm.api_key:
        if not talk.possible:
            raise fail(
                f"{chosen.name} needs a key: set {chosen.key_variable} in the environment or in {env}", EXIT_USAGE
            )
        key = talk.ask(f"{chosen.key_variable} (not shown)", "", _as_key, hidden=True)
        _keep(env, chosen.key_variable, key)
    if chosen.own_server:
        needed = _needed(f"{provider} needs its address: give --base-url")
        values["llm.base_url"] = base_url or talk.ask("Its address", settings.llm.base_url or "", needed)
    if model is None and (chosen.own_server or talk.possible) and chosen is not EMBEDDED:
        before = settings.llm.model or chosen.default_model
        values["llm.model"] = talk.ask("Model", before, _needed(f"{provider} needs a model's name: give --model"))
    return values


def _needed(remedy: str) -> Callable[[str], str]:
    def read(given: str) -> str:
        if not given:
            raise ValueError(remedy)
        return given

    return read


def _as_key(given: str) -> str:
    key = plain_key(given)
    if not key:
        raise ValueError("it is empty")
    return key


def _keep(env: Path, name: str, key: str) -> None:
    """Write the key to `.env`, which only its owner may read."""
    try:
        env.parent.mkdir(parents=True, exist_ok=True)
        env.touch(mode=0o600)
        env.chmod(0o600)
        set_key(env, name, key, quote_mode="auto")
    except OSError as problem:
        raise fail(f"the key cannot be kept in {env}: {problem}; export {name} instead") from None
    os.environ[name] = key
    register_secret(key)


def _budget(talk: Talk, planned: Settings, day_usd: float | None) -> dict[str, Any]:
    """The limit of a day; nothing where no model costs money, or a limit is set already."""
    try:
        models = Lineup(planned.llm, planned.agents).all()
    except NotConfigured as error:
        raise fail(str(error), error.exits_with) from None
    if day_usd is None:
        problem = unlimited(models, planned.llm, planned.budget)
        if not problem:
            return {}
        day_usd = ask_day_usd(talk, problem, "say what it may spend a day with --day-usd (0: no limit)")
    values = {"budget.day_usd": day_usd or None, "budget.no_limit": True if not day_usd else None}
    if problem := unbounded(models, planned.llm, _with(planned, values).budget):
        raise fail(problem, EXIT_USAGE)
    return values


def ask_day_usd(talk: Talk, problem: str, remedy: str) -> float:
    """US dollars that may be spent a day, 0 for no limit; without a terminal the command ends with the remedy.

    `problem`: why it is asked, as `unlimited` says it.
    """
    if not talk.possible:
        raise fail(f"{problem}: {remedy}", EXIT_USAGE)

    def read(given: str) -> float:
        try:
            amount = float(given)
        except ValueError:
            amount = -1.0
        if not 0 <= amount < float("inf"):
            raise ValueError("give an amount in US dollars, such as 5; 0: no limit")
        return amount

    return talk.ask(f"{problem}. US dollars a day (0: no limit)", f"{_DAY_USD:g}", read)


def _try(settings: Settings) -> None:
    """One small call to the model, so that a wrong key or address shows now. The embedded model is not tried."""
    lineup = Lineup(settings.llm, settings.agents)
    served = lineup.of("developer")
    if served.provider == EMBEDDED.name:
        return
    err.print(f"Asking {served} …", markup=False, soft_wrap=True)
    llm = settings.llm.model_copy(update={"max_retries": 0, "timeout": _SECONDS, "max_tokens": 200, "fallback": []})
    with TemporaryDirectory(prefix="ai-agents-") as folder:
        store = MemoryStore(f"sqlite:///{folder}/agents.db")
        try:
            store.migrate()
            client = LLMClient(llm, {}, store)
            with silenced():  # the error is told once
                client.generate("Answer with the word ready.", context=CallContext(None, "developer", "init", "try"))
        except LLMError as problem:
            raise fail(f"{served} does not answer: {problem}", EXIT_FAILED) from None
        finally:
            store.close()
    err.print(f"{served} answers.", markup=False, soft_wrap=True)


def _with(settings: Settings, values: dict[str, Any]) -> Settings:
    """The settings with `section.key` -> value in them; None is the default."""
    changed: dict[str, dict[str, Any]] = {}
    for path, value in values.items():
        section, _, key = path.partition(".")
        changed.setdefault(section, {})[key] = value
    for name, new in changed.items():
        try:
            settings = with_values(settings, {name: new})
        except ValidationError as error:
            wrong = "; ".join(f"{'.'.join(map(str, (name, *each['loc'])))}: {each['msg']}" for each in error.errors())
            raise fail(wrong.replace("Value error, ", ""), EXIT_USAGE) from None
    return settings
