"""A method for each address of the API.

Written by docs/client_code.py from the OpenAPI document; `make docs` makes it anew.
"""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import JsonValue

from ai_agents_client import models as m
from ai_agents_client.sending import Asking, AsyncAsking


class Calls(Asking):
    """Each method waits for its answer."""

    def healthz(self) -> m.Health:
        """Is the process alive. Answered by the event loop itself, whatever the database does."""
        return self._ask("GET", "/healthz", m.Health)

    def readyz(self) -> m.Health:
        """Can it answer. The database has been asked."""
        return self._ask("GET", "/readyz", m.Health)

    def metrics(self) -> str:
        """Figures for Prometheus. In the text format. Prometheus sends a key with the scope viewer:
        `authorization: {credentials_file: …}`."""
        return self._ask("GET", "/metrics", str)

    def tasks(
        self,
        *,
        status: list[m.TaskStatus] | None = None,
        type: str | None = None,
        kind: str | None = None,
        source: str | None = None,
        stage: str | None = None,
        parent: str | None = None,
        search: str | None = None,
        limit: int = 50,
        before: str | int | None = None,
    ) -> m.Page[m.TaskLine]:
        """Tasks, newest first. Long texts and results are in the task itself. `status`: Only those; may be
        repeated. `search`: Words in title, description or reason. `limit`: Rows of a page. `before`: `next` of
        the page before."""
        return self._ask(
            "GET",
            "/api/v1/tasks",
            m.Page[m.TaskLine],
            query={
                "status": status,
                "type": type,
                "kind": kind,
                "source": source,
                "stage": stage,
                "parent": parent,
                "search": search,
                "limit": limit,
                "before": before,
            },
        )

    def add_task(self, body: m.NewTask) -> m.TaskDetails:
        """Give the team work. The daemon begins it when an agent is free."""
        return self._ask("POST", "/api/v1/tasks", m.TaskDetails, body=body)

    def task(self, task_id: str) -> m.TaskDetails:
        """One task. Everything about it but what has an address of its own."""
        return self._ask("GET", f"/api/v1/tasks/{self._quoted(task_id)}", m.TaskDetails)

    def change_task(self, task_id: str, body: m.Change) -> m.TaskDetails:
        """Change priority or deadline. It holds from the task's next stage on."""
        return self._ask("PATCH", f"/api/v1/tasks/{self._quoted(task_id)}", m.TaskDetails, body=body)

    def task_thread(self, task_id: str) -> list[m.Entry]:
        """What happened to it, in order. Activity, attempts, verdicts and decisions in one line of time."""
        return self._ask("GET", f"/api/v1/tasks/{self._quoted(task_id)}/thread", list[m.Entry])

    def task_attempts(self, task_id: str) -> list[m.Attempt]:
        """Attempts with the results of their tests. Oldest first, of all its runs."""
        return self._ask("GET", f"/api/v1/tasks/{self._quoted(task_id)}/attempts", list[m.Attempt])

    def task_verdicts(self, task_id: str) -> list[m.Verdict]:
        """Judgements of it. Oldest first, of all its runs."""
        return self._ask("GET", f"/api/v1/tasks/{self._quoted(task_id)}/verdicts", list[m.Verdict])

    def task_decisions(self, task_id: str) -> list[m.Decision]:
        """Decisions about it. Newest first."""
        return self._ask("GET", f"/api/v1/tasks/{self._quoted(task_id)}/decisions", list[m.Decision])

    def task_report(self, task_id: str) -> list[m.Section]:
        """What a task without code has come to. A report, an opinion or a decision in sections; empty for
        others, and before it is there."""
        return self._ask("GET", f"/api/v1/tasks/{self._quoted(task_id)}/report", list[m.Section])

    def task_diff(self, task_id: str) -> str:
        """The change it made. Its landed commits, or its branch while it is in progress, as a unified diff;
        empty before the first change."""
        return self._ask("GET", f"/api/v1/tasks/{self._quoted(task_id)}/diff", str)

    def task_calls(self, task_id: str, *, limit: int = 50, before: str | int | None = None) -> m.Page[m.ModelCall]:
        """Model calls for it. Newest first, with tokens and cost; prompt and response are empty here. `limit`:
        Rows of a page. `before`: `next` of the page before."""
        return self._ask(
            "GET",
            f"/api/v1/tasks/{self._quoted(task_id)}/calls",
            m.Page[m.ModelCall],
            query={"limit": limit, "before": before},
        )

    def task_call(self, task_id: str, number: int) -> m.ModelCall:
        """One model call with prompt and response. Retention empties them after `retention.answers_days`."""
        return self._ask("GET", f"/api/v1/tasks/{self._quoted(task_id)}/calls/{self._quoted(number)}", m.ModelCall)

    def approve_task(self, task_id: str, body: m.Note | None = None) -> m.Told:
        """Let it go on. Opens its gate or answers its question; a blocked or failed task is tried again with
        your words."""
        return self._ask("POST", f"/api/v1/tasks/{self._quoted(task_id)}/approve", m.Told, body=body)

    def reject_task(self, task_id: str, body: m.Note | None = None) -> m.Told:
        """Put it aside. Cancels a task that waits, is blocked or has failed. What has landed stays."""
        return self._ask("POST", f"/api/v1/tasks/{self._quoted(task_id)}/reject", m.Told, body=body)

    def cancel_task(self, task_id: str) -> m.Told:
        """Stop it. Its test runs and model calls end at once. What has landed stays."""
        return self._ask("POST", f"/api/v1/tasks/{self._quoted(task_id)}/cancel", m.Told)

    def retry_task(self, task_id: str, body: m.Again | None = None) -> m.Told:
        """Start it again. For failed, blocked and cancelled tasks: from the beginning, or from a stage that the
        task reached; without its worktree (see `retention.worktree_days`) from the beginning all the same."""
        return self._ask("POST", f"/api/v1/tasks/{self._quoted(task_id)}/retry", m.Told, body=body)

    def replan_task(self, task_id: str, body: m.Note) -> m.Told:
        """Plan a goal again. Tasks of the plan that have not begun are cancelled."""
        return self._ask("POST", f"/api/v1/tasks/{self._quoted(task_id)}/replan", m.Told, body=body)

    def status(self) -> m.Overview:
        """The state at a glance. Counts of tasks, and whether the daemon runs."""
        return self._ask("GET", "/api/v1/status", m.Overview)

    def inbox(self, *, limit: int = 50) -> m.Inbox:
        """What waits for you. Tasks that stopped, each with why, the evidence and what you can do; limits of
        the budget; outages; landed work to merge. `limit`: Rows of a page."""
        return self._ask("GET", "/api/v1/inbox", m.Inbox, query={"limit": limit})

    def agents(self) -> list[m.AgentNow]:
        """The team. What each agent does now, what waits for it, and how often it succeeds."""
        return self._ask("GET", "/api/v1/agents", list[m.AgentNow])

    def agent(self, name: str) -> m.AgentNow:
        """One agent. The same of one."""
        return self._ask("GET", f"/api/v1/agents/{self._quoted(name)}", m.AgentNow)

    def pause_agent(self, name: str) -> m.AgentNow:
        """Hold an agent back. It finishes the step it is in and begins nothing more, over restarts, too."""
        return self._ask("POST", f"/api/v1/agents/{self._quoted(name)}/pause", m.AgentNow)

    def resume_agent(self, name: str) -> m.AgentNow:
        """Let an agent go on. It goes on where it was."""
        return self._ask("POST", f"/api/v1/agents/{self._quoted(name)}/resume", m.AgentNow)

    def add_pause(self) -> m.Overview:
        """Hold everybody back. Steps that run are finished; nothing new is begun until it is resumed, over
        restarts, too."""
        return self._ask("POST", "/api/v1/pause", m.Overview)

    def add_resume(self) -> m.Overview:
        """Let everybody go on. In quiet hours, too, until they end. Agents that are paused by name stay so."""
        return self._ask("POST", "/api/v1/resume", m.Overview)

    def strategy(self) -> m.Strategy:
        """What the CEO goes by. Its goals, what it counts on, and what was learnt; empty before the first
        review."""
        return self._ask("GET", "/api/v1/strategy", m.Strategy)

    def tell_agent(self, name: str, body: m.Words) -> m.Spoken:
        """Tell an agent something. It stands in the agent's next prompt as your word, and is answered: the
        answer is in the thread. About a task that waits for your answer it is the answer; one that is blocked
        or failed is tried again with it."""
        return self._ask("POST", f"/api/v1/agents/{self._quoted(name)}/tell", m.Spoken, body=body)

    def agent_thread(self, name: str, *, limit: int = 50) -> list[m.Exchange]:
        """What you and an agent said. The latest messages, oldest first, with the answers that are there.
        `limit`: Rows of a page."""
        return self._ask("GET", f"/api/v1/agents/{self._quoted(name)}/thread", list[m.Exchange], query={"limit": limit})

    def usage(
        self,
        *,
        by: Literal["day", "agent", "model", "task"] = "day",
        since: date | None = None,
        task: str | None = None,
    ) -> list[m.UsageRow]:
        """The ledger. Model calls, tokens and money. Days newest first, others by tokens. `by`: What it is
        summed up by. `since`: From this day (UTC) on. `task`: Only for this task."""
        return self._ask("GET", "/api/v1/usage", list[m.UsageRow], query={"by": by, "since": since, "task": task})

    def limits(self) -> list[m.LimitState]:
        """Limits of the budget. How much of each is used and reserved. Of agents and tasks, those that used
        any."""
        return self._ask("GET", "/api/v1/limits", list[m.LimitState])

    def activity(
        self, *, agent: str | None = None, task: str | None = None, limit: int = 50, before: str | int | None = None
    ) -> m.Page[m.Line]:
        """The activity stream. Newest first; /api/v1/events goes on where it ends. `limit`: Rows of a page.
        `before`: `next` of the page before."""
        return self._ask(
            "GET",
            "/api/v1/activity",
            m.Page[m.Line],
            query={"agent": agent, "task": task, "limit": limit, "before": before},
        )

    def decisions(
        self, *, type: str | None = None, limit: int = 50, before: str | int | None = None
    ) -> m.Page[m.Decision]:
        """What was decided, and why. Newest first. `type`: Only of this type. `limit`: Rows of a page.
        `before`: `next` of the page before."""
        return self._ask(
            "GET", "/api/v1/decisions", m.Page[m.Decision], query={"type": type, "limit": limit, "before": before}
        )

    def settings(self) -> dict[str, JsonValue]:
        """The configuration that counts. File, environment and defaults together, as the daemon read them at
        its start; secrets masked."""
        return self._ask("GET", "/api/v1/settings", dict[str, JsonValue])

    def change_settings(self, body: m.SettingsChange) -> m.SettingsChanged:
        """Change the file. Comments stay. A value that is not allowed changes nothing, and the answer says what
        is allowed."""
        return self._ask("PATCH", "/api/v1/settings", m.SettingsChanged, body=body)

    def settings_file(self) -> m.SettingsFile:
        """The file. `config.yaml` with its comments; empty where there is none."""
        return self._ask("GET", "/api/v1/settings/file", m.SettingsFile)

    def me(self) -> m.Me:
        """Who am I. The person behind this session or key."""
        return self._ask("GET", "/api/v1/me", m.Me)

    def set_me_password(self, body: m.NewPassword) -> None:
        """Set my password. For sessions only. All your sessions end, this one too."""
        return self._ask("PUT", "/api/v1/me/password", type(None), body=body)

    def people(self) -> list[m.PersonShown]:
        """Everybody. In the order in which they were added."""
        return self._ask("GET", "/api/v1/people", list[m.PersonShown])

    def add_person(self, body: m.NewPerson) -> m.PersonShown:
        """Let somebody in. Without a password they come in by an invitation."""
        return self._ask("POST", "/api/v1/people", m.PersonShown, body=body)

    def change_person(self, name: str, body: m.PersonChange) -> m.PersonShown:
        """Change a person. Who gets another password, or is shut out, is signed out everywhere. The owner stays
        an admin."""
        return self._ask("PATCH", f"/api/v1/people/{self._quoted(name)}", m.PersonShown, body=body)

    def remove_person(self, name: str) -> None:
        """Take somebody out. Their sessions and keys end at once. What they did stays in the audit trail."""
        return self._ask("DELETE", f"/api/v1/people/{self._quoted(name)}", type(None))

    def add_person_invitation(self, name: str) -> m.Invitation:
        """Make a way in. For sessions only. A link that signs the person in once, within three days; then they
        set a password."""
        return self._ask("POST", f"/api/v1/people/{self._quoted(name)}/invitation", m.Invitation)

    def keys(self) -> list[m.KeyShown]:
        """Keys of programs. Yours; an admin sees all. Those that have expired are left out."""
        return self._ask("GET", "/api/v1/keys", list[m.KeyShown])

    def add_key(self, body: m.NewKey) -> m.KeyMade:
        """Make a key. For sessions only: a key makes no keys."""
        return self._ask("POST", "/api/v1/keys", m.KeyMade, body=body)

    def add_token(self, body: m.NewToken) -> m.TokenMade:
        """Make a short-lived token. For sessions and keys. It ends by itself, with its person, and with the key
        that made it."""
        return self._ask("POST", "/api/v1/tokens", m.TokenMade, body=body)

    def remove_key(self, number: int) -> None:
        """Withdraw a key. It ends at once; one's own, or any for an admin."""
        return self._ask("DELETE", f"/api/v1/keys/{self._quoted(number)}", type(None))

    def deployments(
        self, *, environment: str | None = None, before: str | int | None = None, limit: int = 50
    ) -> m.Page[m.Deployment]:
        """Deployments. The newest first. `environment`: Only of this one. `before`: `next` of the page before.
        `limit`: Rows of a page."""
        return self._ask(
            "GET",
            "/api/v1/deployments",
            m.Page[m.Deployment],
            query={"environment": environment, "before": before, "limit": limit},
        )

    def add_deployment(self, body: m.Wanted) -> m.Requested:
        """Deploy. A task of the daemon does it; `GET /api/v1/tasks/{id}` tells how it goes."""
        return self._ask("POST", "/api/v1/deployments", m.Requested, body=body)

    def deployments_environments(self) -> list[m.EnvironmentNow]:
        """What is live. Each environment with what is live in it, as far as is remembered."""
        return self._ask("GET", "/api/v1/deployments/environments", list[m.EnvironmentNow])

    def deployments_environment_metrics(self, name: str) -> m.Measured:
        """What was measured. What was measured of what is live there, beside the version before, and how they
        compare."""
        return self._ask("GET", f"/api/v1/deployments/environments/{self._quoted(name)}/metrics", m.Measured)

    def deployment(self, number: int) -> m.Deployment:
        """One deployment. All that is remembered of it."""
        return self._ask("GET", f"/api/v1/deployments/{self._quoted(number)}", m.Deployment)

    def add_deployments_rollback(self, body: m.Back) -> m.Requested:
        """Return to an earlier version. The version that was live before, or that of a deployment."""
        return self._ask("POST", "/api/v1/deployments/rollback", m.Requested, body=body)

    def add_deployments_promote(self, body: m.Upwards) -> m.Requested:
        """Promote. Deploy what is live in the environment before this one."""
        return self._ask("POST", "/api/v1/deployments/promote", m.Requested, body=body)

    def forge(self) -> m.ForgeNow:
        """The forge. What is remembered: issues with their tasks, requests, and how the last look at it
        went."""
        return self._ask("GET", "/api/v1/forge", m.ForgeNow)

    def add_forge_sync(self) -> m.Heard:
        """Look at it now. The daemon looks within a second or two; what it found is in `GET /api/v1/forge`."""
        return self._ask("POST", "/api/v1/forge/sync", m.Heard)


class AsyncCalls(AsyncAsking):
    """Each method is awaited."""

    async def healthz(self) -> m.Health:
        """Is the process alive. Answered by the event loop itself, whatever the database does."""
        return await self._ask("GET", "/healthz", m.Health)

    async def readyz(self) -> m.Health:
        """Can it answer. The database has been asked."""
        return await self._ask("GET", "/readyz", m.Health)

    async def metrics(self) -> str:
        """Figures for Prometheus. In the text format. Prometheus sends a key with the scope viewer:
        `authorization: {credentials_file: …}`."""
        return await self._ask("GET", "/metrics", str)

    async def tasks(
        self,
        *,
        status: list[m.TaskStatus] | None = None,
        type: str | None = None,
        kind: str | None = None,
        source: str | None = None,
        stage: str | None = None,
        parent: str | None = None,
        search: str | None = None,
        limit: int = 50,
        before: str | int | None = None,
    ) -> m.Page[m.TaskLine]:
        """Tasks, newest first. Long texts and results are in the task itself. `status`: Only those; may be
        repeated. `search`: Words in title, description or reason. `limit`: Rows of a page. `before`: `next` of
        the page before."""
        return await self._ask(
            "GET",
            "/api/v1/tasks",
            m.Page[m.TaskLine],
            query={
                "status": status,
                "type": type,
                "kind": kind,
                "source": source,
                "stage": stage,
                "parent": parent,
                "search": search,
                "limit": limit,
                "before": before,
            },
        )

    async def add_task(self, body: m.NewTask) -> m.TaskDetails:
        """Give the team work. The daemon begins it when an agent is free."""
        return await self._ask("POST", "/api/v1/tasks", m.TaskDetails, body=body)

    async def task(self, task_id: str) -> m.TaskDetails:
        """One task. Everything about it but what has an address of its own."""
        return await self._ask("GET", f"/api/v1/tasks/{self._quoted(task_id)}", m.TaskDetails)

    async def change_task(self, task_id: str, body: m.Change) -> m.TaskDetails:
        """Change priority or deadline. It holds from the task's next stage on."""
        return await self._ask("PATCH", f"/api/v1/tasks/{self._quoted(task_id)}", m.TaskDetails, body=body)

    async def task_thread(self, task_id: str) -> list[m.Entry]:
        """What happened to it, in order. Activity, attempts, verdicts and decisions in one line of time."""
        return await self._ask("GET", f"/api/v1/tasks/{self._quoted(task_id)}/thread", list[m.Entry])

    async def task_attempts(self, task_id: str) -> list[m.Attempt]:
        """Attempts with the results of their tests. Oldest first, of all its runs."""
        return await self._ask("GET", f"/api/v1/tasks/{self._quoted(task_id)}/attempts", list[m.Attempt])

    async def task_verdicts(self, task_id: str) -> list[m.Verdict]:
        """Judgements of it. Oldest first, of all its runs."""
        return await self._ask("GET", f"/api/v1/tasks/{self._quoted(task_id)}/verdicts", list[m.Verdict])

    async def task_decisions(self, task_id: str) -> list[m.Decision]:
        """Decisions about it. Newest first."""
        return await self._ask("GET", f"/api/v1/tasks/{self._quoted(task_id)}/decisions", list[m.Decision])

    async def task_report(self, task_id: str) -> list[m.Section]:
        """What a task without code has come to. A report, an opinion or a decision in sections; empty for
        others, and before it is there."""
        return await self._ask("GET", f"/api/v1/tasks/{self._quoted(task_id)}/report", list[m.Section])

    async def task_diff(self, task_id: str) -> str:
        """The change it made. Its landed commits, or its branch while it is in progress, as a unified diff;
        empty before the first change."""
        return await self._ask("GET", f"/api/v1/tasks/{self._quoted(task_id)}/diff", str)

    async def task_calls(
        self, task_id: str, *, limit: int = 50, before: str | int | None = None
    ) -> m.Page[m.ModelCall]:
        """Model calls for it. Newest first, with tokens and cost; prompt and response are empty here. `limit`:
        Rows of a page. `before`: `next` of the page before."""
        return await self._ask(
            "GET",
            f"/api/v1/tasks/{self._quoted(task_id)}/calls",
            m.Page[m.ModelCall],
            query={"limit": limit, "before": before},
        )

    async def task_call(self, task_id: str, number: int) -> m.ModelCall:
        """One model call with prompt and response. Retention empties them after `retention.answers_days`."""
        return await self._ask(
            "GET", f"/api/v1/tasks/{self._quoted(task_id)}/calls/{self._quoted(number)}", m.ModelCall
        )

    async def approve_task(self, task_id: str, body: m.Note | None = None) -> m.Told:
        """Let it go on. Opens its gate or answers its question; a blocked or failed task is tried again with
        your words."""
        return await self._ask("POST", f"/api/v1/tasks/{self._quoted(task_id)}/approve", m.Told, body=body)

    async def reject_task(self, task_id: str, body: m.Note | None = None) -> m.Told:
        """Put it aside. Cancels a task that waits, is blocked or has failed. What has landed stays."""
        return await self._ask("POST", f"/api/v1/tasks/{self._quoted(task_id)}/reject", m.Told, body=body)

    async def cancel_task(self, task_id: str) -> m.Told:
        """Stop it. Its test runs and model calls end at once. What has landed stays."""
        return await self._ask("POST", f"/api/v1/tasks/{self._quoted(task_id)}/cancel", m.Told)

    async def retry_task(self, task_id: str, body: m.Again | None = None) -> m.Told:
        """Start it again. For failed, blocked and cancelled tasks: from the beginning, or from a stage that the
        task reached; without its worktree (see `retention.worktree_days`) from the beginning all the same."""
        return await self._ask("POST", f"/api/v1/tasks/{self._quoted(task_id)}/retry", m.Told, body=body)

    async def replan_task(self, task_id: str, body: m.Note) -> m.Told:
        """Plan a goal again. Tasks of the plan that have not begun are cancelled."""
        return await self._ask("POST", f"/api/v1/tasks/{self._quoted(task_id)}/replan", m.Told, body=body)

    async def status(self) -> m.Overview:
        """The state at a glance. Counts of tasks, and whether the daemon runs."""
        return await self._ask("GET", "/api/v1/status", m.Overview)

    async def inbox(self, *, limit: int = 50) -> m.Inbox:
        """What waits for you. Tasks that stopped, each with why, the evidence and what you can do; limits of
        the budget; outages; landed work to merge. `limit`: Rows of a page."""
        return await self._ask("GET", "/api/v1/inbox", m.Inbox, query={"limit": limit})

    async def agents(self) -> list[m.AgentNow]:
        """The team. What each agent does now, what waits for it, and how often it succeeds."""
        return await self._ask("GET", "/api/v1/agents", list[m.AgentNow])

    async def agent(self, name: str) -> m.AgentNow:
        """One agent. The same of one."""
        return await self._ask("GET", f"/api/v1/agents/{self._quoted(name)}", m.AgentNow)

    async def pause_agent(self, name: str) -> m.AgentNow:
        """Hold an agent back. It finishes the step it is in and begins nothing more, over restarts, too."""
        return await self._ask("POST", f"/api/v1/agents/{self._quoted(name)}/pause", m.AgentNow)

    async def resume_agent(self, name: str) -> m.AgentNow:
        """Let an agent go on. It goes on where it was."""
        return await self._ask("POST", f"/api/v1/agents/{self._quoted(name)}/resume", m.AgentNow)

    async def add_pause(self) -> m.Overview:
        """Hold everybody back. Steps that run are finished; nothing new is begun until it is resumed, over
        restarts, too."""
        return await self._ask("POST", "/api/v1/pause", m.Overview)

    async def add_resume(self) -> m.Overview:
        """Let everybody go on. In quiet hours, too, until they end. Agents that are paused by name stay so."""
        return await self._ask("POST", "/api/v1/resume", m.Overview)

    async def strategy(self) -> m.Strategy:
        """What the CEO goes by. Its goals, what it counts on, and what was learnt; empty before the first
        review."""
        return await self._ask("GET", "/api/v1/strategy", m.Strategy)

    async def tell_agent(self, name: str, body: m.Words) -> m.Spoken:
        """Tell an agent something. It stands in the agent's next prompt as your word, and is answered: the
        answer is in the thread. About a task that waits for your answer it is the answer; one that is blocked
        or failed is tried again with it."""
        return await self._ask("POST", f"/api/v1/agents/{self._quoted(name)}/tell", m.Spoken, body=body)

    async def agent_thread(self, name: str, *, limit: int = 50) -> list[m.Exchange]:
        """What you and an agent said. The latest messages, oldest first, with the answers that are there.
        `limit`: Rows of a page."""
        return await self._ask(
            "GET", f"/api/v1/agents/{self._quoted(name)}/thread", list[m.Exchange], query={"limit": limit}
        )

    async def usage(
        self,
        *,
        by: Literal["day", "agent", "model", "task"] = "day",
        since: date | None = None,
        task: str | None = None,
    ) -> list[m.UsageRow]:
        """The ledger. Model calls, tokens and money. Days newest first, others by tokens. `by`: What it is
        summed up by. `since`: From this day (UTC) on. `task`: Only for this task."""
        return await self._ask("GET", "/api/v1/usage", list[m.UsageRow], query={"by": by, "since": since, "task": task})

    async def limits(self) -> list[m.LimitState]:
        """Limits of the budget. How much of each is used and reserved. Of agents and tasks, those that used
        any."""
        return await self._ask("GET", "/api/v1/limits", list[m.LimitState])

    async def activity(
        self, *, agent: str | None = None, task: str | None = None, limit: int = 50, before: str | int | None = None
    ) -> m.Page[m.Line]:
        """The activity stream. Newest first; /api/v1/events goes on where it ends. `limit`: Rows of a page.
        `before`: `next` of the page before."""
        return await self._ask(
            "GET",
            "/api/v1/activity",
            m.Page[m.Line],
            query={"agent": agent, "task": task, "limit": limit, "before": before},
        )

    async def decisions(
        self, *, type: str | None = None, limit: int = 50, before: str | int | None = None
    ) -> m.Page[m.Decision]:
        """What was decided, and why. Newest first. `type`: Only of this type. `limit`: Rows of a page.
        `before`: `next` of the page before."""
        return await self._ask(
            "GET", "/api/v1/decisions", m.Page[m.Decision], query={"type": type, "limit": limit, "before": before}
        )

    async def settings(self) -> dict[str, JsonValue]:
        """The configuration that counts. File, environment and defaults together, as the daemon read them at
        its start; secrets masked."""
        return await self._ask("GET", "/api/v1/settings", dict[str, JsonValue])

    async def change_settings(self, body: m.SettingsChange) -> m.SettingsChanged:
        """Change the file. Comments stay. A value that is not allowed changes nothing, and the answer says what
        is allowed."""
        return await self._ask("PATCH", "/api/v1/settings", m.SettingsChanged, body=body)

    async def settings_file(self) -> m.SettingsFile:
        """The file. `config.yaml` with its comments; empty where there is none."""
        return await self._ask("GET", "/api/v1/settings/file", m.SettingsFile)

    async def me(self) -> m.Me:
        """Who am I. The person behind this session or key."""
        return await self._ask("GET", "/api/v1/me", m.Me)

    async def set_me_password(self, body: m.NewPassword) -> None:
        """Set my password. For sessions only. All your sessions end, this one too."""
        return await self._ask("PUT", "/api/v1/me/password", type(None), body=body)

    async def people(self) -> list[m.PersonShown]:
        """Everybody. In the order in which they were added."""
        return await self._ask("GET", "/api/v1/people", list[m.PersonShown])

    async def add_person(self, body: m.NewPerson) -> m.PersonShown:
        """Let somebody in. Without a password they come in by an invitation."""
        return await self._ask("POST", "/api/v1/people", m.PersonShown, body=body)

    async def change_person(self, name: str, body: m.PersonChange) -> m.PersonShown:
        """Change a person. Who gets another password, or is shut out, is signed out everywhere. The owner stays
        an admin."""
        return await self._ask("PATCH", f"/api/v1/people/{self._quoted(name)}", m.PersonShown, body=body)

    async def remove_person(self, name: str) -> None:
        """Take somebody out. Their sessions and keys end at once. What they did stays in the audit trail."""
        return await self._ask("DELETE", f"/api/v1/people/{self._quoted(name)}", type(None))

    async def add_person_invitation(self, name: str) -> m.Invitation:
        """Make a way in. For sessions only. A link that signs the person in once, within three days; then they
        set a password."""
        return await self._ask("POST", f"/api/v1/people/{self._quoted(name)}/invitation", m.Invitation)

    async def keys(self) -> list[m.KeyShown]:
        """Keys of programs. Yours; an admin sees all. Those that have expired are left out."""
        return await self._ask("GET", "/api/v1/keys", list[m.KeyShown])

    async def add_key(self, body: m.NewKey) -> m.KeyMade:
        """Make a key. For sessions only: a key makes no keys."""
        return await self._ask("POST", "/api/v1/keys", m.KeyMade, body=body)

    async def add_token(self, body: m.NewToken) -> m.TokenMade:
        """Make a short-lived token. For sessions and keys. It ends by itself, with its person, and with the key
        that made it."""
        return await self._ask("POST", "/api/v1/tokens", m.TokenMade, body=body)

    async def remove_key(self, number: int) -> None:
        """Withdraw a key. It ends at once; one's own, or any for an admin."""
        return await self._ask("DELETE", f"/api/v1/keys/{self._quoted(number)}", type(None))

    async def deployments(
        self, *, environment: str | None = None, before: str | int | None = None, limit: int = 50
    ) -> m.Page[m.Deployment]:
        """Deployments. The newest first. `environment`: Only of this one. `before`: `next` of the page before.
        `limit`: Rows of a page."""
        return await self._ask(
            "GET",
            "/api/v1/deployments",
            m.Page[m.Deployment],
            query={"environment": environment, "before": before, "limit": limit},
        )

    async def add_deployment(self, body: m.Wanted) -> m.Requested:
        """Deploy. A task of the daemon does it; `GET /api/v1/tasks/{id}` tells how it goes."""
        return await self._ask("POST", "/api/v1/deployments", m.Requested, body=body)

    async def deployments_environments(self) -> list[m.EnvironmentNow]:
        """What is live. Each environment with what is live in it, as far as is remembered."""
        return await self._ask("GET", "/api/v1/deployments/environments", list[m.EnvironmentNow])

    async def deployments_environment_metrics(self, name: str) -> m.Measured:
        """What was measured. What was measured of what is live there, beside the version before, and how they
        compare."""
        return await self._ask("GET", f"/api/v1/deployments/environments/{self._quoted(name)}/metrics", m.Measured)

    async def deployment(self, number: int) -> m.Deployment:
        """One deployment. All that is remembered of it."""
        return await self._ask("GET", f"/api/v1/deployments/{self._quoted(number)}", m.Deployment)

    async def add_deployments_rollback(self, body: m.Back) -> m.Requested:
        """Return to an earlier version. The version that was live before, or that of a deployment."""
        return await self._ask("POST", "/api/v1/deployments/rollback", m.Requested, body=body)

    async def add_deployments_promote(self, body: m.Upwards) -> m.Requested:
        """Promote. Deploy what is live in the environment before this one."""
        return await self._ask("POST", "/api/v1/deployments/promote", m.Requested, body=body)

    async def forge(self) -> m.ForgeNow:
        """The forge. What is remembered: issues with their tasks, requests, and how the last look at it
        went."""
        return await self._ask("GET", "/api/v1/forge", m.ForgeNow)

    async def add_forge_sync(self) -> m.Heard:
        """Look at it now. The daemon looks within a second or two; what it found is in `GET /api/v1/forge`."""
        return await self._ask("POST", "/api/v1/forge/sync", m.Heard)
