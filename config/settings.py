"""Every setting an owner can change, its default and its bounds.

Each field is documented in `config.example.yaml`, too. The JSON schema for editors is made from `Settings`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from config.deployment_settings import DeploymentSettings
from config.forge_settings import ForgeSettings
from config.model_settings import AgentSettings, BudgetSettings, LLMSettings
from config.oidc_settings import OidcSettings
from config.say import Autonomy, Hours, QuietHours, ZoneName
from config.values import (
    BranchName,
    HomePath,
    HostName,
    Key,
    RepositoryAddress,
    SecretAddresses,
    Section,
)

TASKS_FROM = ("backlog", "failing_tests", "todo", "uncovered", "lint", "types", "docstrings")
"""What `project.tasks_from` may name."""

DEFAULT_PROTECTED = [
    ".github/**",
    ".gitlab-ci.yml",
    "**/.env",
    "**/.env.*",
    "**/*.pem",
    "**/*.key",
    "**/id_rsa*",
]


class ProjectSettings(Section):
    """What the team works towards."""

    goal: str = Field(
        "", description="What the team is to achieve, in plain words. Empty: backlog files and facts decide."
    )
    backlog_file: str | list[str] = Field(
        ["BACKLOG.md", "TODO.md", ".github/issues.json"],
        description="Files of the repository that state work: Markdown (`##` items, `- [ ]` boxes), or JSON of "
        "`gh issue list --json number,title,body,labels,state`.",
    )
    tasks_from: list[Literal[TASKS_FROM]] = Field(  # type: ignore[valid-type]  # the tuple is the one list
        list(TASKS_FROM), description="What tasks are made of, besides the goal and what you add yourself."
    )
    ideas_need_decision: bool = Field(
        False,
        description="true: ideas of the CEO and of the product manager are decided on by the V-team first.",
    )
    strategy_days: float = Field(
        1,
        ge=0,
        le=365,
        description="Days until the CEO looks at its strategy and at priorities again, if anything changed; 0: never.",
    )
    tasks_per_round: int = Field(
        3, ge=0, le=20, description="Tasks that the CEO may make at a time without being asked."
    )
    tasks_per_day: int = Field(
        20, ge=0, le=500, description="Tasks that it may make so, without being asked, within 24 hours."
    )

    @property
    def backlog_files(self) -> list[str]:
        """The backlog files, in order."""
        return [self.backlog_file] if isinstance(self.backlog_file, str) else self.backlog_file


class GitSettings(Section):
    """Where the work comes from and where it lands."""

    repository_url: RepositoryAddress = Field("", description="URL or path of the repository. Needed to run.")
    branch: BranchName = Field("main", description="The owner's branch, on which work is based.")
    auto_commit: bool = Field(
        True,
        description="false: verified work waits for `task approve` before it lands, as by `orchestrator.autonomy: "
        "approve_landing` for all.",
    )
    auto_push: bool = Field(True, description="false: landed work stays in the daemon's own clone.")
    landing: Literal["integration", "branch", "pull_request", "main"] = Field(
        "integration",
        description="Where verified work lands. integration: one branch that the owner merges; branch: one for each "
        "task; pull_request: the same, with a request at the forge that the task waits for (section forge); main: the "
        "base branch itself.",
    )
    integration_branch: BranchName = Field("agents/integration", description="Its name, where landing is integration.")
    reports_path: str = Field(
        "",
        max_length=200,
        pattern=r"^([\w-]+(/[\w-]+)*)?$",
        description="Folder, such as docs/reports, where reports, plans and decisions land as Markdown, unless landing "
        "needs your approval; empty: none.",
    )
    author_name: str = Field("AI Agents", min_length=1, description="Name that stands as the author of commits.")
    author_email: str = Field("agents@localhost", min_length=3, description="E-mail of that author.")
    token: Key | None = Field(None, description="Access token for https remotes; better kept in the environment.")
    may_hold_secrets: list[str] = Field(
        [], description="Patterns of files that are not searched for secrets, such as `tests/fixtures/*`."
    )
    submodule_hosts: list[str] = Field(
        [], description="Hosts that submodules may be fetched from, besides the repository's own and public forges."
    )


class FileSystemSettings(Section):
    """Where files are kept. Relative paths start at the folder of `config.yaml`."""

    workspace_path: HomePath = Field(Path("workspace"), description="Folder of clones and worktrees.")
    git_repo_path: HomePath | None = Field(None, description="The daemon's own clone; default: inside workspace_path.")
    data_path: HomePath = Field(
        Path("data"), description="Folder of the databases and project environments: back it up."
    )
    protected: list[str] = Field(
        DEFAULT_PROTECTED,
        description="Patterns of files that no agent may write. Tasks of the kind configuration may change those of "
        "continuous integration, and land only with your approval.",
    )


class OrchestratorSettings(Section):
    """How the team works."""

    check_interval: float = Field(
        60, gt=0, le=86_400, description="Seconds between two rounds of the main loop, which finds hung tasks."
    )
    max_task_attempts: int = Field(3, ge=1, le=20, description="Attempts at a task before a new approach.")
    max_approaches: int | None = Field(
        None, ge=1, le=50, description="Approaches before a task is given up; unset: 2, with a small model 3."
    )
    max_tool_steps: int = Field(
        40, ge=1, le=500, description="Messages that a model with tools may send in one attempt."
    )
    max_tool_tokens: int = Field(400_000, ge=1000, description="Tokens for these messages, in and out together.")
    v_team: (
        Literal["auto"] | Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1, max_length=12)]
    ) = Field(
        ["cfo", "risk", "legal", "security"],
        description="Roles that give their opinion on an idea before the CEO decides, unless the task names "
        "others. auto: those whose field the idea's words are about, beside cfo and risk.",
    )
    autonomy: Autonomy | dict[str, Autonomy] = Field(
        "full",
        description="What is done without asking you. full: everything; approve_landing: a verified change waits for "
        "you; approve_plan: what the team wants to do waits; suggest: both are shown, and done only at your word. Or "
        "by type and kind of task: {default: full, decision: suggest, code: approve_landing}.",
    )
    approval_days: float = Field(
        30,
        ge=0,
        le=3650,
        description="Days after which what waits for your approval expires: it is not done, and you are told. 0: "
        "never.",
    )
    quiet_hours: Hours = Field(
        "",
        description='Hours of each day in which nothing new is begun: "22:00-07:00"; for work at night only, the '
        'others: "07:00-22:00".',
    )
    time_zone: ZoneName = Field(
        "", description="The time zone of quiet_hours, such as Europe/Berlin; empty: that of the machine."
    )
    discussion_team: list[Annotated[str, Field(min_length=1)]] = Field(
        ["backend", "frontend", "devops", "qa", "security"],
        min_length=1,
        max_length=12,
        description="Roles that the project manager can invite to discuss how a new project is built.",
    )
    discussion_rounds: int = Field(
        3, ge=1, le=10, description="Messages that each of them may write in such a discussion."
    )
    max_open_tasks: int = Field(
        8, ge=1, le=1000, description="Tasks in progress at once; a more urgent one may be begun beyond that."
    )
    task_timeout: float = Field(3600, gt=0, description="Seconds a task may be worked on; queueing does not count.")
    shutdown_grace: float = Field(
        10,
        ge=0,
        le=600,
        description="Seconds that running steps get at SIGTERM; unfinished ones continue at the next start.",
    )
    idle_backoff_max: float = Field(
        86_400,
        gt=0,
        description="Longest pause, in seconds, before the CEO looks for work again when nothing was worth doing.",
    )

    @property
    def quiet(self) -> QuietHours | None:
        """The hours in which nothing new is begun, if there are any."""
        return QuietHours.of(self.quiet_hours, self.time_zone)


class TestingSettings(Section):
    """How tests are run."""

    __test__ = False

    framework: str = Field(
        "pytest",
        min_length=1,
        description="What runs the tests. auto: found out from the repository, also for pytest if it has no Python; "
        "script: the test script of package.json; command: test_command.",
    )
    test_command: str | None = Field(
        None, description="Shell command that runs the tests named by its arguments and writes JUnit XML to `$REPORT`."
    )
    without_suite: bool = Field(
        False,
        description="true: you say that the repository has no tests that have to hold, whatever its Makefile says.",
    )
    auto_run: bool = Field(True, description="false: nothing of the repository is run before `task approve`.")
    setup_command: str | None = Field(
        None, description="Shell command that prepares the environment if pip or npm cannot."
    )
    setup_hosts: list[HostName] = Field(
        [],
        description="Hosts that installing may reach beside the package indexes of this machine: HOST or HOST:PORT.",
    )
    timeout: float = Field(300, gt=0, le=7200, description="Seconds one test run may take.")
    mutation_score: float = Field(
        0.6,
        ge=0,
        le=1,
        description="Share of small faults that new tests must notice, or more are added; 0: not measured.",
    )

    @model_validator(mode="after")
    def _has_command(self) -> Self:
        if self.framework == "command" and not self.test_command:
            raise ValueError("framework: command needs test_command, the shell command that runs the tests")
        return self


class SandboxSettings(Section):
    """What code written by a model may do."""

    mode: Literal["required", "best_effort", "off"] = Field(
        "required",
        description="required: no sandbox, no run. best_effort: use what there is and record it. off: none; code of "
        "models can then do whatever you can.",
    )
    user: str = Field("nobody", min_length=1, description="The user that code runs as when the daemon is root.")
    memory_mb: int = Field(1024, ge=64, description="Megabytes of memory for one run, all of its processes together.")
    processes: int = Field(256, ge=8, description="Most processes of one run.")
    disk_mb: int = Field(512, ge=8, description="Megabytes that one run may write to disk.")


class AlertSettings(Section):
    """Who is alerted when the owner is needed."""

    urls: SecretAddresses = Field(
        [], description="Addresses of apprise's services (mailto:, ntfy:, slack:, json: …); they hold secrets."
    )
    repeat_hours: float = Field(24, ge=0, description="Hours in which the same problem is not reported again.")
    per_hour: int = Field(10, ge=1, description="Most messages in an hour; one more sums up the rest.")


class MonitoringSettings(Section):
    """Logs and alerts."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="What is logged: this and worse.")
    logs_path: HomePath = Field(Path("logs"), description="Folder of the log, `agents.log`.")
    max_mb: int = Field(100, ge=1, description="Megabytes at which the log file is rotated.")
    keep_days: int = Field(7, ge=1, description="Days that rotated files are kept.")
    alerts: AlertSettings = AlertSettings()
    daily_report: bool = Field(
        True,
        description="Write a report of each day (UTC) on which something happened into the data folder, and say so by "
        "alert.",
    )
    traces_url: str = Field(
        "",
        pattern=r"^(https?://[^\s]+)?$",
        description="Where a collector takes traces by OTLP over HTTP, such as http://127.0.0.1:4318/v1/traces; empty: "
        "nothing is traced.",
    )


class ApiSettings(Section):
    """The control room: pages for you, and an API for programs, served by the daemon."""

    enabled: bool = Field(True, description="false: the daemon serves nothing.")
    host: str = Field(
        "127.0.0.1",
        min_length=1,
        description="Address it listens on. One that other machines reach belongs behind a proxy with TLS.",
    )
    port: int = Field(8137, ge=0, le=65535, description="Its port; 0: any that is free, which `open` finds.")
    public_url: str = Field(
        "",
        pattern=r"^(https?://[^/?#@\s]+/?)?$",
        description="The address in your browser where a proxy stands before it, such as https://agents.example.com.",
    )
    session_days: float = Field(14, gt=0, le=365, description="Days until one has to sign in again.")
    token_public_key: HomePath | None = Field(
        None,
        description="File with the public key (PEM, or a JWK set) of a service that may sign tokens for programs, too.",
    )
    oidc: OidcSettings = OidcSettings()


class RetentionSettings(Section):
    """Days until data that nothing needs any more is deleted; 0 keeps it for ever. Figures and commits always stay."""

    engine_days: float = Field(30, ge=0, description="Steps of ended jobs.")
    answers_days: float = Field(30, ge=0, description="Prompts and answers of model calls; tokens and costs stay.")
    activity_days: float = Field(90, ge=0, description="Lines of the activity stream.")
    evidence_days: float = Field(90, ge=0, description="Output of the test runs of ended tasks.")
    measurements_days: float = Field(14, ge=0, description="What was measured of deployed versions.")
    worktree_days: float = Field(14, ge=0, description="Worktree and branch of a task that ended without landing.")
    environment_days: float = Field(90, ge=0, description="Project environments that no run has used.")


class DatabaseSettings(Section):
    """Where the database is."""

    url: str = Field(
        "",
        description="Empty: SQLite in data_path. Else sqlite:////path or postgresql://…, with one database for each "
        "repository.",
    )


class Settings(BaseSettings):
    """The whole configuration; the environment (`AI_AGENTS_LLM__MODEL=…`) overrides the file."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, env_prefix="AI_AGENTS_", env_nested_delimiter="__", validate_default=True
    )

    project: ProjectSettings = ProjectSettings()
    llm: LLMSettings = LLMSettings()
    budget: BudgetSettings = BudgetSettings()
    git: GitSettings = GitSettings()
    file_system: FileSystemSettings = FileSystemSettings()
    orchestrator: OrchestratorSettings = OrchestratorSettings()
    agents: dict[str, AgentSettings] = Field(
        {},
        description="How single agents are asked (what is not set for one comes from `llm`), and what their roles are.",
    )
    """The registry of roles decides which names are allowed."""
    testing: TestingSettings = TestingSettings()
    forge: ForgeSettings = ForgeSettings()
    deployment: DeploymentSettings = DeploymentSettings()
    sandbox: SandboxSettings = SandboxSettings()
    monitoring: MonitoringSettings = MonitoringSettings()
    api: ApiSettings = ApiSettings()
    retention: RetentionSettings = RetentionSettings()
    database: DatabaseSettings = DatabaseSettings()

    @model_validator(mode="after")
    def _requests_have_a_forge(self) -> Self:
        if self.git.landing == "pull_request" and not self.forge.provider:
            raise ValueError("git.landing: pull_request needs forge.provider, where requests are opened")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The file arrives as init values (see `config.loading`), so the environment comes first."""
        return env_settings, init_settings
