"""What is written at the forge: comments below issues and requests, and the text above a request.

Each begins with a mark that nobody else can make for this place, so that after a crash nothing is written twice. What
models and tests said in it calls nobody by name, closes no issue, and is cut.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Iterator, Sequence

from memory import ForgeKind, ForgeThread, MemoryStore, ProofOutcome, SuiteQuality, Task, TaskStatus
from monitoring import redact, without_unseen
from owner.words import GATES, count, reason_words

MOST_TEXT = 12_000
"""Characters of one text."""
_MOST_PART = 3_000
_MARK = re.compile(r"<!-- agents:([0-9a-f]{20}) -->")
_NOTHING = "\u200b"


def mark_of(secret: str, kind: ForgeKind, number: int, key: str) -> str:
    """The mark of something that is said once in one place."""
    said = hmac.new(secret.encode(), f"{kind} {number} {key}".encode(), hashlib.sha256).hexdigest()
    return f"<!-- agents:{said[:20]} -->"


def is_marked(body: str) -> bool:
    """Whether a text begins as ours do."""
    return bool(_MARK.match(body))


def quiet(text: str, most: int = _MOST_PART) -> str:
    """Words that others made, which do nothing but stand there."""
    text = without_unseen(redact(text.strip()))
    text = text if len(text) <= most else f"{text[:most]} …"
    text = re.sub(r"(?<!\w)@(?=\w)", f"@{_NOTHING}", text)
    text = re.sub(r"([#!])(?=\d)", rf"\1{_NOTHING}", text)
    return text.replace("<!--", f"<!{_NOTHING}--")


def quoted(text: str) -> str:
    """The same as a quotation."""
    return "\n".join(f"> {line}" for line in quiet(text).splitlines())


def sayings(store: MemoryStore, task: Task, requests: Sequence[ForgeThread], sign: str) -> Iterator[tuple[str, str]]:
    """What an issue is told of its task as it stands: a key, by which it is said once, and the words. `sign`: how the
    forge writes the number of a request."""
    yield "taken", f"The team has taken this up as `{task.id}`."
    for request in reversed(requests):
        yield f"request {request.number}", f"The change is proposed in {sign}{request.number}."
    if task.status is TaskStatus.WAITING_APPROVAL:
        yield from _waiting(task)
    elif task.status is TaskStatus.COMPLETED:
        yield f"completed {task.run}", "\n\n".join(["The work is done.", *evidence_of(store, task)])
    elif task.status in (TaskStatus.FAILED, TaskStatus.BLOCKED):
        why = reason_words(task.reason.value) if task.reason else "nobody said why"
        told = [f"The team could not do it: {why}.", quoted(task.reason_detail) if task.reason_detail else ""]
        told.append("A comment is taken as an answer, and it is tried again with that; `/cancel` puts it aside.")
        key = hashlib.sha256(task.reason_detail.encode()).hexdigest()[:8]
        yield f"{task.status} {task.run} {key}", "\n\n".join(filter(None, told))
    elif task.status is TaskStatus.CANCELLED:
        yield f"cancelled {task.run}", "The work on this was stopped."


def _waiting(task: Task) -> Iterator[tuple[str, str]]:
    gate = str(task.result.get("waiting_for") or "")
    if task.question:
        told = f"The team asks:\n\n{quoted(task.question)}\n\nA comment below is taken as the answer."
        yield f"asks {task.approval_key}", told
    elif gate and gate != "merge" and not task.result.get("suggested"):
        told = f"The work waits for a word {GATES.get(gate, gate)}: comment `/approve` or `/reject`."
        yield f"waits {task.approval_key}", told


def evidence_of(store: MemoryStore, task: Task) -> list[str]:
    """What shows that the work is good, and what it cost."""
    result, lines = task.result, []
    tests = result.get("tests_ids")
    if isinstance(tests, list) and tests:
        red = result.get("red_count")
        lines.append(f"{count(len(tests), 'new test')}, of which {red} failed before the change")
    if isinstance(found := result.get("quality"), dict):
        lines.append(str(SuiteQuality.model_validate(found)))
    if isinstance(proofs := result.get("proofs"), list):
        lines += [str(ProofOutcome.model_validate(each)) for each in proofs]
    verdicts = [each for each in store.evidence.verdicts(task.id, run=task.run) if each.stage == "review"]
    if verdicts:
        last = verdicts[-1]
        told = f"review: {'accepted' if last.approved else 'not accepted'}, {last.score:g} of 10"
        lines.append(f"{told} ({' '.join(last.reasoning.split())})" if last.reasoning else told)
    if isinstance(commits := result.get("landed_commits"), list) and commits:
        lines.append(f"the whole suite passed on {str(commits[-1])[:12]} ({count(len(commits), 'commit')})")
    shown = [quiet(line, 400) for line in lines]
    return [*(["**Evidence**\n\n" + "\n".join(f"- {line}" for line in shown)] if shown else []), cost_of(store, task)]


def cost_of(store: MemoryStore, task: Task) -> str:
    """What the task has used, in a sentence."""
    rows = store.ledger.usage("task", task_ids=[task.id])
    calls, tokens = sum(row.calls for row in rows), sum(row.input_tokens + row.output_tokens for row in rows)
    priced = [row.cost_usd for row in rows if row.cost_usd is not None]
    money = f"${sum(priced):.4f}, " if priced else ""
    return f"**Cost**: {money}{count(calls, 'model call')}, {count(tokens, 'token')}."


def request_text(store: MemoryStore, task: Task, issue: int | None, mark: str, language: str) -> tuple[str, str]:
    """Title and text of the request of a task. `language`: of the forge, which closes an issue by a word."""
    title = quiet(" ".join(task.title.split()), 200)
    closes = f"Closes #{issue}" if issue else ""
    asked = f"**What was asked**\n\n{quoted(task.title)}\n>\n{quoted(task.description)}"
    summary = str(task.result.get("summary") or "")
    said = f"**What was done**\n\n{quiet(summary)}" if summary else ""
    follows = (
        f"Task `{task.id}`. A comment or review of somebody who may push becomes work on it; merging it completes the "
        f"task, closing this {language} cancels it."
    )
    parts = [mark, closes, asked, said, *evidence_of(store, task), follows]
    return title, "\n\n".join(filter(None, parts))[:MOST_TEXT]


def integration_text(tasks: Iterable[Task], mark: str, branch: str) -> tuple[str, str]:
    """Title and text of the request that would merge everything that has landed."""
    lines = [f"- {quiet(' '.join(task.title.split()), 200)} (`{task.id}`)" for task in tasks]
    told = f"What the team has landed on `{branch}`; each change was verified by the whole suite."
    return f"Merge {branch}", "\n\n".join([mark, told, "\n".join(lines)])[:MOST_TEXT]
