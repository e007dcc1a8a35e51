"""The environment variables of a project's code."""

from __future__ import annotations

from pathlib import Path

from testing.environments.environment import MANAGER, VENV, Environment
from testing.environments.pytest_settings import django_folder, django_settings
from testing.environments.toolchains import require_toolchain
from testing.sandbox.sandbox import Sandbox


def variables_of(sandbox: Sandbox, source: Path, environment: Environment) -> dict[str, str]:
    """Environment variables of a project's code: the same in every run, so that every run gives the same result."""
    if environment.language != "python":
        return _other_variables(environment)
    variables = {
        "PATH": f"{VENV}/bin:/usr/local/bin:/usr/bin:/bin",
        "VIRTUAL_ENV": VENV,
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        "TZ": "UTC",
        "COLUMNS": "120",
    }
    project = source / environment.place
    if module := django_settings(project):
        variables["DJANGO_SETTINGS_MODULE"] = module
    paths = [f"{environment.work}/src"] if (project / "src").is_dir() and not environment.editable else []
    if not sandbox.confines:
        paths = [
            f"{environment.work}/src",
            environment.work,
        ]  # an editable installation points to /work, which does not exist there
    if "DJANGO_SETTINGS_MODULE" in variables and (folder := django_folder(project)):
        paths.append(f"{environment.work}/{folder}")
    return variables | ({"PYTHONPATH": ":".join(paths)} if paths else {})


def _other_variables(environment: Environment) -> dict[str, str]:
    toolchain = require_toolchain(environment.language)
    common = {
        "PATH": f"{toolchain.path}:{MANAGER}/bin:/usr/local/bin:/usr/bin:/bin",
        "CI": "true",  # no watching, no questions, no colours
        "NO_COLOR": "1",
        "TZ": "UTC",
        "COLUMNS": "120",
    }
    match environment.language:
        case "go":
            own = {"GOMODCACHE": "/env/downloads", "GOPROXY": "off", "GOFLAGS": "-mod=mod", "GOCACHE": "/work/.gocache"}
        case "rust":
            own = {"CARGO_HOME": "/env/downloads", "CARGO_TARGET_DIR": "/work/target", "CARGO_TERM_COLOR": "never"}
        case _:
            own = {"NODE_ENV": "test", "npm_config_manage_package_manager_versions": "false"}
    return common | own
