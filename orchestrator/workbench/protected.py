"""What a developer may not write, whatever a model says."""

from __future__ import annotations

from config import Settings

TEST_FILES = ["tests/**", "test/**", "**/tests/**", "**/test/**", "**/test_*.py", "**/*_test.py", "**/conftest.py",
              "**/pytest.ini", "**/tox.ini", "**/__tests__/**", "**/*.test.*", "**/*.spec.*", "**/package.json",
              "**/package-lock.json", "**/.npmrc", "**/jest.*", "**/vitest.*", "**/vite.config.*", "**/babel.config.*",
              "**/.babelrc*", "**/*_test.*", "**/*-test.*", "**/*_spec.*", "**/*-spec.*",
              "**/.pytest.ini", "**/pytest.toml", "**/.pytest.toml", "**/.coveragerc", "**/__mocks__/**",
              "**/sitecustomize.py", "**/usercustomize.py", "**/*.pth", "**/*.dist-info/**", "**/*.egg-info/**",
              "**/__pycache__/**"]  # fmt: skip
"""What a developer may not write: the tests are out of reach of the one who has to make them pass, and so is what
Python or pytest would run by itself before them."""
DEPENDENCY_FILES = ["**/pyproject.toml", "**/setup.py", "**/setup.cfg", "**/MANIFEST.in", "**/meson.build",
                    "**/*requirements*.txt", "**/*constraints*.txt", "**/uv.lock", "**/uv.toml",
                    "**/package.json", "**/package-lock.json", "**/.npmrc", "**/pnpm-lock.yaml", "**/yarn.lock",
                    "**/go.mod", "**/go.sum", "**/Cargo.toml", "**/Cargo.lock"]  # fmt: skip
"""What a developer may not write either: a change there is installed, with the network, before any test."""


def protected_paths(settings: Settings) -> list[str]:
    """Patterns of all paths that are closed to a developer of this project."""
    # Who writes the backlog gives the team work: that is the owner's.
    return [*settings.file_system.protected, *TEST_FILES, *DEPENDENCY_FILES, *settings.project.backlog_files]
