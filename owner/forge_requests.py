"""Requests at the forge: one for each task that waits to be merged, or one for all that has landed.

What reviewers write and what continuous integration finds becomes work on the same task; the flow of the task reads it
(`orchestrator/flows/request.py`) as soon as it is told to go on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from forge import ForgeRefused, Request
from git_ops import TASK_BRANCH
from memory import MERGE_GATE, Feedback, ForgeThread, Task, TaskStatus, TaskType, UnknownTask
from owner.forge_desk import heard, keep
from owner.forge_texts import integration_text, request_text

if TYPE_CHECKING:
    from owner.forge_desk import ForgeDesk

_MOST_FEEDBACK = 3_000
"""Characters of one remark that the team is told."""
_MOST_KEPT, _MOST_REMARKS = 24_000, 100
"""Characters that are kept of what was said of one request, and how many remarks."""
_NOTHING_BETWEEN = 422
_MOST_LISTED = 50


class Requests:
    """The half of the desk that is about requests."""

    def __init__(self, desk: ForgeDesk) -> None:
        self._desk, self._store, self._forge = desk, desk.store, desk.forge
        self._git = desk.settings.git

    def look(self) -> None:
        """Open what is missing, and follow what is open."""
        for thread in self._store.forge.select(self._desk.place, "request", "open"):
            self._follow(thread)
        if self._git.landing == "pull_request":
            for task in self._store.tasks.select([TaskStatus.WAITING_APPROVAL], limit=1000):
                if task.result.get("waiting_for") == MERGE_GATE:
                    self._ensure(task)
        elif self._git.landing == "integration" and self._desk.settings.forge.request_for_integration:
            self._ensure_integration()

    def is_merged(self, thread: ForgeThread) -> bool:
        """Whether a request is merged by now."""
        return (self._follow(thread) if thread.status == "open" else thread).status == "merged"

    # -- opening ---------------------------------------------------------------------------------------------

    def _ensure(self, task: Task) -> None:
        """See that a task has its request. One that was opened before a crash is found by its branch."""
        known = self._of_task(task)
        if opened := next((thread for thread in known if thread.status == "open"), None):
            if opened.state.run != task.run:  # the task was tried again
                keep(self._store, opened, run=task.run, feedback=[])
            return
        if ended := next((thread for thread in known if thread.state.run == task.run), None):
            self._tell(task, "approve" if ended.status == "merged" else "cancel")
            return
        head, tip = f"{TASK_BRANCH}{task.id}", self._forge.tip(f"{TASK_BRANCH}{task.id}")
        commits = task.result.get("landed_commits")
        if not tip or not isinstance(commits, list) or tip not in commits:
            return  # it is not pushed yet
        numbers = {thread.number for thread in known}
        found = [each for each in self._forge.requests_of(head) if each.number not in numbers]
        request = next((each for each in found if each.state != "closed" and each.commit == tip), None)
        if request is None:
            request = self._forge.open_request(head, self._git.branch, *self._text(task))
            self._desk.done.requests += 1
        thread = self._remember(request, task.id, f"text {tip}", task.run)
        self._store.journal.log("forge", "request opened", task.id, title=task.title, number=thread.number)

    def _text(self, task: Task) -> tuple[str, str]:
        issue = next(iter(self._store.forge.of_task(task.id, "issue")), None)
        gitlab = self._desk.settings.forge.provider == "gitlab"
        mark = self._desk.mark("request", 0, task.id)
        return request_text(
            self._store, task, issue.number if issue else None, mark, "merge request" if gitlab else "pull request"
        )

    def _remember(self, request: Request, task_id: str | None, said: str, run: int = 0) -> ForgeThread:
        thread = self._store.forge.add(
            self._desk.place,
            "request",
            request.number,
            "open",
            task_id=task_id,
            title=request.title[:250],
            url=request.url,
        )
        return keep(self._store, thread, said=[*thread.state.said, said], run=run)

    def _ensure_integration(self) -> None:
        branch = self._git.integration_branch
        ours, base = self._forge.tip(branch), self._forge.tip(self._git.branch)
        known = self._store.journal.recall("forge", "integration")
        if not ours or ours == base or known == ours:
            return
        opened = [
            thread for thread in self._store.forge.select(self._desk.place, "request", "open") if thread.task_id is None
        ]
        since = self._store.forge.select(self._desk.place, "request", "merged")
        tasks = [
            task
            for task in self._store.tasks.select([TaskStatus.COMPLETED], type=TaskType.CODE, limit=_MOST_LISTED)
            if task.result.get("landed_commits")
            and not (since and task.finished_at and task.finished_at < since[0].updated_at)
        ]
        text = integration_text(tasks, self._desk.mark("request", 0, branch), branch)
        request = next((each for each in self._forge.requests_of(branch) if each.state == "open"), None)
        try:
            if request:
                self._forge.reword_request(request.number, *text)
            else:
                request = self._forge.open_request(branch, self._git.branch, *text)
                self._desk.done.requests += 1
        except ForgeRefused as refused:
            if refused.status != _NOTHING_BETWEEN:
                raise
            request = None  # all of it is merged already
        if request and request.number not in [thread.number for thread in opened]:
            self._remember(request, None, f"text {ours}")
        self._store.journal.remember("forge", "integration", ours)

    # -- following -------------------------------------------------------------------------------------------

    def _follow(self, thread: ForgeThread) -> ForgeThread:
        request = self._forge.request(thread.number)
        task = self._task_of(thread)
        if request is None or request.state != "open":
            return self._ended(thread, request, task)
        if task is None:
            return thread
        thread = self._remarks(thread, task)
        if _waits(task):
            thread = self._checks(thread, request, task)
            self._have_it_done(thread, request, task)
        return thread

    def _ended(self, thread: ForgeThread, request: Request | None, task: Task | None) -> ForgeThread:
        """It was merged, or closed without. The task is told at the end of the round, also after a crash here."""
        state = request.state if request else "closed"
        thread = thread.model_copy(update={"status": state})
        thread = keep(self._store, thread, merged_as=request.merged_as if request else "")
        self._desk.done.ended += 1
        if task:
            self._store.journal.log("forge", f"request {state}", task.id, title=task.title, number=thread.number)
        return thread

    def _remarks(self, thread: ForgeThread, task: Task) -> ForgeThread:
        remarks = self._forge.remarks("request", thread.number)
        new = [each for each in self._desk.unheard(thread, remarks) if each.body.strip() or each.wants_changes]
        added = [
            Feedback(id=each.id, by=each.author.name, place=each.place, text=each.body.strip()[:_MOST_FEEDBACK])
            for each in new
        ]
        if set(thread.state.heard) >= {each.id for each in remarks}:
            return thread
        return self._add(thread, task, added, heard=heard(thread, remarks))

    def _checks(self, thread: ForgeThread, request: Request, task: Task) -> ForgeThread:
        """What fails at the forge on what was pushed last."""
        commits = task.result.get("landed_commits")
        if thread.state.checked == request.commit or not isinstance(commits, list) or request.commit not in commits:
            return thread
        if request.conflicts:
            told = f"the request cannot be merged any more: {request.base} has changed the same places"
        else:
            checks = self._forge.checks(request.head, request.commit)
            if checks.state != "bad":
                return thread
            told = f"continuous integration fails on {request.commit[:12]}: {checks.told}"
        found = Feedback(id=f"checks {request.commit}", text=told)
        return self._add(thread, task, [found], checked=request.commit)

    def _add(self, thread: ForgeThread, task: Task, added: list[Feedback], **changes: object) -> ForgeThread:
        for each in added:
            self._desk.done.reworks += 1
            told = " ".join(each.text.split())[:300]
            self._store.journal.log("forge", "request remarked", task.id, title=task.title, by=each.by, text=told)
        all_of_it = [*thread.state.feedback, *added]
        room = _MOST_KEPT  # the newest in full, as far as they fit; their number stays
        for place in range(len(all_of_it) - 1, -1, -1):
            room -= len(all_of_it[place].text)
            if room < 0:
                all_of_it[place] = all_of_it[place].model_copy(update={"text": all_of_it[place].text[:60]})
        return keep(self._store, thread, feedback=all_of_it[:_MOST_REMARKS], **changes)

    def _have_it_done(self, thread: ForgeThread, request: Request, task: Task) -> None:
        """Let the task go on where something is new; say what came of what was said before."""
        done, rounds = _number(task, "remarks_taken"), _number(task, "reworks")
        told, most = [], self._desk.settings.forge.most_reworks
        if len(thread.state.feedback) > done:
            if rounds < most:
                self._tell(task, "approve")
                return
            told.append((f"enough {done}", f"This was reworked {rounds} times, and forge.most_reworks is {most}: the "
                         "team leaves the rest to you. Push to the branch, merge, or close it."))  # fmt: skip
        commits = task.result.get("landed_commits")
        if rounds and isinstance(commits, list) and request.commit in commits:
            key = f"text {request.commit}"
            if key not in thread.state.said:
                self._forge.reword_request(thread.number, *self._text(task))
                thread = keep(self._store, thread, said=[*thread.state.said, key])
            told.append((f"reworked {rounds}", f"Reworked, and verified by the whole suite: {request.commit}."))
        if told := [each for each in told if each[0] not in thread.state.said]:
            self._desk.say(thread, told)

    def _tell(self, task: Task, command: str) -> None:
        seen = f" {task.approval_key}" if command == "approve" else ""
        self._store.commands.send(command, f"{task.id}{seen}")
        self._desk.wake()

    def _of_task(self, task: Task) -> list[ForgeThread]:
        found = self._store.forge.of_task(task.id, "request")
        return [thread for thread in found if thread.place == self._desk.place]

    def _task_of(self, thread: ForgeThread) -> Task | None:
        try:
            return self._store.tasks.get(thread.task_id) if thread.task_id else None
        except UnknownTask:
            return None


def _waits(task: Task) -> bool:
    return task.status is TaskStatus.WAITING_APPROVAL and task.result.get("waiting_for") == MERGE_GATE


def _number(task: Task, name: str) -> int:
    found = task.result.get(name)
    return found if isinstance(found, int) else 0
