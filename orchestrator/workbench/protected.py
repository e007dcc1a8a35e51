"""What a developer may not write: protected paths, and changes that are refused before they run."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import PurePosixPath

from config import Settings
from file_system import FileManager, FileSystemError, is_test_path, matching_pattern, readable_text
from file_system.code.languages import language_of
from git_ops import ChangedFile
from memory import TaskKind
from testing import FRAMEWORKS, Tampering, explain_tampering, tampering

_TEST_FILES = ["spec/**", "**/*Spec.[cm]js", "**/*Spec.js", "**/*Spec.ts",
               "tests/**", "test/**", "**/tests/**", "**/test/**", "**/__tests__/**", "**/__mocks__/**",
               "**/*.test.*", "**/*.spec.*", "**/*_test.*", "**/*-test.*", "**/*_spec.*", "**/*-spec.*",
               "**/package-lock.json", "**/.npmrc", "**/jest.*", "**/vitest.*", "**/vite.config.*",
               "**/babel.config.*", "**/.babelrc*", "**/.coveragerc",
               "**/sitecustomize.py", "**/usercustomize.py", "**/*.pth", "**/*.dist-info/**", "**/*.egg-info/**",
               "**/__pycache__/**"]  # fmt: skip
"""Files that are tests by custom, whichever framework runs them, and files that a runtime would read before them."""
_SETTINGS_OF_TESTS = sorted(
    {glob for framework in FRAMEWORKS.values() for glob in framework.settings_files} - {"conftest.py"}
)
"""Files that decide what a run of tests means; conftest.py holds code of tests, too."""
DEPENDENCY_FILES = ["**/pyproject.toml", "**/setup.py", "**/setup.cfg", "**/MANIFEST.in", "**/meson.build",
                    "**/*requirements*.txt", "**/*requirements*.in", "**/requirements/*.txt", "**/requirements/*.in",
                    "**/*constraints*.txt", "**/pylock*.toml", "**/uv.lock", "**/uv.toml",
                    "**/package.json", "**/package-lock.json", "**/.npmrc", "**/pnpm-lock.yaml", "**/yarn.lock",
                    "**/Pipfile*", "**/environment.y*ml", "**/hatch.toml", "**/tox.toml", "**/noxfile.py",
                    "**/poetry.lock", "**/pdm.lock", "**/pnpm-workspace.yaml", "**/.pnpmfile.*", "**/.yarnrc*",
                    "**/.yarn/**", "**/bun.lock*", "**/manage.py", "**/go.mod", "**/go.sum", "**/Cargo.toml",
                    "**/Cargo.lock"]  # fmt: skip
"""Files of dependencies: a change there would be installed, with network access, before any test."""
_OF_GIT = ["**/.gitattributes"]
"""What decides how git reads, shows and exports files."""
CONFIGURATION_FILES = [*DEPENDENCY_FILES, *_OF_GIT, *(f"**/{glob}" for glob in _SETTINGS_OF_TESTS),
                       "**/noxfile.py", "**/.coveragerc", "**/jest.*", "**/vitest.*",
                       "**/vite.config.*", "**/babel.config.*", "**/.babelrc*", ".github/**", ".gitlab-ci.yml",
                       ".circleci/**", ".pre-commit-config.yaml", "Dockerfile", "**/Dockerfile"]  # fmt: skip
"""Files of configuration: only work of that kind, and chores, change them, and it lands with the owner's approval
alone."""
_HELD = ["**/.buildkite/**", "**/.drone.yml", "**/.woodpecker*", "**/.woodpecker/**", ".gitea/**", ".forgejo/**",
         "**/*appveyor.yml", "**/cloudbuild.y*ml", "**/action.y*ml", "**/.travis.yml", "**/azure-pipelines*",
         "**/bitbucket-pipelines.yml", "**/Jenkinsfile*", "**/.semaphore/**", "**/buildspec.y*ml", "**/.husky/**",
         "**/.githooks/**", "**/.envrc", "**/.vscode/**", "**/.idea/**", "**/.devcontainer/**", "**/[Mm]akefile",
         "**/GNUmakefile", "**/*.mk", "**/[Jj]ustfile", "**/Taskfile.y*ml", "**/AGENTS.md", "**/CLAUDE.md",
         "**/GEMINI.md", "**/.cursorrules", "**/.cursor/**", "**/CODEOWNERS", "**/Pipfile*",
         "**/environment.y*ml", "**/hatch.toml", "**/.python-version", "**/.tool-versions", "**/poetry.lock",
         "**/pdm.lock", "**/*mypy.ini", "**/*ruff.toml", "**/.flake8", "**/*pylintrc", "**/pyrightconfig.json",
         "**/docker-compose*", "**/compose.y*ml", "**/*.service", "**/LICEN[CS]E*", "**/COPYING*",
         "**/.gitmodules",
         "**/*.config.[jtmc]s", "**/*.config.[mc][jt]s", "**/gulpfile.*", "**/Gruntfile.*", "**/build.rs",
         "**/build.zig", "**/hatch_build.py", "**/pdm_build.py", "**/conanfile.py", "**/wscript", "**/fabfile.py",
         "**/dodo.py", "**/*.gemspec", "**/Rakefile"]  # fmt: skip
"""Files that other programs run, install, obey or check by: any work may change them, with the owner's approval."""
_CONTENT = (".html", ".htm", ".css", ".scss", ".sass", ".less", ".svg", ".csv", ".tsv", ".json", ".txt", ".md", ".rst",
            ".po", ".pot", ".sql", ".jinja", ".jinja2", ".j2", ".tmpl", ".mustache", ".xml", ".yaml", ".yml", ".toml",
            ".ini", ".proto", ".graphql", ".vue", ".svelte", ".java", ".kt", ".rb", ".php", ".c", ".h", ".cc", ".cpp",
            ".hpp", ".cs", ".swift", ".scala", ".pyx", ".pxd", ".typed")  # fmt: skip
"""Endings of what a project's own code reads, and of code that no parser here knows; in a folder, not at the top."""
_PROSE = ("**/doc/**", "**/docs/**", "**/documentation/**", "**/README*", "**/CHANGE*", "**/HISTORY*", "**/NEWS*",
          "**/CONTRIBUTING*", "**/AUTHORS*", "**/CONTRIBUTORS*", "**/CODE_OF_CONDUCT*", "**/SECURITY*", "**/TODO*",
          "**/ROADMAP*", "**/INSTALL*", "**/UPGRAD*", "**/MIGRAT*", "**/FAQ*", "**/RELEAS*", "**/changelog.d/**",
          "**/newsfragments/**", "**/news/**")  # fmt: skip
"""Texts that people read; others may be read by a program."""
SECRETS = ("**/.env", "**/.env.*", "**/*.pem", "**/*.key", "**/id_rsa*", "**/.netrc", "**/.npmrc", "**/.pypirc")
"""Neither shown nor searched, whatever the owner protects from writing."""
_NOT_FOR_QA = [
    *_SETTINGS_OF_TESTS,
    *("package-lock.json", ".npmrc", "jest.*", "vitest.*", "vite.config.*", "babel.config.*"),
    *(".babelrc*", ".coveragerc", "sitecustomize.py", "usercustomize.py", "*.pth", "*.dist-info", "*.egg-info"),
    "__pycache__",
    *(pattern.removeprefix("**/") for pattern in DEPENDENCY_FILES),
]
"""What QA may not write even in a folder of tests."""
_NAMED_BY_TASKS = {"exit", "stack", "shadow"}
"""Kinds that a task may ask for by name, such as `os._exit` or a module `queue`."""


def protected_paths(settings: Settings, kind: str = "") -> list[str]:
    """Patterns of all paths that a developer of this project may not write in work of this kind.

    Work on the configuration may change the files of continuous integration that the owner protects, too: it lands only
    with the owner's approval.
    """
    closed = [*protected_by_owner(settings), *protected_tests(), *DEPENDENCY_FILES, *_OF_GIT]
    if kind in (TaskKind.CONFIGURATION, TaskKind.CHORE):
        open_files = set(CONFIGURATION_FILES) - set(settings.project.backlog_files)
        closed = [pattern for pattern in closed if pattern not in open_files]
    return closed


def protected_by_owner(settings: Settings) -> list[str]:
    """Patterns of the paths that nobody on the team may write: the configured ones, and the backlog, which gives the
    team work."""
    return [*settings.file_system.protected, *settings.project.backlog_files]


def held_back(paths: Iterable[str], kind: str = "", task: str = "") -> list[str]:
    """Those of the changed `paths` that may land only with the owner's approval: what other programs run or obey, code
    that configuration and chores change without a proof of it, texts beside the documentation, and whatever is neither
    source nor its data nor documentation nor named in the text of the `task`.
    """
    listed = [*CONFIGURATION_FILES, *_HELD]
    return [path for path in paths if matching_pattern(path, listed) or _unproven(path, kind) or _unknown(path, task)]


def _unknown(path: str, task: str) -> bool:
    *folders, name = path.split("/")
    is_named = re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w-]|\.\w)", task)
    if is_named or is_test_path(path) or matching_pattern(path, _PROSE):
        return False
    if any(part.startswith(".") for part in (*folders, name)):
        return True
    return language_of(path) is None and not (folders and PurePosixPath(name).suffix.lower() in _CONTENT)


def _unproven(path: str, kind: str) -> bool:
    if kind in (TaskKind.CONFIGURATION, TaskKind.CHORE):
        return not matching_pattern(path, _PROSE)
    return kind == TaskKind.DOCUMENTATION and language_of(path) is None and not matching_pattern(path, _PROSE)


def protected_tests() -> list[str]:
    """Patterns of files of tests, which the developer has to make pass, and of files that decide what a run means."""
    own = [glob for framework in FRAMEWORKS.values() for glob in (*framework.test_files, *framework.settings_files)]
    return [*_TEST_FILES, *(f"**/{glob}" for glob in dict.fromkeys(own))]


def not_for_qa(path: str) -> str:
    """Why QA may not write `path`; empty if it may: it writes tests, their fixtures and data, and no settings."""
    if not is_test_path(path):
        return "only tests, and what lies in folders of tests, can be changed by QA"
    if pattern := matching_pattern(path, _NOT_FOR_QA):
        return f"files like {pattern} decide what a run means, and nobody on the team changes them"
    return ""


def refusal(files: FileManager, changes: Sequence[ChangedFile], before: Callable[[str], str], task: str) -> str:
    """Why `changes`, which are in `files`, are refused, in words for their author; empty if they are not.

    `before` returns a file's text without the changes; `task` is the text of the task.
    """
    marks: list[Tampering] = []
    for change in changes:
        try:
            for path in filter(None, (change.path, change.old_path)):
                files.check_writable(path)
        except FileSystemError as problem:
            return str(problem)
        after = "" if change.status == "deleted" else readable_text(files, change.path)
        if tampering(change.path, None, after):
            known = before(change.old_path or change.path) if change.status != "added" else None
            marks += [mark for mark in tampering(change.path, known, after) if not _asked_for(mark, task)]
    return explain_tampering(marks) if marks else ""


def _asked_for(mark: Tampering, task: str) -> bool:
    return mark.kind in _NAMED_BY_TASKS and mark.what.removeprefix("a new module ").strip("'") in task
