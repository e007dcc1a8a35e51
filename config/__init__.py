"""Typed settings from `config.yaml`, the environment and `.env`; imports nothing of ours."""

from config.errors import ConfigError, ConfigProblem
from config.loading import DEFAULT_CONFIG, json_schema, load_settings
from config.paths import ProjectPaths, cache_folder
from config.program import command
from config.settings import (
    AgentSettings,
    AlertSettings,
    BudgetSettings,
    Capabilities,
    DatabaseSettings,
    DeploymentSettings,
    FileSystemSettings,
    GitSettings,
    LLMSettings,
    MonitoringSettings,
    OrchestratorSettings,
    PriceSettings,
    ProjectSettings,
    ReasoningLevel,
    RetentionSettings,
    SandboxSettings,
    Settings,
    TestingSettings,
    plain_key,
)
from config.weakened import weakened

__all__ = [
    "DEFAULT_CONFIG",
    "AgentSettings",
    "AlertSettings",
    "BudgetSettings",
    "Capabilities",
    "ConfigError",
    "ConfigProblem",
    "DatabaseSettings",
    "DeploymentSettings",
    "FileSystemSettings",
    "GitSettings",
    "LLMSettings",
    "MonitoringSettings",
    "OrchestratorSettings",
    "PriceSettings",
    "ProjectPaths",
    "ProjectSettings",
    "ReasoningLevel",
    "RetentionSettings",
    "SandboxSettings",
    "Settings",
    "TestingSettings",
    "cache_folder",
    "command",
    "json_schema",
    "load_settings",
    "plain_key",
    "weakened",
]
