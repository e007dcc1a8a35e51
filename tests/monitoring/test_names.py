"""Names that are taken for git's own: one list, for the tools and for what is recorded."""

from __future__ import annotations

import pytest

from file_system.errors import FileSystemError
from file_system.paths import check_writable, checked_parts
from git_ops.unsafe_content import refused_name
from monitoring import is_git_name, lists_submodules

_MODULES = ["{}", "src/{}", "{} ", "{}..", "{}::$DATA"]


@pytest.mark.parametrize("name", [".git", ".GIT", ".git. ", "git~1", "GIT~1", ".g\u200cit", ".git::$INDEX_ALLOCATION"])
def test_what_some_file_system_takes_for_git_is_no_name_for_a_file(name: str) -> None:
    assert is_git_name(name)
    with pytest.raises(FileSystemError):
        checked_parts(f"a/{name}/config")


@pytest.mark.parametrize("name", [".gitignore", "git", "git~2", ".git2", "my.git"])
def test_other_names_are_not_taken_for_it(name: str) -> None:
    assert not is_git_name(name) and checked_parts(name) == (name,)


@pytest.mark.parametrize("place", _MODULES)
@pytest.mark.parametrize("name", [".gitmodules", ".GitModules", "gitmod~1", ".gitmodules\u200d"])
def test_tools_and_git_refuse_the_same_lists_of_submodules(name: str, place: str) -> None:
    path = place.format(name)
    assert lists_submodules(path) and refused_name(path, is_new=False)
    with pytest.raises(FileSystemError):
        check_writable(path, [])
