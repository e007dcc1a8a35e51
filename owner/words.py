"""What people call things: agents, stages, statuses, reasons, numbers and times."""

from __future__ import annotations

from datetime import tzinfo

from memory import OWNER, FailureReason, Rest, Task, TaskStatus, TaskType

MOST = 160
"""Characters of one detail in a sentence."""
NEARLY_USED_UP = 0.8
"""The share of a limit from which on the owner is told of it."""
_AGENTS = {
    OWNER: "you",
    "ceo": "the CEO",
    "product": "the product manager",
    "qa": "QA",
    "developer": "the developer",
    "tech_lead": "the tech lead",
    "orchestrator": "the daemon",
    "cfo": "the CFO",
    "risk": "the risk manager",
    "legal": "the legal counsel",
    "security": "the security engineer",
    "devops": "the DevOps engineer",
    "documentation": "the technical writer",
    "performance": "the performance engineer",
    "pm": "the project manager",
    "backend": "the backend developer",
    "frontend": "the frontend developer",
}
_STAGES = {
    "": ("", "begins"),
    "requirements": ("product", "specifies"),
    "tests": ("qa", "writes tests for"),
    "code": ("developer", "writes the code for"),
    "review": ("tech_lead", "reviews"),
    "land": ("tech_lead", "lands"),
    "merge": ("tech_lead", "follows the request with"),
    "escalate": ("tech_lead", "decides how to go on with"),
    "plan": ("ceo", "plans"),
    "answer": ("", "works on"),
    "convene": ("ceo", "asks for opinions on"),
    "opinion": ("", "forms an opinion on"),
    "reply": ("", "answers you on"),
    "decide": ("ceo", "decides on"),
    "carry_out": ("ceo", "makes tasks of"),
    "intake": ("pm", "takes in"),
    "discuss": ("pm", "leads the discussion of"),
    "design": ("pm", "designs"),
    "publish": ("pm", "lands the architecture of"),
    "hand_out": ("pm", "makes tasks of"),
    "make_skeleton": ("devops", "makes"),
    "land_skeleton": ("devops", "lands"),
    "begin": ("devops", "looks at what is live before"),
    "prepare": ("devops", "builds and uploads for"),
    "activate": ("devops", "switches over for"),
    "verify": ("devops", "checks the health after"),
    "roll_back": ("devops", "returns to the version before"),
}
"""Stage -> whose it is (empty: the agent assigned to the task) and what that agent does."""
_REVIEW_OF_ANALYSIS = "product"
_REASONS = {
    FailureReason.TESTS_FAILED: "the tests do not pass",
    FailureReason.REVIEW_REJECTED: "the review did not accept it",
    FailureReason.BUDGET_EXHAUSTED: "the budget is used up",
    FailureReason.TIMEOUT: "it took too long",
    FailureReason.LOOP_DETECTED: "the work went round in circles",
    FailureReason.CONFLICT: "it does not fit what has landed since",
    FailureReason.DEPENDENCY: "a task it needs did not succeed",
    FailureReason.INVALID_OUTPUT: "the model's answers could not be used",
    FailureReason.NEEDS_OWNER: "it needs your answer",
    FailureReason.APPROVAL_EXPIRED: "your approval did not come in time",
    FailureReason.PROVIDER_ERROR: "the model could not be reached",
    FailureReason.SANDBOX_UNAVAILABLE: "the sandbox cannot be used",
    FailureReason.DEPLOYMENT_FAILED: "it could not be deployed",
    FailureReason.INTERNAL_ERROR: "an error in this program",
}
GATES = {
    "run": "before anything of the repository is run",
    "plan": "before what the team wants to do is begun",
    "land": "before the verified change lands",
    "veto": "because of a veto, which only you can overrule",
    "deploy": "before anything is deployed",
    "merge": "until its request is merged at the forge",
}


def agent_name(agent: str, *, first: bool = False) -> str:
    """What people call an agent; `first`: as the first word of a sentence."""
    name = _AGENTS.get(agent) or f"the {agent.replace('_', ' ')}"
    return name[0].upper() + name[1:] if first else name


def reason_words(reason: str) -> str:
    """A typed reason, or the name of a gate, in words."""
    try:
        return _REASONS[FailureReason(reason)]
    except ValueError:
        return reason.replace("_", " ")


def status_word(status: TaskStatus) -> str:
    """A status as people write it."""
    return status.value.replace("_", " ")


def agent_at(task: Task) -> str:
    """Whose stage a task is at."""
    agent, _ = _STAGES.get(task.stage, ("", ""))
    if task.type == TaskType.ANALYSIS and task.stage == "review":
        agent = task.assigned_agents[1] if len(task.assigned_agents) > 1 else _REVIEW_OF_ANALYSIS
    return agent or (task.assigned_agents[0] if task.assigned_agents else "tech_lead")


def at_work_on(task: Task, title: str | None = None) -> str:
    """Who does what for a task in progress."""
    _, does = _STAGES.get(task.stage, ("", f"is at the stage {task.stage.replace('_', ' ')} of"))
    who = agent_name(agent_at(task), first=True) if task.stage else "The team"
    return f"{who} {does} {quoted(title or task.title)}"


def rest_words(rest: Rest, zone: tzinfo | None) -> str:
    """Why nobody begins anything, and until when, by the clock of `zone`."""
    if rest.kind == "paused":
        return f"everything, by you, since {rest.since:%Y-%m-%d %H:%M} UTC"
    until = rest.until.astimezone(zone) if rest.until else None
    return f"quiet hours until {until:%H:%M} (orchestrator.quiet_hours)"


def deployment_word(status: str) -> str:
    """How far a deployment is, as people say it."""
    return {
        "requested": "waits for the daemon",
        "planned": "waits for its turn",
        "preparing": "being built and uploaded",
        "activating": "being switched to",
        "verifying": "being checked",
        "rolling_back": "being rolled back",
        "live": "live",
        "replaced": "replaced",
        "failed": "failed",
        "rolled_back": "rolled back",
        "rollback_failed": "failed, and so did the way back",
        "stopped": "stands still",
    }.get(status, status)


def quoted(title: str) -> str:
    """A title in quotes, on one line."""
    return f'"{one_line(title)}"'


def one_line(text: object, most: int = MOST) -> str:
    """`text` on one line of at most `most` characters."""
    line = " ".join(str(text).split())
    return line if len(line) <= most else line[: most - 1] + "…"


def count(number: object, noun: str) -> str:
    """`1 test`, `1,200 tests`."""
    number = number if isinstance(number, int) else 0
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def span(seconds: float) -> str:
    """A time as people say it: `8 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`."""
    minutes, rest = divmod(int(max(seconds, 0)), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
