"""The pages over real HTTP: each renders for tasks in every state, escapes what others wrote, and obeys the roles."""

from __future__ import annotations

import re
from datetime import timedelta
from html.parser import HTMLParser

from pydantic import JsonValue

from api.diff_view import files_of
from memory import Attempt, FailureReason, ModelCall, Person, Role, Task, TaskStatus, TaskType, Verdict, utc_now
from owner.why import AddedLine, why_of
from tests.api.conftest import PAGES, Rooms, csrf_of

HOSTILE = "<script>alert(1)</script>\" onmouseover='x' {{ 7 * 7 }} \u202e"
STOPS = {
    TaskStatus.FAILED: (FailureReason.TESTS_FAILED, f"no answer passed; the last failure:\n{HOSTILE}\n1\n2\n3\n\nWhy?"),
    TaskStatus.BLOCKED: (FailureReason.NEEDS_OWNER, f"Which colour? {HOSTILE}"),
}


class Tags(HTMLParser):
    """The tags of a page with their attributes, as a browser reads them."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(markup)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def filled(rooms: Rooms) -> list[str]:
    """A task in every state, each with all that can be recorded of one, and all of it hostile; their ids."""
    store, found = rooms.store, list[str]()
    for status in TaskStatus:
        task_id = f"t-{status.value.replace('_', '')}"
        reason, detail = STOPS.get(status, (None, ""))
        task = Task(
            id=task_id, title=HOSTILE, description=HOSTILE, status=status, reason=reason, reason_detail=detail,
            stage="code",
            tests_file="test_x.py", tests=HOSTILE, deadline=utc_now() + timedelta(days=1),
            depends_on=found[:1], parent_id=found[0] if found else None,
            result={"waiting_for": "answer", "question": HOSTILE, "proofs": [{"name": HOSTILE, "outcome": "holds"}]}
            if status is TaskStatus.WAITING_APPROVAL
            else {"landed_commits": [HOSTILE], "push_error": HOSTILE, "quality": {"assertions": 2}},
        )  # fmt: skip
        store.tasks.add(task)
        store.evidence.record_attempt(
            Attempt(task_id=task_id, run=0, stage="code", approach=1, number=1, outcome="failed", evidence=HOSTILE)
        )
        verdict = {"task_id": task_id, "run": 0, "stage": "review", "agent": "tech_lead", "number": 1, "score": 3}
        store.evidence.record_verdict(Verdict(**verdict, approved=False, issues=[HOSTILE], reasoning=HOSTILE))
        store.journal.record_decision("ceo", HOSTILE, {"task": task_id, "reason": HOSTILE, "ideas": [HOSTILE]})
        store.journal.log("qa", HOSTILE, task_id, reason=HOSTILE)
        store.ledger.record_call(
            ModelCall(
                workflow_id="w", step=HOSTILE, request_hash=task_id, task_id=task_id, agent="developer",
                provider=HOSTILE, model=HOSTILE, prompt_hash="p", prompt=HOSTILE, response=HOSTILE,
                input_tokens=1_200, cost_usd=0.5,
            )
        )  # fmt: skip
        found.append(task_id)
    return found


def test_every_page_renders_for_tasks_in_every_state_and_only_escaped(rooms: Rooms) -> None:
    tasks, owner = filled(rooms), rooms.owner()
    paths = [
        *PAGES,
        "/settings?edit=budget.day_usd",
        *(f"/tasks/{each}" for each in tasks),
        f"/tasks/{tasks[0]}/diff",
        f"/tasks/{tasks[0]}/calls/1",
    ]
    paths += [f"{path}{'&' if '?' in path else '?'}part=live" for path in paths] + [f"/activity?task={HOSTILE}"]
    for path in paths:
        answer = owner.get(path)
        assert answer.status_code == 200, (path, answer.text)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy
        tags = Tags(answer.text)
        assert not [tag for tag, given in tags.found if tag == "script" and not given.get("src")], f"{path}: a script"
        forbidden = [name for _, given in tags.found for name in given if name == "style" or name.startswith("on")]
        assert not forbidden, f"{path}: {forbidden}"
        addresses = [given.get(name) or "" for _, given in tags.found for name in ("src", "href", "action", "hx-get")]
        assert not [each for each in addresses if each and not re.match(r"#|/(?![/\\])", each)], path


def test_a_discussion_is_read_on_the_page_of_its_task(rooms: Rooms) -> None:
    message: dict[str, JsonValue] = {
        "to": ["backend"],
        "text": f"{'Whole. ' * 200}{HOSTILE}",
        "concerns": [],
        "agreed": True,
    }
    said: JsonValue = [{"round": 1, "by": "qa", "message": message}]
    result: dict[str, JsonValue] = {"discussion": {"said": said, "ended": "everybody agreed"}}
    rooms.store.tasks.add(Task(id="t-talk", title="Words", type=TaskType.PROJECT, result=result))
    rooms.store.journal.log("qa", "message", "t-talk", number=1, **message)
    page = rooms.owner().get("/tasks/t-talk").text
    assert "<script>alert" not in page
    assert "How the discussion ended" in page
    assert page.count(f"QA to the backend developer (agrees): {'Whole. ' * 200}&lt;script&gt;") == 2, (
        "as it was said, and in full"
    )


def test_the_first_page_is_small(rooms: Rooms) -> None:
    filled(rooms)
    owner = rooms.owner()
    markup = owner.get("/").text
    assets = set(re.findall(r'(?:href|src)="(/static/[^"#]+)', markup))
    sizes = {path: len(owner.get(path).content) for path in assets}
    assert len(sizes) >= 6 and all(sizes.values())
    assert sum(sizes.values()) + len(markup.encode()) <= 300_000, sizes


def test_the_inbox_takes_an_answer_and_says_so_until_the_daemon_has_it(rooms: Rooms) -> None:
    rooms.add_task()
    rooms.store.tasks.transition("t-1", TaskStatus.BLOCKED, reason=FailureReason.NEEDS_OWNER, detail="Which colour?")
    owner = rooms.owner()
    page = owner.get("/")
    assert "<title>(1) Inbox" in page.text and "Which colour?" in page.text
    assert owner.post("/tasks/t-1/approve", data={"note": "Blue."}).status_code == 403, "without the token"
    sent = owner.post("/tasks/t-1/approve", data={"note": "Blue.", "csrf": csrf_of(owner), "back": "//evil.example"})
    assert (sent.status_code, sent.headers["location"]) == (303, "/?told=approve")
    assert "The owner answers:\n\nBlue." in rooms.store.tasks.get("t-1").description
    after = owner.get(sent.headers["location"]).text
    assert "Your word is with the daemon" in after and "You said: try again" in after and "<textarea" not in after


def test_a_task_is_given_by_the_form_once_and_problems_keep_what_was_typed(rooms: Rooms) -> None:
    owner = rooms.owner()
    page = owner.get("/tasks/new")
    form = {"csrf": csrf_of(owner), "id": re.findall(r'name="id" value="([^"]+)"', page.text)[0], "type": "code"}
    wrong = owner.post("/tasks/new", data=form | {"title": "Add add", "depends_on": "t-none", "description": "Words"})
    assert wrong.status_code == 422 and "t-none" in wrong.text and ">Words</textarea>" in wrong.text
    past = owner.post("/tasks/new", data=form | {"title": "Add add", "deadline": "2020-01-01T00:00"})
    assert past.status_code == 422 and "is past" in past.text
    right = form | {"title": "Add add", "priority": "3", "deadline": "2999-01-01T10:30", "kind": "feature"}
    places = {owner.post("/tasks/new", data=right).headers["location"] for _ in range(2)}
    assert places == {f"/tasks/{form['id']}?told=added"}
    (task,) = rooms.store.tasks.select()
    assert (task.title, task.priority, task.kind) == ("Add add", 3, "feature")
    changed = owner.post(f"/tasks/{task.id}/change", data={"csrf": form["csrf"], "priority": "1"})
    assert changed.headers["location"].endswith("told=changed") and rooms.store.tasks.get(task.id).priority == 1
    assert owner.post(f"/tasks/{task.id}/change", data={"csrf": form["csrf"], "priority": "99"}).status_code == 422


def test_a_viewer_looks_and_does_not_touch(rooms: Rooms) -> None:
    tasks = filled(rooms)
    rooms.store.people.add(Person(name="vera", role=Role.VIEWER, created_at=utc_now()))
    vera = rooms.program(Role.VIEWER, person="vera")
    for path in ("/", "/tasks", "/now", *(f"/tasks/{task}" for task in tasks)):
        answer = vera.get(path, headers={"Accept": "text/html"})
        assert answer.status_code == 200 and not re.search(r'action="/tasks/[^"]', answer.text), path
    assert [vera.get(path).status_code for path in ("/tasks/new", f"/tasks/{tasks[0]}/calls/1")] == [403, 403]
    assert vera.post(f"/tasks/{tasks[0]}/cancel").status_code == 403
    assert rooms.anyone().get("/now").headers["location"] == "/sign-in"


def test_a_setting_is_shown_as_a_difference_and_then_written_with_its_comments(rooms: Rooms) -> None:
    file = rooms.config
    file.write_text("# mine\nbudget:\n  day_tokens: 1000  # enough\n", encoding="utf-8")
    owner = rooms.owner()
    form = {"csrf": csrf_of(owner), "key": "budget.day_tokens"}
    wrong = owner.post("/settings", data=form | {"value": "-5"})
    assert wrong.status_code == 422 and "It was not changed" in wrong.text and ">-5</textarea>" in wrong.text
    machine = owner.post("/settings", data=form | {"key": "sandbox.mode", "value": "off", "really": "yes"})
    assert machine.status_code == 422 and "at the machine" in machine.text
    shown = owner.post("/settings", data=form | {"value": "2000"})
    assert "+  day_tokens: 2000  # enough" in shown.text and "1000" in file.read_text()
    written = owner.post("/settings", data=form | {"value": "2000", "really": "yes"})
    assert written.headers["location"] == "/settings?told=saved"
    assert file.read_text() == "# mine\nbudget:\n  day_tokens: 2000  # enough\n"
    assert rooms.store.journal.latest(1)[0].details["keys"] == "budget.day_tokens"
    vera = rooms.program(Role.OPERATOR)
    assert vera.post("/settings", data=form | {"value": "1", "really": "yes"}).status_code == 403


NONSENSE = (
    *("/tasks/t-none", "/tasks/t-none/diff", "/tasks?status=done", "/tasks?before=x", "/activity?before=x", "/nothing"),
    *(f"/{path}{2**63}" for path in ("activity?before=", "decisions?before=", "costs?days=", "tasks/t-1/calls/")),
    *("/costs?days=x", "/tasks/t-1/calls/9", "/tasks/t-1/why?file=x.py&line=1", "/tasks/t-1/why?line=x"),
)


def test_nonsense_is_a_page_that_says_so(rooms: Rooms) -> None:
    rooms.add_task()
    owner = rooms.owner()
    for path in NONSENSE:
        answer = owner.get(path)
        assert answer.status_code in (404, 422) and 'role="alert"' in answer.text, (path, answer.text)


DIFF = '''diff --git a/calc.py b/calc.py
index 1..2 100644
--- a/calc.py
+++ b/calc.py
@@ -1,3 +1,7 @@
 def double(x):
-    return x+x
+    return 2 * x
+
+
+def add(a, b):
+    return a + b
\\ No newline at end of file
diff --git "a/tests/t\\303\\251st_add.py" "b/tests/t\\303\\251st_add.py"
new file mode 100644
--- /dev/null
+++ "b/tests/t\\303\\251st_add.py"
@@ -0,0 +1,3 @@
+def test_add():
+    """--- a/not a header
+    assert add(1, 2) == 3
diff --git a/logo.png b/logo.png
deleted file mode 100644
Binary files a/logo.png and /dev/null differ
'''


def test_a_diff_is_taken_apart_as_git_wrote_it() -> None:
    calc, tests, logo = files_of(DIFF)
    assert (calc.path, calc.added, calc.removed, calc.status) == ("calc.py", 5, 1, "changed")
    assert (tests.path, tests.status, tests.added) == ("tests/tést_add.py", "new", 3)
    assert (logo.path, logo.status, logo.hunks) == ("logo.png", "deleted", [])
    lines = calc.hunks[0].lines
    assert [(line.kind, line.old, line.new) for line in lines[:3]] == [(" ", 1, 1), ("-", 2, None), ("+", None, 2)]
    assert all("".join(text for _, text in line.pieces) == line.text for line in lines)
    assert ("k", "return") in lines[2].pieces
    assert [(left and left.old, right and right.new) for left, right in calc.hunks[0].sides] == [
        (1, 1), (2, 2), (None, 3), (None, 4), (None, 5), (None, 6),
    ]  # fmt: skip


def test_a_line_is_traced_to_the_attempt_the_answer_the_test_and_the_words(rooms: Rooms) -> None:
    store = rooms.store
    words = "Some calculations.\n\n- `add(1, 2)` returns `3`\n- `double(2)` returns `4`"
    task = Task(id="t-1", title="Add add", description=words, status=TaskStatus.IN_PROGRESS, stage="review")
    store.tasks.add(task)
    for number, outcome in ((1, "failed"), (2, "passed")):
        store.evidence.record_attempt(
            Attempt(task_id="t-1", run=0, stage="code", approach=1, number=number, outcome=outcome, evidence="1 != 2")
        )
        store.ledger.record_call(
            ModelCall(
                workflow_id="w", step=f"s{number}", request_hash=f"h{number}", task_id="t-1", agent="developer",
                provider="openai", model="m", prompt_hash="p", prompt="p",
                response='{"text": "return a - b"}' if number == 1 else '{"text": "    return a + b\\n"}',
            )
        )  # fmt: skip
    added = {
        file.path: [AddedLine(number=line.new or 0, text=line.text) for hunk in file.hunks for line in hunk.lines
                    if line.kind == "+"]
        for file in files_of(DIFF)
    }  # fmt: skip
    why = why_of(store, task, added, "calc.py", 6)
    assert why is not None and why.attempt is not None and why.call is not None
    assert (why.text, why.names, why.words) == ("    return a + b", ["add"], ["- `add(1, 2)` returns `3`"])
    assert (why.attempt.number, len(why.failed_before), why.call.id, why.call.response) == (2, 1, 2, "")
    assert [(test.file, test.line) for test in why.tests] == [("tests/tést_add.py", 1)]
    assert why.by_name and why.red_at is None
    store.journal.log("qa", "tests are red", task.id, tests=1)
    plain = {**added, "setup.cfg": [AddedLine(number=1, text="[flake8]")]}
    unnamed = why_of(store, task, plain, "setup.cfg", 1)
    assert unnamed is not None and not unnamed.by_name and unnamed.red_at is not None
    assert {test.file for test in unnamed.tests} == {test.file for test in why.tests}, "those of the whole change"
    assert why_of(store, task, added, "calc.py", 1) is None, "the change did not add it"
