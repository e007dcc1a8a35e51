from __future__ import annotations

import pytest

from testing.environments.python_dependencies import (
    Dependencies,
    content_hash,
    pretended_versions,
    read_dependencies,
    tell_versioneer,
    version_variables,
)
from tests.testing.conftest import Tree


def read(tree: Tree, files: dict[str, str]) -> Dependencies:
    return read_dependencies(tree(files))


def test_a_repository_without_dependency_files_needs_nothing(tree: Tree) -> None:
    assert read(tree, {"slug.py": "", "README.md": ""}) == Dependencies()


def test_test_extras_and_groups_are_taken_and_development_left(tree: Tree) -> None:
    text = """
[project]
name = "x"
version = "1"
dependencies = ["idna"]
[project.optional-dependencies]
docs = ["sphinx"]
dev = ["ruff"]
tests = ["freezegun"]
[dependency-groups]
base = ["pytest>=8"]
test = [{include-group = "base"}, "hypothesis", {include-group = "test"}]
lint = ["ruff"]
"""
    found = read(tree, {"pyproject.toml": text, "requirements-dev.txt": "ruff"})
    assert found.buildable and found.listed
    assert found.extras == ("tests",)
    assert found.group_requirements == ("pytest>=8", "hypothesis")
    assert found.test_requirements == ()


def test_development_dependencies_count_where_there_are_none_for_tests(tree: Tree) -> None:
    found = read(tree, {"requirements.txt": "idna", "dev.requirements.txt": "pytest", "requirements-mypy.txt": "mypy"})
    assert not found.buildable
    assert found.requirements == ("requirements.txt",)
    assert found.test_requirements == ("dev.requirements.txt",)
    assert found.files == ("dev.requirements.txt", "requirements-mypy.txt", "requirements.txt")


@pytest.mark.parametrize(
    ("files", "extras"),
    [
        ({"setup.py": "setup(extras_require={'test': ['x'], \"docs\": []})"}, ("test",)),
        ({"setup.cfg": "[metadata]\nname = x\n[options.extras_require]\ntesting =\n  pytest\n"}, ("testing",)),
    ],
)
def test_setup_files_tell_their_extras(tree: Tree, files: dict[str, str], extras: tuple[str, ...]) -> None:
    found = read(tree, files)
    assert found.buildable and found.extras == extras


def test_configuration_alone_builds_nothing(tree: Tree) -> None:
    found = read(tree, {"pyproject.toml": "[tool.ruff]\nline-length = 100\n", "setup.cfg": "[flake8]\nmax = 1\n"})
    assert not found.buildable


def test_a_file_that_does_not_parse_says_nothing(tree: Tree) -> None:
    assert not read(tree, {"pyproject.toml": "[project", "setup.cfg": "no section"}).buildable


def test_the_key_follows_dependencies_and_what_is_compiled_but_not_code(tree: Tree) -> None:
    files = {"setup.py": "setup()", "x/__init__.py": "", "x/fast.c": "int f;", "x/locale/de/LC_MESSAGES/x.po": ""}
    source = tree(files)
    before = content_hash(source, read_dependencies(source).files)
    (source / "x/__init__.py").write_text("changed")
    assert content_hash(source, read_dependencies(source).files) == before
    (source / "x/fast.c").write_text("int g;")
    assert content_hash(source, read_dependencies(source).files) != before


def test_a_linked_dependency_file_is_not_followed(tree: Tree) -> None:
    source = tree({"a.py": ""})
    (source / "requirements.txt").symlink_to("/etc/hostname")
    assert read_dependencies(source) == Dependencies()


def test_version_plugins_are_told_a_version_unless_the_sources_tell_it(tree: Tree) -> None:
    project = {"pyproject.toml": '[build-system]\nrequires = ["hatchling", "hatch-vcs"]\n'}
    assert version_variables(tree(project), "2.1") == {"SETUPTOOLS_SCM_PRETEND_VERSION": "2.1"}
    assert version_variables(tree({"setup.py": "setup(pbr=True)"}), "2.1") == {"PBR_VERSION": "2.1"}
    assert pretended_versions(tree(project | {"PKG-INFO": "Version: 4.1"}), "2.1") == []
    assert pretended_versions(tree({"pyproject.toml": "[project]\nversion = '1'\n"}), "2.1") == []
    assert pretended_versions(tree(project), "2.1") == ["2.1"]


@pytest.mark.parametrize(
    ("files", "version"),
    [
        ({"src/pkg/__init__.py": '__version__ = "3.2.1.dev0"\n'}, "3.2.1"),
        ({"CHANGELOG.md": "# Changelog\n\n## [Unreleased]\n\n## [2.10.0] - 2024-01-02\n\n## 2.9.1\n"}, "2.10.0"),
        ({"CHANGES.rst": "Changes\n=======\n\nVersion 1.4 (2020-01-01)\n----\n\nVersion 1.3\n---\n"}, "1.4"),
        ({"CHANGELOG.md": "Needs Python 3.9.\n"}, "9999.0.0"),
        ({}, "9999.0.0"),
    ],
)
def test_without_a_tag_the_files_tell_the_version(tree: Tree, files: dict[str, str], version: str) -> None:
    project = {"setup.py": "setup(use_scm_version=True, setup_requires=['setuptools_scm'])"}
    assert pretended_versions(tree(project | files))[0] == version


def test_a_fallback_of_the_plugin_comes_first(tree: Tree) -> None:
    fallback = '[build-system]\nrequires = ["setuptools-scm"]\n[tool.setuptools_scm]\nfallback_version = "5.0"\n'
    files = {"pyproject.toml": fallback, "CHANGELOG.md": "## 2.10.0\n"}
    assert pretended_versions(tree(files)) == ["5.0"]


def test_versioneer_takes_what_git_archive_would_write(tree: Tree) -> None:
    text = '# generated by versioneer\ngit_refnames = "$Format:%d$"\ngit_full = "$Format:%H$"\n'
    source = tree({"pkg/_version.py": text, "setup.py": ""})
    assert pretended_versions(source, "2.1") == ["2.1"]
    tell_versioneer(source, "2.1")
    assert 'git_refnames = " (tag: v2.1)"' in (source / "pkg/_version.py").read_text()
