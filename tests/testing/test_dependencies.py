from __future__ import annotations

import pytest

from testing.environments.python_dependencies import Dependencies, content_hash, read_dependencies, version_variables
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
    assert version_variables(tree(project)) == {"SETUPTOOLS_SCM_PRETEND_VERSION": "0.0.0"}
    assert version_variables(tree(project | {"PKG-INFO": "Version: 4.1"})) == {}
    assert version_variables(tree({"setup.py": "setup(pbr=True)"})) == {"PBR_VERSION": "0.0.0"}
