"""Budgets: a call reserves what it may cost at worst, and settles what it did cost when it ends.

A reservation is made only when it fits into every limit. These transactions run one at a time over all processes, so
used and reserved together never exceed a limit. A reservation whose process was killed is settled at its worst at the
next start: whether the provider was asked is not known, and so the sum stays as it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from config import BudgetSettings
from memory.database.database import Database
from memory.database.schema import budgets, model_calls, reservations, waiting_calls
from memory.ledger_models import (
    NANO,
    CallInFlight,
    Claim,
    LimitState,
    ModelCall,
    Reserved,
    Scope,
    Unit,
    WaitingCall,
)
from memory.task_models import UtcTime, utc_now

_LOCK = 0x627564676574  # any number, the same in every process: "budget"
_ALERT_SHARE = 0.8
_UNITS: dict[Unit, tuple[str, int]] = {"usd": ("nano_usd", NANO), "tokens": ("tokens", 1)}
"""Column of each unit, and how many of the column's units make one."""

Accounts = dict[Scope, str]
"""What one call is charged to: a subject for each scope."""
Totals = dict[tuple[str, str], sa.RowMapping]


class BudgetTables:
    """The tables `budgets` and `reservations`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def reserve(self, claim: Claim, budget: BudgetSettings) -> Reserved:
        """Set aside what a call may take at worst: a `Claim`, or another model with its fields (`llm` has its own).

        Refused, with the limits in the way, when used, reserved and claimed together would exceed one of them.
        """
        wanted = Claim.model_validate(claim, from_attributes=True)
        accounts = _accounts(wanted.task_id, wanted.agent, wanted.at)
        with self._database.write() as connection:
            lock_budgets(connection, self._database)
            totals = _totals(connection, accounts.items())
            over = [state for state in _states(accounts, totals, budget) if not _fits(state, wanted)]
            if over:
                return Reserved(over=over)
            for scope, subject in accounts.items():
                self._add(connection, scope, subject, wanted)
            values = wanted.model_dump(exclude={"at"}) | {"created_at": wanted.at}
            row = connection.execute(reservations.insert().values(values).returning(reservations.c.id)).scalar_one()
        return Reserved(id=row)

    def settle(self, reservation: int, *, tokens: int, nano_usd: int, budget: BudgetSettings) -> list[LimitState]:
        """End a reservation with what was really used, 0 to release it.

        Gives the limits of which four fifths are now used; each is given once in its period, also over restarts.
        """
        with self._database.write() as connection:
            lock_budgets(connection, self._database)
            return settled(connection, reservation, tokens, nano_usd, budget)

    def settle_leftovers(self) -> int:
        """Settle the reservations that a killed process left, at their worst; gives how many.

        Each gets its row in the ledger, too, so that what was spent is one figure wherever it is shown.
        """
        with self._database.write() as connection:
            lock_budgets(connection, self._database)
            left = connection.execute(sa.select(reservations)).mappings().all()
            for row in left:
                settled(connection, row["id"], row["tokens"], row["nano_usd"], BudgetSettings(task_tokens=None))
                connection.execute(model_calls.insert().values(_interrupted(row).model_dump(exclude={"id"})))
        return len(left)

    def calls_in_flight(self) -> list[CallInFlight]:
        """The calls that hold a reservation, the longest awaited first. Those of a killed daemon are among them until
        the next one starts.
        """
        columns = reservations.c
        shown = (columns.id, columns.agent, columns.task_id, columns.model, columns.created_at.label("since"))
        with self._database.read() as connection:
            rows = connection.execute(sa.select(*shown).order_by(columns.created_at, columns.id)).mappings()
            return [CallInFlight.model_validate(dict(row)) for row in rows]

    def limit_states(self, budget: BudgetSettings, *, agents: Sequence[str] = ()) -> list[LimitState]:
        """The limits of the present day and month, of each of `agents`, and of tasks that used any of theirs.

        Tasks come with the fullest first, at most 20.
        """
        now = utc_now()
        several: list[Accounts] = [{"day": f"{now:%Y-%m-%d}", "month": f"{now:%Y-%m}"}]
        several += [{"agent_day": _agent_day(agent, now)} for agent in agents]
        wanted = [(scope, subject) for each in several for scope, subject in each.items()]
        fullest = sa.select(budgets).where(budgets.c.scope == "task")
        fullest = fullest.order_by((budgets.c.tokens + budgets.c.reserved_tokens).desc()).limit(20)
        with self._database.read() as connection:
            totals = _totals(connection, wanted)
            tasks = list(connection.execute(fullest).mappings())
        several += [{"task": row["subject"]} for row in tasks]
        totals |= {("task", row["subject"]): row for row in tasks}
        return [state for each in several for state in _states(each, totals, budget)]

    def _add(self, connection: sa.Connection, scope: Scope, subject: str, wanted: Claim) -> None:
        insert = self._database.insert(budgets).values(
            scope=scope, subject=subject, tokens=0, nano_usd=0, told_tokens=0, told_nano_usd=0,
            reserved_tokens=wanted.tokens, reserved_nano_usd=wanted.nano_usd,
        )  # fmt: skip
        more = {
            "reserved_tokens": budgets.c.reserved_tokens + wanted.tokens,
            "reserved_nano_usd": budgets.c.reserved_nano_usd + wanted.nano_usd,
        }
        connection.execute(insert.on_conflict_do_update(index_elements=["scope", "subject"], set_=more))

    def begin_waiting(self, waiting: WaitingCall) -> int:
        """Record that a call waits; gives the row's id."""
        insert = waiting_calls.insert().values(waiting.model_dump(exclude={"id"})).returning(waiting_calls.c.id)
        with self._database.write() as connection:
            number: int = connection.execute(insert).scalar_one()
        return number

    def end_waiting(self, number: int) -> None:
        """Delete the record of a call that goes on or was given up."""
        with self._database.write() as connection:
            connection.execute(waiting_calls.delete().where(waiting_calls.c.id == number))

    def waiting_calls(self) -> list[WaitingCall]:
        """All calls that wait, the longest waiting first."""
        with self._database.read() as connection:
            rows = connection.execute(sa.select(waiting_calls).order_by(waiting_calls.c.since)).mappings()
            return [WaitingCall.model_validate(dict(row)) for row in rows]

    def forget_waiting(self) -> None:
        """Delete what a killed daemon left: its calls wait again when their steps are repeated."""
        with self._database.write() as connection:
            connection.execute(waiting_calls.delete())


def _interrupted(reservation: sa.RowMapping) -> ModelCall:
    """The row of a call that ended with its process. All of its tokens stand as input."""
    provider, _, model = str(reservation["model"]).partition(":")
    return ModelCall(
        workflow_id="", step=f"reservation {reservation['id']}", request_hash="", prompt_hash="", prompt="",
        response="the daemon ended before the answer came; the call counts as the longest that was asked for",
        task_id=reservation["task_id"], agent=reservation["agent"], provider=provider, model=model,
        input_tokens=reservation["tokens"], cost_usd=reservation["nano_usd"] / NANO, outcome="Interrupted",
        created_at=reservation["created_at"],
    )  # fmt: skip


def lock_budgets(connection: sa.Connection, database: Database) -> None:
    """Hold off other transactions about budgets until this one ends; on SQLite the write lock does it."""
    if not database.is_sqlite:
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))


def settled(
    connection: sa.Connection, reservation: int, tokens: int, nano_usd: int, budget: BudgetSettings
) -> list[LimitState]:
    """`BudgetTables.settle` inside of a transaction that holds the lock. One that is settled already stays as it is."""
    gone = reservations.delete().where(reservations.c.id == reservation).returning(*reservations.c)
    row = connection.execute(gone).mappings().first()
    if row is None:
        return []
    accounts = _accounts(row["task_id"], row["agent"], row["created_at"])
    columns = budgets.c
    for scope, subject in accounts.items():
        connection.execute(
            budgets.update()
            .where(columns.scope == scope, columns.subject == subject)
            .values(
                tokens=columns.tokens + tokens,
                nano_usd=columns.nano_usd + nano_usd,
                reserved_tokens=columns.reserved_tokens - row["tokens"],
                reserved_nano_usd=columns.reserved_nano_usd - row["nano_usd"],
            )
        )
    return list(_newly_crossed(connection, accounts, budget))


def _newly_crossed(connection: sa.Connection, accounts: Accounts, budget: BudgetSettings) -> Iterator[LimitState]:
    totals = _totals(connection, accounts.items())
    for state in _states(accounts, totals, budget):
        column, factor = _UNITS[state.unit]
        limit, told = round(state.limit * factor), f"told_{column}"
        if state.used >= _ALERT_SHARE * state.limit and totals[state.scope, state.subject][told] != limit:
            mine = (budgets.c.scope == state.scope, budgets.c.subject == state.subject)
            connection.execute(budgets.update().where(*mine).values({told: limit}))
            yield state


def _accounts(task_id: str | None, agent: str, at: UtcTime) -> Accounts:
    task: Accounts = {"task": task_id} if task_id else {}
    return task | {"agent_day": _agent_day(agent, at), "day": f"{at:%Y-%m-%d}", "month": f"{at:%Y-%m}"}


def _agent_day(agent: str, at: UtcTime) -> str:
    return f"{at:%Y-%m-%d} {agent}"


def _totals(connection: sa.Connection, accounts: Iterable[tuple[Scope, str]]) -> Totals:
    wanted = [sa.and_(budgets.c.scope == scope, budgets.c.subject == subject) for scope, subject in accounts]
    rows = connection.execute(sa.select(budgets).where(sa.or_(*wanted))).mappings()
    return {(row["scope"], row["subject"]): row for row in rows}


def _states(accounts: Accounts, totals: Totals, budget: BudgetSettings) -> Iterator[LimitState]:
    for scope, subject in accounts.items():
        row: dict[str, Any] = dict(totals.get((scope, subject), {}))
        for unit, (column, factor) in _UNITS.items():
            name = f"{scope}_{unit}"
            if (limit := getattr(budget, name)) is not None:
                used, reserved = row.get(column, 0), row.get(f"reserved_{column}", 0)
                yield LimitState(
                    name=name, scope=scope, subject=subject, unit=unit,
                    limit=limit, used=used / factor, reserved=reserved / factor,
                )  # fmt: skip


def _fits(state: LimitState, wanted: Claim) -> bool:
    column, factor = _UNITS[state.unit]
    whole = round(state.used * factor) + round(state.reserved * factor) + getattr(wanted, column)
    return bool(whole <= round(state.limit * factor))
