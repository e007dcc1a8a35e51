"""One look at the forge: labelled issues become tasks, what people say there counts, what the team says goes back.

The forge is asked for what is there now; a round that was cut short, or is done twice, does nothing a second time: an
issue has its task's id before the task is made, and each text carries a mark by which it is found again.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable

from pydantic import BaseModel

from config import Settings
from forge import Forge, Issue, Person, Remark
from memory import (
    ENDED,
    OPEN,
    ForgeKind,
    ForgeThread,
    MemoryStore,
    Task,
    TaskKind,
    TaskStatus,
    TaskType,
    UnknownTask,
    new_task_id,
)
from owner import actions
from owner.errors import OwnerError
from owner.forge_texts import is_marked, mark_of, sayings

SOURCE = "forge"
"""`Task.source` of what came from there: its words are somebody else's, so prompts hold them in data blocks."""
_AGENT = "forge"
_MOST_BODY, _MOST_NOTE, _MOST_TITLE = 16_000, 2_900, 250
_MOST_HEARD = 2000
"""Comments of a thread, from the newest, that are read."""
_KNOWN_SECONDS = 300.0
"""For how long it is remembered who may push."""
_KINDS = {kind.value: kind for kind in TaskKind} | {
    "bug": TaskKind.BUGFIX,
    "enhancement": TaskKind.FEATURE,
    "refactor": TaskKind.REFACTORING,
    "test": TaskKind.TESTS,
    "docs": TaskKind.DOCUMENTATION,
}
"""Labels that say what kind of work an issue is."""


class Round(BaseModel):
    """What one look at the forge did."""

    issues: int = 0
    """Open ones with the label."""
    tasks: int = 0
    """New ones."""
    answers: int = 0
    """Words of people that the team was told."""
    comments: int = 0
    """Written there."""
    requests: int = 0
    """Opened."""
    reworks: int = 0
    """Remarks and failed checks that became work."""
    ended: int = 0
    """Requests that were merged or closed."""


class ForgeDesk:
    """Reads and writes at the forge for one project."""

    def __init__(self, settings: Settings, store: MemoryStore, forge: Forge, wake: Callable[[], None]) -> None:
        self.settings, self.store, self.forge, self.wake = settings, store, forge, wake
        self._may: dict[int, tuple[float, bool]] = {}
        self._secret = _secret_of(store)
        self.place = settings.forge.place
        self.done = Round()

    def round(self) -> Round:
        """Look once. Raises `ForgeError`; what was done until then is remembered."""
        from owner.forge_requests import Requests

        self.done = Round()
        Requests(self).look()
        self._look_at_issues()
        return self.done

    # -- issues ----------------------------------------------------------------------------------------------

    def _look_at_issues(self) -> None:
        found = {issue.number: issue for issue in self.forge.issues(self.settings.forge.label)}
        self.done.issues = len(found)
        for issue in found.values():
            self._issue(issue)
        for thread in self.store.forge.select(self.place, "issue", "taken", "stranger"):
            if thread.number not in found:
                self._gone(thread)

    def _issue(self, issue: Issue) -> None:
        store = self.store.forge
        thread = store.get(self.place, "issue", issue.number)
        if thread is None:
            status = "taken" if self.may(issue.author) else "stranger"
            if status == "stranger":
                self.store.journal.log(_AGENT, "issue of a stranger", None, number=issue.number, by=issue.author.name)
            thread = store.add(
                self.place, "issue", issue.number, "stranger", title=issue.title[:_MOST_TITLE],
                author=issue.author.name, url=issue.url,
            )  # fmt: skip
            if status == "taken":
                thread = self._take(thread, issue)
        remarks = None
        if thread.status == "stranger":
            if thread.state.updated == issue.updated:
                return
            remarks = self.forge.remarks("issue", issue.number)
            asked = any(each.body.strip().startswith("/take") and self.may(each.author) for each in remarks)
            thread = self._take(thread, issue) if asked else thread
            if not asked:
                self._keep(thread, **_looked_at(thread, issue))
                return
        if thread.status == "over":
            thread = self._reopened(thread)
        task = self._task_of(thread, issue)
        thread, task = self._reworded(thread, issue, task)
        self._talk(thread, issue, task, remarks)

    def _take(self, thread: ForgeThread, issue: Issue) -> ForgeThread:
        """The issue is to become a task: which one is written down first."""
        changed = thread.model_copy(
            update={
                "status": "taken",
                "task_id": thread.task_id or new_task_id(),
                "state": thread.state.model_copy(update={"words": _digest(issue), "label": self.settings.forge.label}),
            }
        )
        self.store.forge.keep(changed)
        return changed

    def _task_of(self, thread: ForgeThread, issue: Issue) -> Task:
        assert thread.task_id
        try:
            return self.store.tasks.get(thread.task_id)
        except UnknownTask:
            title, description = _words_of(issue)
            task = Task(
                id=thread.task_id, title=title, description=description, type=TaskType.CODE, kind=_kind_of(issue),
                source=SOURCE,
            )  # fmt: skip
        if self.store.tasks.add(task):
            self.store.journal.log(_AGENT, "task added", task.id, title=task.title, source=f"issue {issue.number}")
            self.done.tasks += 1
            self.wake()
        return task

    def _reworded(self, thread: ForgeThread, issue: Issue, task: Task) -> tuple[ForgeThread, Task]:
        """Take over an edit: of what has not begun as it is, else the work begins anew. Done work stays done."""
        if thread.state.words == _digest(issue) or not self.may(issue.author):
            return thread, task
        if task.status is not TaskStatus.COMPLETED:
            title, description = _words_of(issue)
            self.store.tasks.update(task.id, title=title, description=description)
            self.store.journal.log(_AGENT, "issue edited", task.id, title=issue.title, issue=issue.number)
            if task.status not in (TaskStatus.PENDING, TaskStatus.CANCELLED):
                if task.status in OPEN:
                    self.store.commands.send("cancel", task.id)
                self.store.commands.send("retry", f"{task.id} anew")
                self.wake()
            task = self.store.tasks.get(task.id)
        return self._keep(thread, words=_digest(issue)), task

    def _gone(self, thread: ForgeThread) -> None:
        """It is closed, or its label was taken away: then it is no work any more, unless a merge closed it."""
        issue = self.forge.issue(thread.number)
        label = thread.state.label or self.settings.forge.label
        if issue and issue.is_open and label.lower() in [each.lower() for each in issue.labels]:
            if thread.status == "taken":  # another label is looked for by now, or the list's pages moved
                self._issue(issue)
            return
        task = self._known_task(thread)
        if task and task.status not in ENDED:
            from owner.forge_requests import Requests

            requests = self.store.forge.of_task(task.id, "request")
            merged = [Requests(self).is_merged(each) for each in requests]
            if any(merged):
                return  # told below once the task has seen it, too
            why = "it was closed" if not issue or not issue.is_open else "its label was taken away"
            self.store.journal.log(_AGENT, "issue withdrawn", task.id, title=task.title, why=why)
            self.store.commands.send("cancel", task.id)
            self.wake()
        elif task and issue:
            self._inform(thread, task)
        self.store.forge.keep(thread.model_copy(update={"status": "over"}))

    def _reopened(self, thread: ForgeThread) -> ForgeThread:
        task = self._known_task(thread)
        if task and task.status is TaskStatus.CANCELLED:
            self.store.commands.send("retry", f"{task.id} anew")
            self.wake()
        changed = thread.model_copy(update={"status": "taken" if thread.task_id else "stranger"})
        self.store.forge.keep(changed)
        return changed

    # -- what is said ----------------------------------------------------------------------------------------

    def _talk(self, thread: ForgeThread, issue: Issue, task: Task, remarks: list[Remark] | None) -> None:
        """Hear what people wrote, then write what they have not been told."""
        first = not thread.state.seen
        if thread.state.updated != issue.updated:
            remarks = self.forge.remarks("issue", issue.number) if remarks is None else remarks
            new = self.unheard(thread, remarks)
            if not first:
                for remark in new:
                    self._answer(task, remark)
            thread = self._keep(thread, heard=heard(thread, remarks), **_looked_at(thread, issue))
        self._inform(thread, task)

    def _inform(self, thread: ForgeThread, task: Task) -> None:
        """Write what an issue has not been told of its task."""
        if not self.settings.forge.comments:
            return
        requests = self.store.forge.of_task(task.id, "request")
        sign = "!" if self.settings.forge.provider == "gitlab" else "#"
        told = [each for each in sayings(self.store, task, requests, sign) if each[0] not in thread.state.said]
        if told:
            self.say(thread, told)

    def say(self, thread: ForgeThread, told: list[tuple[str, str]]) -> ForgeThread:
        """Write what has not been written there; what a crash left unrecorded is found by its mark."""
        there = "\n".join(each.body[:60] for each in self.forge.remarks(thread.kind, thread.number))
        for key, text in told:
            mark = mark_of(self._secret, thread.kind, thread.number, key)
            if mark not in there:
                self.forge.comment(thread.kind, thread.number, f"{mark}\n{text}")
                self.done.comments += 1
            thread = self._keep(thread, said=[*thread.state.said, key])
        return thread

    def unheard(self, thread: ForgeThread, remarks: list[Remark]) -> list[Remark]:
        """What people who may say something wrote since the last time."""
        known = set(thread.state.heard)
        new = [each for each in remarks[-_MOST_HEARD:] if each.id not in known and not is_marked(each.body)]
        return [each for each in new if self.may(each.author)]

    def _answer(self, task: Task, remark: Remark) -> None:
        """Tell the team what somebody wrote below an issue."""
        task = self.store.tasks.get(task.id)
        words, by = remark.body.strip()[:_MOST_NOTE], f"{remark.author.name} (forge)"
        order = words.split()[0].lower() if words.startswith("/") else ""
        try:
            if order in ("/cancel", "/reject"):
                actions.cancel(self.store, task, by)
            elif order == "/retry":
                actions.retry(self.store, task, by)
            elif _takes(task, words, order):
                actions.approve(self.store, task, "" if order else words, by)
            elif task.status is TaskStatus.PENDING and words and not order and words not in task.description:
                added = f"{task.description}\n\n{remark.author.name} adds:\n\n{words}".strip()
                self.store.tasks.update(task.id, description=added)
            else:
                return
        except OwnerError:  # the task has moved on since: there is nothing to be done with these words
            return
        self.done.answers += 1
        self.wake()

    # -- for both halves -------------------------------------------------------------------------------------

    def may(self, person: Person) -> bool:
        """Whether a person's issues and words count."""
        chosen = self.settings.forge
        if not person.name:
            return False
        if person.name.lower() in [name.lower() for name in chosen.people]:
            return True
        if not chosen.writers:
            return False
        since, may = self._may.get(person.id, (float("-inf"), False))
        if time.monotonic() - since > _KNOWN_SECONDS:
            may = self.forge.may_write(person)
            self._may[person.id] = time.monotonic(), may
        return may

    def mark(self, kind: ForgeKind, number: int, key: str) -> str:
        """The mark of something that is said once in one place."""
        return mark_of(self._secret, kind, number, key)

    def _known_task(self, thread: ForgeThread) -> Task | None:
        try:
            return self.store.tasks.get(thread.task_id) if thread.task_id else None
        except UnknownTask:
            return None

    def _keep(self, thread: ForgeThread, **changes: object) -> ForgeThread:
        return keep(self.store, thread, **changes)


def keep(store: MemoryStore, thread: ForgeThread, **changes: object) -> ForgeThread:
    """Remember what has changed in the state of a thread."""
    changed = thread.model_copy(update={"state": thread.state.model_copy(update=changes)})
    store.forge.keep(changed)
    return changed


def heard(thread: ForgeThread, remarks: list[Remark]) -> list[str]:
    """What counts as read, once these have been."""
    return list(dict.fromkeys([*thread.state.heard, *(each.id for each in remarks)]))[-_MOST_HEARD:]


def _takes(task: Task, words: str, order: str) -> bool:
    """Whether a task waits for words like these: an answer, `/approve`, or what helps it out of where it stands."""
    if task.status is TaskStatus.WAITING_APPROVAL:
        return bool(task.question and not order) or order == "/approve"
    return task.status in (TaskStatus.BLOCKED, TaskStatus.FAILED) and bool(words)


def _looked_at(thread: ForgeThread, issue: Issue) -> dict[str, str]:
    """What is kept of a look: all was read up to a change that an earlier look had seen, too."""
    updated = issue.updated if thread.state.seen == issue.updated else thread.state.updated
    return {"seen": issue.updated, "updated": updated}


def _secret_of(store: MemoryStore) -> str:
    """What marks are made with; it stays the same for the life of the database."""
    known = store.journal.recall(_AGENT, "mark")
    if not isinstance(known, str) or not known:
        known = secrets.token_hex(16)
        store.journal.remember(_AGENT, "mark", known)
    return known


def _digest(issue: Issue) -> str:
    return hashlib.sha256(f"{issue.title}\n{issue.body}".encode()).hexdigest()[:32]


def _words_of(issue: Issue) -> tuple[str, str]:
    title = " ".join(issue.title.split())[:_MOST_TITLE] or f"Issue {issue.number}"
    return title, issue.body.strip()[:_MOST_BODY]


def _kind_of(issue: Issue) -> str:
    found = [_KINDS[label.lower()] for label in issue.labels if label.lower() in _KINDS]
    return found[0].value if found else ""
