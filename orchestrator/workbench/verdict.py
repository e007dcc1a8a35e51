"""Whether a developer's change is green: the new tests, then the whole suite. Every method can be repeated."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from pathlib import PurePosixPath

from file_system import FileManager, readable_text
from memory import Task
from orchestrator.baseline import Baseline
from orchestrator.services import Services
from orchestrator.workbench.brought import lines_brought
from orchestrator.workbench.doubts import Doubts
from orchestrator.workbench.protected import refusal
from orchestrator.workbench.trial import Trial, evidence_without, files_of, listed, not_passed
from testing import TestResult, declared_sources

_NEW_TESTS_SECONDS = 15.0
"""Time for the new tests of a task beyond that of the whole suite: an answer that loops for ever must not block the
developer for long, nor the cores that an embedded model needs."""
_SHORT_SUITE = 5.0
"""A suite that takes less, in seconds, is run at once: the start of a run is most of its time."""


class Judge:
    """Verdicts on trees of one task, each compared with the base that the task's worktree was made on."""

    def __init__(self, services: Services, task: Task) -> None:
        self._services = services
        self._git = services.git
        self._suite = services.suite
        self._task = task

    def refusal(self, files: FileManager, tests_commit: str, tree: str) -> str:
        """Why the change from QA's commit to `tree`, which is in `files`, is not run; empty if it is."""

        def before(path: str) -> str:
            return self._suite.text_of(tests_commit, path)

        changes = self._git.commits.changed_files(tests_commit, tree)
        known = self._suite.baseline(self._base, self._task.id)
        collected = files_of([*known.passed, *known.failed])
        for path in (change.old_path or change.path for change in changes if change.status != "added"):
            if path in collected and (lost := _changed_tests(path, before(path), readable_text(files, path))):
                return f"a developer changes no tests, and {path} holds some of the suite: {listed(lost)}"
        return refusal(files, changes, before, f"{self._task.title}\n{self._task.description}")

    def run(self, tree: str, selection: Sequence[str]) -> TestResult:
        """Run tests of a tree in the sandbox, with the time limit of new tests."""
        before = self._suite.baseline(self._base, self._task.id)
        return self._suite.run(tree, selection, self._task.id, self._seconds(before))

    def verdict(
        self, tree: str, test_ids: Sequence[str], hidden: Collection[str] = (), since: str = "", *, likely: bool = False
    ) -> Trial:
        """Run the new tests, if there are any, then the suite, and compare it with the base. If the suite is short, one
        run gives both. `since`: the commit that a developer began with, whose tests are all that may be collected.
        `likely`: it is likely to be green; then that run is made with twins of the new tests at once."""
        trial, took = Trial(applied=True, tree=tree), 0.0
        before, files = self._suite.baseline(self._base, self._task.id), files_of(test_ids)
        seconds = self._seconds(before)
        doubts = Doubts(
            *(self._suite, self._task, self._base, tree),
            seconds=seconds,
            hidden=hidden,
            brought=lambda: lines_brought(self._git, self._base, tree),
        )
        is_short = before.seconds < _SHORT_SUITE
        with_twins = outside = None
        if is_short and likely and test_ids and not self._task.tests:
            with ThreadPoolExecutor(1, thread_name_prefix="outside") as beside:  # each waits for a sandbox of its own
                outside = beside.submit(copy_context().run, doubts.outside, test_ids)
                with_twins = doubts.all_at_once(test_ids)
        both = with_twins or (self._suite.whole(tree, self._task.id, seconds) if is_short else None)
        if test_ids:
            result = both.result.of_files(files) if both else self.run(tree, files)
            took = result.duration
            self._note_tier(result.tier)
            trial = Trial.of(result, tree, about=test_ids)
            if missing := not_passed(test_ids, trial.passed):
                return trial.red(result, missing, hidden)
        found = self._suite.compare(tree, before, self._task.id, both)
        whole = found.result
        if found.flaky:
            self._services.store.journal.log("qa", "flaky tests", self._task.id, tests=[*found.flaky])
        missing = not_passed(test_ids, whole.passed_ids)
        if missing or not found.holds:
            told = evidence_without(whole, hidden, known={*before.failed, *found.flaky})
            told = told or f"these tests no longer pass: {listed(found.worse or missing, hidden)}"
            return trial.model_copy(
                update={"green": False, "evidence": f"the new tests pass, but the suite does not:\n{told}"}
            )
        if since and (strange := self._collected_anew(since, tree, whole, {*files_of(before.passed), *files})):
            named = listed(strange)
            told = f"the suite collects {named}, which holds no tests of the task; a developer writes none"
            return trial.model_copy(update={"green": False, "evidence": told})
        doubt = outside.result() if with_twins and outside else doubts.about(trial.passed, test_ids, took)
        return trial.model_copy(update={"green": not doubt, "evidence": doubt})

    def compared(self, tree: str) -> str:
        """The suite of a tree in words for a model: what passes, and what fails or is missing that did not before."""
        before = self._suite.baseline(self._base, self._task.id)
        found = self._suite.compare(tree, before, self._task.id)
        known = [*before.failed, *found.flaky]
        lines = [f"{len(found.result.passed_ids)} passed; {len(found.worse)} fail, or are gone, that did not before"]
        if before.failed:
            lines.append(f"{len(before.failed)} failed before the work already and do not count")
        if found.flaky:
            lines.append(f"flaky, passed when they ran again: {listed(found.flaky)}")
        if found.worse:
            lines.append(evidence_without(found.result, (), known=known) or listed(found.worse))
        if not found.is_judged:
            lines.append(found.result.problem or "the run gave no verdict")
        return "\n".join(lines)

    def _collected_anew(self, since: str, tree: str, whole: TestResult, known: Collection[str]) -> list[str]:
        """Files of a developer's that the suite takes for tests, whatever their names."""
        changed = {change.path for change in self._git.commits.changed_files(since, tree)}
        collected = files_of([test_id for test_id in whole.test_ids if not _is_example(test_id)])
        return [path for path in collected if path in changed and path not in known]

    def _seconds(self, before: Baseline) -> float:
        """The time for new tests: longer if the whole suite takes long, because slow imports may be the cause."""
        return min(_NEW_TESTS_SECONDS + before.seconds, self._suite.timeout)

    def _note_tier(self, tier: int) -> None:
        """Record in the trail when the confinement of models' code changes, which depends on the machine."""
        store, key = self._services.store, "sandbox tier"
        before = store.journal.recall("orchestrator", key)
        if before != tier:
            store.journal.remember("orchestrator", key, tier)
            store.journal.log("orchestrator", "sandbox tier changed", self._task.id, before=before, after=tier)

    @property
    def _base(self) -> str:
        return self._git.worktrees.get(self._task.id).base_commit


def _is_example(test_id: str) -> bool:
    """Whether it is a doctest, which a developer may well write: named after a module, or what is in it."""
    path, _, name = test_id.partition("::")
    return "::" not in name and ("." in name or name == PurePosixPath(path).stem)


def _changed_tests(path: str, before: str, after: str) -> list[str]:
    """The tests of a file, whatever its name, that are not what they were; those of code that holds some, too."""
    old, new = declared_sources(before, path), declared_sources(after, path)
    return [test_id.partition("::")[2] for test_id, source in old.items() if new.get(test_id) != source]
