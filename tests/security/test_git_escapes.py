"""Answers that would make git run something: what a model plants, on its way through workbench and git to a landing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from git_ops import GitError
from testing import discard_folder
from tests.orchestrator.house import git
from tests.security.bench import RIGHT, TEST_IDS, Verification, of, verification
from tests.support.rounds import one_in

pytestmark = pytest.mark.probe("hostile")

MARKER = "GIT-RAN-IT"


def config(marker: Path) -> str:
    """A git configuration that runs a program on nearly everything."""
    run = f'"touch {marker}; cat"'
    return (
        f"[core]\n\tfsmonitor = {run}\n\thooksPath = {marker.parent}/hooks\n\tsshCommand = {run}\n\tpager = {run}\n"
        f'[filter "x"]\n\tclean = {run}\n\tsmudge = {run}\n\tprocess = {run}\n[diff "x"]\n\ttextconv = {run}\n'
        f'\tcommand = {run}\n[merge "x"]\n\tdriver = {run}\n[diff]\n\texternal = {run}\n'
    )


def plants(marker: Path) -> dict[str, dict[str, str]]:
    """Files of an answer by what they try; `add` itself is right in all of them."""
    evil = config(marker)
    hook = f"#!/bin/sh\ntouch {marker}\n"
    return {
        "the repository's configuration": {".git/config": evil},
        "a hook": {".git/hooks/post-checkout": hook},
        "a hook in capitals": {".GIT/hooks/post-checkout": hook},
        "the worktree's pointer": {".git": "gitdir: ../evil\n"},
        "a nested repository": {"sub/.git/config": evil, "sub/.git/HEAD": "ref: refs/heads/main\n"},
        "a nested pointer": {"sub/.git": "gitdir: ../evil\n", "evil/config": evil},
        "a bare repository": {"sub/config": evil, "sub/HEAD": "ref: refs/heads/main\n", "sub/objects/x.txt": "x\n",
                              "sub/refs/x.txt": "x\n"},
        "attributes": {".gitattributes": "* filter=x diff=x merge=x ident export-subst working-tree-encoding=UTF-7\n"},
        "attributes of a folder": {"src/.gitattributes": "* filter=x diff=x\n", "src/data.txt": "$Format:%H$\n"},
        "a user's configuration": {".gitconfig": evil, ".config/git/config": evil},
        "large files": {".lfsconfig": evil, ".gitattributes": "* filter=lfs diff=lfs merge=lfs -text\n"},
        "a submodule": {".gitmodules": f'[submodule "x"]\n\tpath = sub\n\turl = ext::sh -c "touch% {marker}"\n'
                                       f"\tupdate = !touch {marker}\n"},
        "hooks in a folder": {".githooks/pre-commit": hook, ".husky/pre-push": hook},
    }  # fmt: skip


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, shared_data: Path) -> Iterator[Verification]:
    with verification(tmp_path_factory.mktemp("escapes"), shared_data) as made:
        yield made


@pytest.mark.parametrize("name", one_in(2, plants(Path("/x"))))
def test_nothing_of_an_answer_makes_git_run_anything(project: Verification, name: str, tmp_path: Path) -> None:
    marker = tmp_path / MARKER
    trial = project.judge(of({"calc.py": RIGHT} | plants(marker)[name]))
    if trial.green:  # harmless as files; then they go all the way
        commit = project.commits.commit_code(trial.tree, project.tests_commit)
        project.commits.facts(project.tests_commit, commit)
        assert project.commits.diff(project.tests_commit, commit)
    assert not marker.exists()
    worktree = project.services.git.worktrees.get(project.task.id)
    assert (worktree.path / ".git").is_file()
    assert not [
        path for path in worktree.path.rglob("*") if path.name.casefold() == ".git" and path.parent != worktree.path
    ]


def test_what_a_landing_carries_runs_nothing(tmp_path: Path, shared_data: Path) -> None:
    """The owner's repository holds the attack already, and its work goes on to the landing branch."""
    marker = tmp_path / MARKER
    planted = {
        ".gitattributes": "* filter=x diff=x merge=x\n",
        ".gitconfig": config(marker),
        ".lfsconfig": config(marker),
    }
    with verification(tmp_path / "house", shared_data, planted) as made:
        trial = made.judge(of({"calc.py": RIGHT}))
        assert trial.green, trial.evidence
        landed = made.commits.land(made.commits.commit_code(trial.tree, made.tests_commit), TEST_IDS)
        assert landed.commit
        assert git(tmp_path / "house/repository", "log", "-1", "--format=%s", "agents/integration") == "Add add"
    assert not marker.exists()


@pytest.mark.parametrize("what", ["a folder", "a link", "a nested repository", "a pointer elsewhere"])
def test_git_is_not_asked_in_a_worktree_that_was_tampered_with(
    project: Verification, what: str, tmp_path: Path
) -> None:
    """As if a test run had reached the worktree: it has only a copy, so this is the second wall."""
    marker = tmp_path / MARKER
    git_folder = tmp_path / "evil"
    git(tmp_path, "init", "-q", str(git_folder))
    (git_folder / ".git/config").write_text("[core]\n\trepositoryformatversion = 0\n" + config(marker))
    bench = project.bench
    worktree = project.services.git.worktrees.get(project.task.id)
    pointer = worktree.path / ".git"
    kept = pointer.read_text()
    try:
        if what == "a nested repository":
            (git_folder / ".git").rename(worktree.path / "src.git.tmp")
            (worktree.path / "sub").mkdir(exist_ok=True)
            (worktree.path / "src.git.tmp").rename(worktree.path / "sub/.git")
        else:
            pointer.unlink()
            if what == "a folder":
                (git_folder / ".git").rename(pointer)
            elif what == "a link":
                pointer.symlink_to(git_folder / ".git")
            else:
                pointer.write_text(f"gitdir: {git_folder}/.git\n")
        with pytest.raises(GitError):
            bench.written(project.tests_commit, ("tests/test_add.py",))
    finally:
        discard_folder(worktree.path / "sub")
        if pointer.is_dir() and not pointer.is_symlink():
            discard_folder(pointer)
        pointer.unlink(missing_ok=True)
        pointer.write_text(kept)
    assert not marker.exists()
