"""What the team did, as sentences: one for every kind of line in the journal.

`--json` and the log file have the lines as they were written. A kind without a sentence here still reads: its name and
its details follow the name of the agent. Titles and reasons are written by others; `cli.options.out` keeps them from
steering the terminal, and here each becomes one line.
"""

from __future__ import annotations

from collections.abc import Callable

from memory import OWNER, Activity, SuiteQuality
from owner.line import Line, because
from owner.words import GATES, MOST, agent_name, count, one_line, quoted, reason_words, span

_SOURCES = {"backlog": "from the backlog", "facts": "from what was found in the code"}
_OUTCOMES = {
    "passed": "passes the tests",
    "failed": "does not pass the tests yet",
    "overfitted": "passes only the tests that were shown",
    "repeated": "failed as an earlier one did",
    "invalid": "could not be used",
}
_CONVERSATION_ENDS = {
    "concluded": "done",
    "finish": "done",
    "finish_tests": "the tests are written",
    "repeated": "it went round in circles",
    "silent": "nothing more came",
    "tokens": "its tokens are used up",
}


def what_to_type(activity: Activity) -> str:
    """The subcommand by which the owner answers a line of the journal; empty where nothing is asked."""
    if activity.activity == "waiting for approval":
        is_asked = activity.details.get("question")
        return f'inbox answer {activity.task_id} "…"' if is_asked else f"approvals approve {activity.task_id}"
    return "approvals list" if activity.activity in ("task blocked", "task failed") else ""


def sentence(activity: Activity, title: str = "", most: int = 3 * MOST) -> str:
    """What one line of the journal says, in at most so many characters. `title`: of its task, where the reader does not
    know it."""
    said = _SENTENCES.get(activity.activity)
    line = Line(activity, title)
    if said is None:
        return line.unknown()
    return one_line(said(line), most).rstrip(" :,")


def _task_added(line: Line) -> str:
    source = line.text("source")
    where = "" if source in (OWNER, "ceo", "pm") else f" {_SOURCES.get(source, f'from {source}')}"
    return f"{line.who} added a task{where}: {line.that_task}"


def _ended(line: Line) -> str:
    how = {"task failed": "has failed", "task blocked": "is blocked", "task cancelled": "is cancelled"}[line.kind]
    reason, detail = line.text("reason"), line.text("detail")
    why = (f" ({reason_words(reason)})" if reason else "") + (f": {detail}" if detail else "")
    return f"{line.task} {how}{why}"


def _waiting(line: Line) -> str:
    gate, question = line.text("gate"), line.text("question")
    if question:
        return f"{line.task} waits for your answer: {question}"
    return f"{line.task} waits for you {GATES.get(gate, gate)}"


def _attempt(line: Line) -> str:
    outcome = line.text("outcome")
    told = _OUTCOMES.get(outcome, f"ended as {outcome}")
    made = ", put together from earlier ones," if line.text("strategy") == "recombined" else ""
    place = f"approach {line.details.get('approach')}, attempt {line.details.get('number')}"
    return f"{line.who}'s answer{line.it}{made} {told} ({place})"


def _red(line: Line) -> str:
    red, green = line.details.get("red"), line.details.get("already_green")
    told = (
        f"{line.who} wrote {count(red, 'test')}{line.it} and saw {'it' if red == 1 else 'them'} fail, as new tests must"
    )
    if not red:
        return f"{line.who} wrote {count(green, 'test')}{line.it} that pass without any new code"
    guards = f"; {green} more pass already and guard what is there" if green else ""
    unfit = f"; {count(line.details.get('unfit'), 'test')} could not be used" if line.details.get("unfit") else ""
    return told + guards + unfit


def _landed(line: Line) -> str:
    where = f" on {line.text('branch')}" if line.text("branch") else ""
    pushed = " and is pushed" if line.details.get("pushed") else "; it is not pushed yet"
    commit = f" (commit {line.text('commit')[:12]})" if line.text("commit") else ""
    return f"The change{line.it} has landed{where}{pushed}{commit}"


def _verdict(line: Line) -> str:
    issues = line.names("issues")
    score = line.details.get("score")
    marks = f" with {score:g} of 10" if isinstance(score, int | float) else ""
    if line.details.get("approved"):
        return f"{line.who} accepts the change{line.it}{marks}{issues and f'; noted: {issues}'}"
    return f"{line.who} does not accept the change{line.it}{marks}{issues and f': {issues}'}"


def _measured(line: Line) -> str:
    try:
        quality = SuiteQuality.model_validate(dict(line.details))
    except ValueError:
        return line.unknown()
    checks = count(quality.assertions, "check")
    if not quality.mutants:
        return f"The tests{line.it} have {checks}; how strong they are could not be measured"
    noticed = f"{quality.killed} of {count(quality.mutants, 'small fault')}"
    return f"The tests{line.it} have {checks} and notice {noticed} put into the code"


def _compared(line: Line) -> str:
    answers = f"{line.who}'s {count(line.details.get('answers'), 'answer')}{line.it}"
    if difference := line.text("difference"):
        return f"{answers} pass the tests and do not mean the same: {difference}"
    return f"{answers} agree on {count(line.details.get('calls'), 'further call')}"


def _escalated(line: Line) -> str:
    action = {"split": "splits it into parts", "rewrite": "words it anew", "give_up": "leaves it to you"}
    does = action.get(line.text("action"), line.text("action"))
    return f"{line.who} looked at {line.that_task}, which did not succeed, and {does}{because(line)}"


def _idea(line: Line) -> str:
    did = {"approve": "approved", "reject": "rejected", "revise": "worded anew", "ask_owner": "put to you"}
    how = did.get(line.text("decision"), line.text("decision"))
    return f"The idea{line.it} was {how} by {line.who[0].lower() + line.who[1:]}{because(line, 'reasons')}"


def _begins(line: Line) -> str:
    invited = line.details.get("invited")
    names = [agent_name(name) for name in invited] if isinstance(invited, dict) else []
    whom = " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
    return f"{line.who} opens a discussion{line.it} with {whom}: {line.text('text')}"


def _message(line: Line) -> str:
    to, concerns = line.details.get("to"), line.details.get("concerns")
    names = ", ".join(agent_name(str(name)) for name in to) if isinstance(to, list) and to else "everybody"
    said = [str(line.details.get("text") or ""), *(map(str, concerns) if isinstance(concerns, list) else [])]
    agrees = " (agrees)" if line.details.get("agreed") else ""
    return f"{line.who} to {names}{agrees}: {' Not to be forgotten: '.join(said)}"


def _lost_the_word(line: Line) -> str:
    return f"{agent_name(line.text('name'), first=True)} has no further word in the discussion{line.it}{because(line)}"


def _discussed(line: Line) -> str:
    return f"The discussion{line.it} ended with {count(line.details.get('messages'), 'message')}{because(line)}"


def _convened(line: Line) -> str:
    reasons = line.details.get("reasons")
    why = reasons if isinstance(reasons, dict) else {}
    return f"The V-team of {line.task}: " + ", ".join(f"{agent_name(name)} ({told})" for name, told in why.items())


def _awaits(line: Line) -> str:
    seconds = line.details.get("seconds")
    waited = span(seconds) if isinstance(seconds, int | float) else "long"
    return f"{line.who} has waited {waited} for {line.text('model') or 'its model'}{line.it}"


def _conversation(line: Line) -> str:
    how = _CONVERSATION_ENDS.get(line.text("ended"), line.text("ended").replace("_", " "))
    used = f"{count(line.details.get('calls'), 'message')}, {count(line.details.get('tokens'), 'token')}"
    return f"{line.who} ends a conversation{line.it}: {how} ({used})"


def _started(line: Line) -> str:
    weak = line.names("weakened", 9)
    return f"The daemon started{weak and f'. Less safe by: {weak}'}"


def _changed(line: Line) -> str:
    what = {"budget limits changed": "budget limits were", "sandbox mode changed": "sandbox mode was"}[line.kind]
    before, after = line.details.get("before"), line.details.get("after")
    if isinstance(before, dict) and isinstance(after, dict):
        keys = [key for key in after if after[key] != before.get(key)]
        told = ", ".join(f"{key} from {_value(before.get(key))} to {_value(after[key])}" for key in keys)
    else:
        told = f"from {_value(before)} to {_value(after)}"
    return f"The {what} changed: {told}"


def _value(value: object) -> str:
    return "none" if value is None else f"{value:,}" if isinstance(value, int | float) else one_line(value)


def _told(line: Line) -> str:
    does = {"approve": "lets {} go on", "cancel": "cancels {}", "retry": "has {} tried again"}
    said = does.get(line.text("command"), "has {} planned again").format(line.that_task)
    return f"{_person(line)} {said}{because(line, 'note')}"


def _task_changed(line: Line) -> str:
    priority, due = line.details.get("priority"), line.text("deadline")
    what = " and ".join(filter(None, [f"the priority {priority}" if priority else "", due and f"the deadline {due}"]))
    return f"{_person(line)} gave {line.that_task} {what or 'another order'}"


def _person(line: Line) -> str:
    """Who did it, where several people may."""
    by = line.text("by")
    return f"{by[0].upper()}{by[1:]}" if by else line.who


def _by(words: str) -> Callable[[Line], str]:
    """A sentence about a person: `words` after the name, with details by name."""

    def said(line: Line) -> str:
        return f"{_person(line)} {words.format_map(_Known({key: line.text(key) for key in line.details}))}"

    return said


def _deleted(line: Line) -> str:
    lines = count(line.details.get("lines"), "line")
    return f"Retention deleted {lines} of the journal, from before {line.text('before')[:10]}"


def _retried(line: Line) -> str:
    return f"{line.task} is tried again" + (f", from the stage {line.text('stage')} on" if line.text("stage") else "")


def _paused(line: Line) -> str:
    agent = agent_name(line.text("name"))
    if line.kind == "agent paused":
        return f"{_person(line)} paused {agent}, who finishes a step and begins nothing more"
    return f"{_person(line)} let {agent} go on"


def _planned(line: Line) -> str:
    tasks = line.details.get("tasks")
    return (
        f"{line.who} made a plan of {count(len(tasks) if isinstance(tasks, list) else 0, 'task')}{line.it}"
        + because(line)
    )


def _tier(line: Line) -> str:
    before = line.details.get("before")
    return f"Code runs in the sandbox of tier {line.details.get('after')} from now on" + (
        f" (before: tier {before})" if before else ""
    )


def _of(words: str) -> Callable[[Line], str]:
    """A sentence from words with {who}, {it} (the task after `for`), {task} (as the subject) and details by name."""

    def said(line: Line) -> str:
        fields = {key: line.names(key) if isinstance(value, list) else line.text(key)
                  for key, value in line.details.items()}  # fmt: skip
        return words.format_map(_Known(fields | {"who": line.who, "it": line.it, "task": line.task}))

    return said


class _Known(dict[str, str]):
    """Details that an older version did not write are left out."""

    def __missing__(self, key: str) -> str:
        return ""


def _deployment(line: Line) -> str:
    where = line.text("environment") or "an environment"
    commit = f"Commit {line.text('commit')[:12]}" if line.text("commit") else "A commit"
    number = f" (deployment {line.text('number')})" if line.text("number") else ""
    why = because(line, "detail")
    match line.kind:
        case "deployment asked for":
            return f"You asked for {quoted(line.title)}" if line.title else "You asked for a deployment"
        case "deployment begins":
            return f"{line.who} begins to bring {commit[0].lower()}{commit[1:]} to {where}{number}"
        case "deployed":
            return f"{commit} is live in {where}{number}{why}"
        case "deployment rolled back":
            return f"{commit} was taken back from {where}{number}{why}"
        case "deployment rollback failed":
            return f"{commit} failed in {where}, and so did the way back: it may be down{number}{why}"
        case "version is worse":
            found = "; ".join(one_line(each) for each in line.details.get("found") or [])
            back = "; the version before is brought back" if line.text("back") else ""
            return f"{commit} is worse in {where} than {line.text('before')[:12]}: {found}{back}"
        case "effect measured":
            return f"{line.task}, deployed to {where}, was measured{because(line, 'found')}"
    return f"{commit} could not be deployed to {where}{number}{why}"


_SENTENCES: dict[str, Callable[[Line], str]] = {
    "activity deleted": _deleted,
    "agent paused": _paused,
    "agent resumed": _paused,
    "answers compared": _compared,
    "idea decided": _idea,
    "v-team convened": _convened,
    "document not landed": _of("The report of {task} is not in the repository: {problem}"),
    "strategy reviewed": _of("{who} looked at its strategy again: {goals}"),
    "priority judged anew": _of("{who} gave {task} the priority {after}: {reason}"),
    "told an agent": lambda line: f"You told {agent_name(line.text('to'))}: {line.text('said')}",
    "answered the owner": lambda line: f"{line.who} answers you: {line.text('answer')}",
    "took back what an agent was told": lambda line: f"You took back what you had told {agent_name(line.text('to'))}",
    "task routed": lambda line: f"{agent_name(line.text('to'), first=True)} gets {line.task}: {line.text('reason')}",
    "approval expired": _of("Your approval of {task} did not come in time; nothing of it was done"),
    "approved by the owner": _of("You let {task} go on"),
    "attempt": _attempt,
    "awaits its model": _awaits,
    "begins anew": _of("{task} begins anew after the restore"),
    "budget limits changed": _changed,
    "deployed": _deployment,
    "deployment asked for": _deployment,
    "deployment begins": _deployment,
    "deployment failed": _deployment,
    "deployment rollback failed": _deployment,
    "deployment rolled back": _deployment,
    "effect measured": _deployment,
    "version is worse": _deployment,
    "code committed": _of("{who} committed the code{it}: {files}"),
    "configuration edited": _by("changed the configuration: {keys}; it counts from the next start on"),
    "conversation": _conversation,
    "conversation compacted": _of("A conversation{it} became too long and was shortened"),
    "discussion begins": _begins,
    "discussion ended": _discussed,
    "escalated": _of("A stronger model takes over{it}: {model}"),
    "escalated to the tech lead": _escalated,
    "examples not used": _of("Some examples{it} cannot become tests: {examples}"),
    "everything paused": lambda line: (
        f"{_person(line)} paused everything: steps are finished, and nothing new is begun"
    ),
    "everything resumed": lambda line: f"{_person(line)} let everything go on",
    "quiet hours begin": _of("Nothing new is begun until {until}: quiet hours"),
    "quiet hours end": lambda _: "The quiet hours are over: work goes on",
    "flaky tests": _of("Some tests fail only now and then and do not count{it}: {tests}"),
    "gave work": _by("gave the team {title}"),
    "goal reached": _of("{who} sees the goal reached{it}: {reason}"),
    "key made": _by("made the key {key} for {label}, which may do what a {scopes} may"),
    "key withdrawn": _by("withdrew the key {key}"),
    "landed": _landed,
    "landed before the restore": _of("{task} had landed before the restore, and is done"),
    "lost the word": _lost_the_word,
    "message": _message,
    "migrated": _of("The database was migrated from version {before} to {after}"),
    "owner's work does not fit": _of("Your own commits do not fit what the team has landed: {problem}"),
    "person added": _by("let {person} into the control room as {role}"),
    "person changed": _by("changed {person}: {changed}"),
    "person invited": _by("made a link that signs {person} in once"),
    "person removed": _by("took {person} out of the control room"),
    "planned": _planned,
    "planned again": _of("{task} is planned again"),
    "project set up": _of("{who} found out how the project is set up: {command}"),
    "proofs": _of("What else was checked{it}: {found}"),
    "pushed": _of("The change of {task} is pushed now"),
    "restored from a backup": _of("{who} restored the state of {made_at} from the backup {file}"),
    "sandbox mode changed": _changed,
    "sandbox tier changed": _tier,
    "secret kept out of a commit": _of("A secret was kept out of a commit{it}: {path}, {found}"),
    "settings changed": _of("The configuration has changed: {sections}"),
    "issue edited": _of("The issue of {task} was edited at the forge"),
    "issue of a stranger": _of("Issue {number} of {by}, who may not push, waits for somebody who may to write /take"),
    "issue withdrawn": _of("The issue of {task} is no work any more: {why}"),
    "request opened": _of("Request {number} was opened at the forge for {task}"),
    "request merged": _of("Request {number} with the change of {task} was merged"),
    "request closed": _of("Request {number} with the change of {task} was closed without a merge"),
    "request remarked": _of("Said of the request of {task}: {text}"),
    "started": _started,
    "stopped": _of("The daemon stopped"),
    "signed in": _by("signed in to the control room"),
    "task added": _task_added,
    "task blocked": _ended,
    "task cancelled": _ended,
    "task changed": _task_changed,
    "task completed": _of("Done: {task}"),
    "task failed": _ended,
    "task retried": _retried,
    "test disputed": _of("{who} disputes the test {test}{it}: {reason}"),
    "tests are red": _red,
    "tests committed": _of("{who} committed the tests{it}: {files}"),
    "tests measured": _measured,
    "token made": _by("made a token for programs, which may do what a {scopes} may until {until}"),
    "told the daemon": _told,
    "verdict": _verdict,
    "waiting for approval": _waiting,
}
"""Kind of activity -> its sentence, without the full stop."""
KINDS = frozenset(_SENTENCES)
