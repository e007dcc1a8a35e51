"""Typed settings from `config.yaml`, the environment and `.env`; imports nothing of ours."""

from config.deployment_settings import (
    BlueGreenSettings,
    CiCdEnvironment,
    DeploymentSettings,
    DirectEnvironment,
    DockerEnvironment,
    DurableObjectsEnvironment,
    Environment,
    HealthSettings,
)
from config.errors import ConfigError, ConfigProblem
from config.forge_settings import ForgeSettings
from config.loading import json_schema, load_settings, with_values
from config.model_settings import AgentSettings, BudgetSettings, Capabilities, LLMSettings, PriceSettings
from config.oidc_settings import OidcSettings
from config.parsing import ONE_PARSER, let_one_thread_parse
from config.paths import ProjectPaths, cache_folder
from config.program import (
    NAME,
    VERSION,
    caller,
    command,
    config_file,
    data_folder,
    default_folders,
    is_installed,
    keep_options,
)
from config.say import DEFAULT, Autonomy, QuietHours, autonomy_of
from config.settings import (
    AlertSettings,
    ApiSettings,
    DatabaseSettings,
    FileSystemSettings,
    GitSettings,
    MonitoringSettings,
    OrchestratorSettings,
    ProjectSettings,
    RetentionSettings,
    SandboxSettings,
    Settings,
    TestingSettings,
)
from config.values import ReasoningLevel, plain_key
from config.weakened import weakened

__all__ = [
    "DEFAULT",
    "NAME",
    "ONE_PARSER",
    "VERSION",
    "AgentSettings",
    "AlertSettings",
    "ApiSettings",
    "Autonomy",
    "BlueGreenSettings",
    "BudgetSettings",
    "Capabilities",
    "CiCdEnvironment",
    "ConfigError",
    "ConfigProblem",
    "DatabaseSettings",
    "DeploymentSettings",
    "DirectEnvironment",
    "DockerEnvironment",
    "DurableObjectsEnvironment",
    "Environment",
    "FileSystemSettings",
    "ForgeSettings",
    "GitSettings",
    "HealthSettings",
    "LLMSettings",
    "MonitoringSettings",
    "OidcSettings",
    "OrchestratorSettings",
    "PriceSettings",
    "ProjectPaths",
    "ProjectSettings",
    "QuietHours",
    "ReasoningLevel",
    "RetentionSettings",
    "SandboxSettings",
    "Settings",
    "TestingSettings",
    "autonomy_of",
    "cache_folder",
    "caller",
    "command",
    "config_file",
    "data_folder",
    "default_folders",
    "is_installed",
    "json_schema",
    "keep_options",
    "load_settings",
    "plain_key",
    "weakened",
    "with_values",
]

let_one_thread_parse()  # here, since every process of ours imports this folder first, and any folder may parse
