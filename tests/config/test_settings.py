"""`config.yaml`: accepted as the specification writes it, and clear about what is wrong."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import jsonschema
import pytest
import yaml

from agents.registry import allowed_names
from config import (
    ConfigError,
    FileSystemSettings,
    GitSettings,
    LLMSettings,
    ProjectPaths,
    SandboxSettings,
    Settings,
    TestingSettings,
    json_schema,
    load_settings,
    weakened,
)
from config.loading import SECRET_VARIABLES

ROOT = Path(__file__).parents[2]

SPECIFICATION = """
llm: {provider: "openai", api_key: "${OPENAI_API_KEY}", model: "gpt-4", temperature: 0.7, max_tokens: 2000}
git: {repository_url: "https://github.com/user/repo.git", branch: "main", auto_commit: true, auto_push: true}
file_system: {workspace_path: "/workspace", git_repo_path: "/workspace/repo"}
orchestrator: {check_interval: 60, max_task_attempts: 3, task_timeout: 3600}
agents:
  ceo: {temperature: 0.8, max_tokens: 3000}
  cfo: {temperature: 0.5, max_tokens: 2500}
  developer: {temperature: 0.7, max_tokens: 2000}
testing: {framework: "pytest", auto_run: true}
deployment: {type: "ci_cd", ci_cd_provider: "github_actions"}
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "config.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def problems(folder: Path, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load_settings(write(folder, text))
    return str(caught.value)


def test_the_specification_is_accepted_as_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-1234567890")
    settings = load_settings(write(tmp_path, SPECIFICATION))

    assert settings.llm.model == "gpt-4"
    assert settings.llm.api_key is not None
    assert settings.llm.api_key.get_secret_value() == "sk-test-1234567890"
    assert settings.agents["ceo"].temperature == 0.8
    assert settings.agents["cfo"].max_tokens == 2500
    assert settings.file_system.git_repo_path == Path("/workspace/repo")


def test_defaults_are_those_of_the_specification(tmp_path: Path) -> None:
    settings = load_settings(write(tmp_path, ""))

    assert (settings.llm.provider, settings.llm.temperature, settings.llm.max_tokens) == ("auto", 0.7, 2000)
    assert (settings.git.branch, settings.git.auto_commit, settings.git.auto_push) == ("main", True, True)
    limits = settings.orchestrator
    assert (limits.check_interval, limits.max_task_attempts, limits.task_timeout) == (60, 3, 3600)
    assert (settings.testing.framework, settings.testing.auto_run) == ("pytest", True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "git: {landing: here}",
            "git.landing = 'here': input should be 'integration', 'branch', 'pull_request' or 'main'",
        ),
        ("llm: {temprature: 1}", "llm.temprature: unknown key; did you mean `temperature`?"),
        ("gti: {}\n", "gti: unknown key; did you mean `git`?"),
        ("llm: {max_tokens: many}", "llm.max_tokens = 'many': input should be a valid integer"),
        ("agents: {ceo: {temperature: 9}}", "agents.ceo.temperature = 9: input should be less than or equal to 2"),
        ("llm: {reasoning: much}", "llm.reasoning = 'much': input should be 'off', 'minimal', 'low', 'medium', 'high'"),
        ("agents: {qa: {reasoning: on}}", "agents.qa.reasoning = True: input should be 'off'"),
        ("- a\n- b\n", "must hold sections"),
        ("llm: [", "is not readable YAML"),
        ("git: {repository_url: '${NOT_SET_ANYWHERE}'}", "git.repository_url = ${NOT_SET_ANYWHERE}"),
        ("git: {repository_url: '${NOT_CLOSED'}", "a ${ is not closed"),
        ("git: {repository_url: '${NOT_CLOSED:-x'}", "a ${ is not closed"),
        ("budget: {day_usd: true}", "budget.day_usd = True: must be a number"),
        ("budget: {task_tokens: yes}", "budget.task_tokens = True: must be a number"),
        ("retention: {engine_days: off}", "retention.engine_days = False: must be a number"),
        ("budget: 5", "budget = 5: is a section"),
        ("llm: {prices: {m: 3}}", "llm.prices.m = 3: is a section"),
        ("llm: {base_url: 'ftp://x'}", "llm.base_url = 'ftp://x': is no address"),
        ("llm: {model: yes}", "llm.model = True: must be text; put it in quotes"),
        ("llm:\n\tmodel: x", "line 2: is not readable YAML: a tab"),
        ("llm: {model: x\nbudget:", "line 1: is not readable YAML: the bracket is not closed by }"),
        ("llm:\n  model: 'x\nb: 3\n", "line 2: is not readable YAML: a quote is not closed"),
        ("llm:\n  model: x\n bad: y", "line 3: is not readable YAML: it does not fit the lines before"),
        ("llm:\n  model: a: b", "line 2: is not readable YAML: a colon stands where none belongs"),
        ("llm:\n  model: @x", "line 2: is not readable YAML: a text that begins with @"),
        ("llm:\n  model: *x", "line 2: is not readable YAML: *x is not defined"),
        ('llm:\n  model: "\\q"', "line 2: is not readable YAML: \\q means nothing"),
        ("a: 1\na: 2", "line 2: is not readable YAML: 'a' is there twice"),
        ("a: 1\n---\nb: 2", "line 2: is not readable YAML: a second document"),
        ("a: !x y", "line 1: is not readable YAML: the tag !x"),
    ],
)
def test_what_is_wrong_is_named_with_path_value_and_what_is_allowed(tmp_path: Path, text: str, said: str) -> None:
    assert said in problems(tmp_path, text)


def test_a_wrong_secret_is_not_shown(tmp_path: Path) -> None:
    message = problems(tmp_path, "llm: {api_key: [do-not-show-this]}")

    assert "llm.api_key = ***" in message
    assert "do-not-show-this" not in message


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    assert "2 problem(s)" in problems(tmp_path, "llm: {max_tokens: x}\ngit: {branche: y}")


def test_variables_keep_their_type_and_have_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIMIT", "123")
    text = "llm: {max_tokens: '${LIMIT}', model: '${NO_MODEL:-}'}\ngit: {branch: '${NO_BRANCH:-trunk}'}"
    settings = load_settings(write(tmp_path, text))

    assert settings.llm.max_tokens == 123
    assert settings.llm.model is None
    assert settings.git.branch == "trunk"


def test_the_environment_goes_before_the_file_and_the_command_line_before_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AI_AGENTS_LLM__MODEL", "from-environment")
    monkeypatch.setenv("AI_AGENTS_GIT__BRANCH", "from-environment")
    path = write(tmp_path, "llm: {model: from-file, max_tokens: 77}\ngit: {branch: from-file}")
    settings = load_settings(path, {"git": {"branch": "from-command-line"}})

    assert settings.llm.model == "from-environment"
    assert settings.llm.max_tokens == 77
    assert settings.git.branch == "from-command-line"


def test_dotenv_is_read_and_does_not_replace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HERE_ALREADY", "kept")
    monkeypatch.setenv("ONLY_IN_DOTENV", "")
    monkeypatch.delenv("ONLY_IN_DOTENV")
    (tmp_path / ".env").write_text("HERE_ALREADY=replaced\nONLY_IN_DOTENV=read\n", encoding="utf-8")
    text = "git: {branch: '${HERE_ALREADY}', integration_branch: '${ONLY_IN_DOTENV}'}"
    settings = load_settings(write(tmp_path, text))

    assert (settings.git.branch, settings.git.integration_branch) == ("kept", "read")


def test_a_dotenv_of_somebody_else_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A daemon may be started in any folder: that of a repository, or one that all may write to."""
    monkeypatch.chdir(tmp_path)
    for name in ("AI_AGENTS_SANDBOX__MODE", "PLANTED"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / ".env").write_text("AI_AGENTS_SANDBOX__MODE=off\nPLANTED=1\n")
    assert load_settings().sandbox.mode == "required"
    assert "PLANTED" not in os.environ
    assert ".env is not read: no config.yaml lies beside it" in capsys.readouterr().err
    (tmp_path / "config.yaml").touch()
    if os.geteuid() == 0:
        os.chown(tmp_path / ".env", 65534, 65534)
    else:
        monkeypatch.setattr("config.loading.os.geteuid", lambda: 4711)
    assert load_settings().sandbox.mode == "required"
    assert "belongs to another user" in capsys.readouterr().err


def test_what_gives_up_safety_is_named() -> None:
    assert weakened(Settings(), {}) == {}
    weak = Settings(
        llm=LLMSettings(base_url="http://me:pw@models.example/v1"),
        sandbox=SandboxSettings(mode="off"),
        testing=TestingSettings(setup_hosts=["github.com"]),
        file_system=FileSystemSettings(protected=[]),
        git=GitSettings(may_hold_secrets=["tests/*"]),
    )
    found = weakened(weak, {"ANTHROPIC_BASE_URL": "https://other.example"})
    assert [name.partition(":")[0] for name in found] == [
        "sandbox.mode", "llm.base_url", "ANTHROPIC_BASE_URL", "testing.setup_hosts", "file_system.protected",
        "git.may_hold_secrets",
    ]  # fmt: skip
    assert found["llm.base_url: models.example"].endswith("unencrypted")
    assert "pw" not in str(found)


@pytest.mark.parametrize("host", ["https://github.com", "github.com/path", "-x", "a b", "user@host", "host:port"])
def test_a_set_up_host_is_a_host(host: str) -> None:
    with pytest.raises(ValueError, match="is no host"):
        TestingSettings(setup_hosts=[host])


def test_a_named_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not found"):
        load_settings(tmp_path / "nothing.yaml")


def test_the_shipped_file_is_right_and_its_schema_is_current() -> None:
    shipped = [
        yaml.safe_load((ROOT / name).read_text(encoding="utf-8")) for name in ("config.yaml", "config.example.yaml")
    ]
    schema = json.loads((ROOT / "config" / "schema.json").read_text(encoding="utf-8"))

    assert schema == json_schema(allowed_names()), "run: python main.py config schema --file config/schema.json"
    for values in shipped:
        jsonschema.validate(values, schema)


def test_the_example_says_the_defaults(tmp_path: Path) -> None:
    assert load_settings(ROOT / "config.example.yaml") == load_settings(write(tmp_path, ""))
    assert load_settings(ROOT / "config.yaml") == load_settings(write(tmp_path, ""))


def test_the_file_of_the_owner_never_changes() -> None:
    """An upgrade that brings another config.yaml conflicts with the owner's changes."""
    digest = hashlib.sha256((ROOT / "config.yaml").read_bytes()).hexdigest()
    assert digest == "53488378d29a95af7774e6c2408c31572cbc4b17fb30ec7390f2d0b4daf63188"


def test_every_setting_is_documented_where_it_stands() -> None:
    text = (ROOT / "config.example.yaml").read_text(encoding="utf-8")
    schema = json_schema()
    definitions = schema["$defs"]
    assert isinstance(definitions, dict)
    for section, definition in definitions.items():
        for key in definition["properties"]:
            assert f"{key}:" in text, f"{section}.{key} is not in config.example.yaml"


def test_each_repository_has_a_folder_of_its_own(tmp_path: Path) -> None:
    def paths(url: str) -> ProjectPaths:
        return ProjectPaths.of(load_settings(write(tmp_path, ""), {"git": {"repository_url": url}}), tmp_path)

    one, other = paths("https://host/a/repo.git"), paths("https://host/b/repo.git")
    assert one.state != other.state
    assert one.state.name.startswith("repo-")
    assert one.clone.is_relative_to(tmp_path / "workspace")
    assert one.database_url == f"sqlite:///{one.state / 'agents.db'}"


def test_a_test_command_is_needed_where_it_is_what_runs(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="needs test_command"):
        load_settings(write(tmp_path, "testing: {framework: command}"))
    chosen = load_settings(write(tmp_path, "testing: {framework: command, test_command: make test}"))
    assert chosen.testing.test_command == "make test"


@pytest.mark.parametrize("text", ["llm: &a {provider: *a}", "agents: &a [*a]", "llm: &a\n  x: [*a]"])
def test_an_anchor_that_contains_itself_is_a_problem_of_the_file(text: str, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(ConfigError, match="anchor"):
        load_settings(tmp_path / "config.yaml")


def test_aliases_that_multiply_are_refused_at_once(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]" for level in range(1, 9)]
    (tmp_path / "config.yaml").write_text("\n".join(lines))
    with pytest.raises(ConfigError, match="too many values"):
        load_settings(tmp_path / "config.yaml")


@pytest.mark.parametrize(
    "name",
    ["a..b", "a b", "-a", "a/", "/a", "a//b", "a.lock", ".a", "a/.b", "a~1", "a^", "a:b", "@", "a@{1}", "a\\b", ""],
)
def test_what_git_takes_for_no_branch_is_refused(name: str, tmp_path: Path) -> None:
    for key in ("branch", "integration_branch"):
        (tmp_path / "config.yaml").write_text(yaml.safe_dump({"git": {key: name}}))
        with pytest.raises(ConfigError, match=rf"git\.{key}.*branch"):
            load_settings(tmp_path / "config.yaml")


@pytest.mark.parametrize("name", ["main", "agents/integration", "release-1.2", "feature/ünïcode", "v1@2"])
def test_what_git_takes_for_a_branch_is_taken(name: str, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"git": {"branch": name}}))
    assert load_settings(tmp_path / "config.yaml").git.branch == name


def test_reasoning_is_off_without_quotes_too(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("llm: {reasoning: off}\nagents: {qa: {reasoning: 'off'}, ceo: {}}")
    settings = load_settings(tmp_path / "config.yaml")
    assert (settings.llm.reasoning, settings.agents["qa"].reasoning, settings.agents["ceo"].reasoning) == (
        "off", "off", None,
    )  # fmt: skip


def test_a_misspelt_key_of_an_agent_is_told_with_the_keys_of_agents(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("agents: {developer: {temprature: 1}}")
    with pytest.raises(ConfigError, match=r"did you mean `temperature`\? allowed here: temperature, max_tokens"):
        load_settings(tmp_path / "config.yaml")


@pytest.mark.parametrize(
    "text",
    [
        "git: {branch: main}\ngit: {integration_branch: work}",
        "git:\n  branch: main\n  branch: other",
        "agents: {qa: {temperature: 0}, 'qa': {}}",
        "llm: {fallback: [{a: 1, a: 2}]}",
    ],
)
def test_a_key_that_is_there_twice_is_refused_with_its_line(text: str, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"line \d: .*is there twice"):
        load_settings(tmp_path / "config.yaml")


def test_a_key_that_comes_again_by_a_merge_is_no_double(tmp_path: Path) -> None:
    text = "agents:\n  qa: &base {temperature: 0.5, max_tokens: 99}\n  developer: {<<: *base, temperature: 0.1}\n"
    (tmp_path / "config.yaml").write_text(text)
    agents = load_settings(tmp_path / "config.yaml").agents
    assert (agents["developer"].temperature, agents["developer"].max_tokens) == (0.1, 99)


def test_the_former_name_of_the_embedded_model_still_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (
        load_settings(write(tmp_path, "llm: {local_model_path: /models/my.gguf}")).llm.local_model == "/models/my.gguf"
    )
    assert load_settings(write(tmp_path, "llm: {local_model_path: }")).llm.local_model == "auto"
    # a file without a slash and an ending is still a file, not the name of a model
    monkeypatch.chdir(tmp_path)
    assert load_settings(write(tmp_path, "llm: {local_model_path: mine}")).llm.local_model == str(tmp_path / "mine")
    assert "remove it" in problems(tmp_path, "llm: {local_model: auto, local_model_path: /models/my.gguf}")

    monkeypatch.setenv("AI_AGENTS_LLM__LOCAL_MODEL_PATH", "/models/other.gguf")
    assert load_settings(write(tmp_path, "llm: {model: m}")).llm.local_model == "/models/other.gguf"
    monkeypatch.setenv("AI_AGENTS_LLM__LOCAL_MODEL", "qwen3.5-4b")
    monkeypatch.delenv("AI_AGENTS_LLM__LOCAL_MODEL_PATH")
    assert load_settings(write(tmp_path, "llm: {model: m}")).llm.local_model == "qwen3.5-4b"


def test_secrets_come_from_files_and_replace_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SECRET_VARIABLES:
        monkeypatch.setenv(name, "")
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    for name in ("GIT_TOKEN", "secrets_ALERT_URL", "ANTHROPIC_API_KEY", "OPENAI_API_KEY", "OTHER_HF_TOKEN"):
        (credentials / name).write_text(f"{name}-of-systemd\n")
    (tmp_path / "mounted").write_text("\ufeffof-docker\r\n", encoding="utf-8")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    monkeypatch.setenv("ANTHROPIC_API_KEY_FILE", str(tmp_path / "mounted"))
    monkeypatch.setenv("OPENAI_API_KEY", "set-before")
    settings = load_settings(write(tmp_path, "git: {token: '${GIT_TOKEN}'}\nllm: {api_key: '${ANTHROPIC_API_KEY}'}"))

    assert settings.git.token and settings.git.token.get_secret_value() == "GIT_TOKEN-of-systemd"
    assert settings.llm.api_key and settings.llm.api_key.get_secret_value() == "of-docker"
    set_now = {name: os.environ[name] for name in ("ALERT_URL", "OPENAI_API_KEY", "HF_TOKEN")}
    expected = {"ALERT_URL": "secrets_ALERT_URL-of-systemd", "OPENAI_API_KEY": "set-before", "HF_TOKEN": ""}
    assert set_now == expected


@pytest.mark.parametrize(
    ("content", "told"),
    [(None, "cannot be read: No such file"), (b"\n", "is empty"), (b"key\0", "is no secret"), (b"\xff", "no UTF-8")],
)
def test_a_secret_that_cannot_be_read_is_one_clear_error(
    content: bytes | None, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)
    monkeypatch.delenv("GIT_TOKEN", raising=False)
    monkeypatch.setenv("GIT_TOKEN_FILE", str(file))
    with pytest.raises(ConfigError) as caught:
        load_settings(write(tmp_path, "{}"))
    assert [problem.path for problem in caught.value.problems] == ["GIT_TOKEN_FILE"]
    assert told in str(caught.value) and "key" not in str(caught.value)
