"""The ledger of model calls, and the answers that are kept so that none is paid for twice.

A stored answer is used again in two ways: by the same step when it is repeated (workflow, step, request), and by any
request with the same hash while the cached answer is fresh. Answers are redacted, like everything that is stored.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any, Literal, get_args

import sqlalchemy as sa

from config import BudgetSettings
from memory.database.database import Database, Query
from memory.database.schema import model_cache, model_calls, model_probes
from memory.ledger_models import NANO, LimitState, ModelCall, ModelProbe, StoredResponse, UsageRow
from memory.tables.budgets import lock_budgets, settled
from memory.task_models import utc_now
from monitoring.tracing import record_span

UsageKey = Literal["task", "agent", "model", "day"]
_ANSWER_NAME = ("workflow_id", "step", "request_hash")
_USABLE = sa.text("outcome = 'ok'")
_RESPONSE_COLUMNS = tuple(StoredResponse.model_fields)


class LedgerTables:
    """The tables `model_calls`, `model_cache` and `model_probes`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find_call(self, workflow_id: str, step: str, request_hash: str) -> StoredResponse | None:
        """The answer that this step has already got to this request, or None."""
        query = sa.select(*(model_calls.c[name] for name in _RESPONSE_COLUMNS)).where(
            model_calls.c.workflow_id == workflow_id,
            model_calls.c.step == step,
            model_calls.c.request_hash == request_hash,
            _USABLE,
        )
        return self._one_response(query)

    def record_call(
        self, call: ModelCall, reservation: int | None = None, budget: BudgetSettings | None = None
    ) -> list[LimitState]:
        """Write a call into the ledger.

        Of calls with outcome `ok` only the first of a (workflow, step, request) is kept. Failed calls are all written:
        they may have cost tokens. The call's `reservation` is settled in the same transaction, so that no stored answer
        leaves one behind; gives what `settle` gives.
        """
        _trace(call)
        insert = self._database.insert(model_calls).values(call.model_dump(exclude={"id"}))
        with self._database.write(patient=True) as connection:
            if reservation is not None:
                lock_budgets(connection, self._database)
            connection.execute(insert.on_conflict_do_nothing(index_elements=_ANSWER_NAME, index_where=_USABLE))
            if reservation is None:
                return []
            tokens, nano_usd = call.input_tokens + call.output_tokens, round((call.cost_usd or 0.0) * NANO)
            return settled(connection, reservation, tokens, nano_usd, budget or BudgetSettings())

    def cached_response(self, request_hash: str, max_age_seconds: float) -> StoredResponse | None:
        """An answer to an identical request, not older than `max_age_seconds`, or None."""
        youngest = utc_now() - timedelta(seconds=max_age_seconds)
        query = sa.select(*(model_cache.c[name] for name in _RESPONSE_COLUMNS)).where(
            model_cache.c.request_hash == request_hash, model_cache.c.created_at >= youngest
        )
        return self._one_response(query)

    def store_response(self, request_hash: str, response: StoredResponse) -> None:
        """Put an answer into the cache, in place of an older one."""
        values = response.model_dump()
        insert = self._database.insert(model_cache).values(request_hash=request_hash, **values)
        with self._database.write() as connection:
            connection.execute(insert.on_conflict_do_update(index_elements=["request_hash"], set_=values))

    def purge_cache(self, max_age_seconds: float) -> int:
        """Delete cached answers older than that; gives how many."""
        oldest = utc_now() - timedelta(seconds=max_age_seconds)
        with self._database.write() as connection:
            return connection.execute(model_cache.delete().where(model_cache.c.created_at < oldest)).rowcount

    def usage(
        self,
        group_by: UsageKey,
        *,
        task_ids: Collection[str] | None = None,
        since: datetime | None = None,
        before: datetime | None = None,
    ) -> list[UsageRow]:
        """What was used, by task, agent, model (`provider/model`) or day (UTC); days newest first, others by tokens.

        `task_ids`: only by calls for these tasks; `since`, `before`: only by calls from then on, or until then.
        """
        key = _usage_key(group_by).label("key")
        query = sa.select(key, *_usage_sums()).group_by(key)
        if task_ids is not None:
            query = query.where(model_calls.c.task_id.in_(task_ids))
        if since is not None:
            query = query.where(model_calls.c.created_at >= since)
        if before is not None:
            query = query.where(model_calls.c.created_at < before)
        with self._database.read() as connection:
            found = [UsageRow.model_validate(dict(row)) for row in connection.execute(query).mappings()]
        return in_order(found, group_by)

    def _one_response(self, query: Query) -> StoredResponse | None:
        with self._database.read() as connection:
            row = connection.execute(query).mappings().first()
        return None if row is None else StoredResponse.model_validate(dict(row))

    def find_probe(self, provider: str, address: str, model: str) -> ModelProbe | None:
        """The stored probe of this model, or None."""
        columns = model_probes.c
        query = sa.select(model_probes).where(
            columns.provider == provider, columns.address == address, columns.model == model
        )
        with self._database.read() as connection:
            row = connection.execute(query).mappings().first()
        return None if row is None else ModelProbe.model_validate(dict(row))

    def record_probe(self, probe: ModelProbe) -> None:
        """Store the probe of a model, in place of an earlier one."""
        values = probe.model_dump()
        insert = self._database.insert(model_probes).values(values)
        name = [column.name for column in model_probes.primary_key]
        with self._database.write() as connection:
            connection.execute(insert.on_conflict_do_update(index_elements=name, set_=values))


def in_order(rows: list[UsageRow], group_by: UsageKey) -> list[UsageRow]:
    """Days newest first, others by tokens."""
    if group_by == "day":
        return sorted(rows, key=lambda row: row.key, reverse=True)
    return sorted(rows, key=lambda row: (-row.input_tokens - row.output_tokens, row.key))


def _usage_key(group_by: UsageKey) -> sa.ColumnElement[str]:
    match group_by:
        case "task":
            return sa.func.coalesce(model_calls.c.task_id, "")
        case "agent":
            return model_calls.c.agent
        case "model":
            return model_calls.c.provider + "/" + model_calls.c.model
        case "day":
            return sa.cast(sa.func.date(model_calls.c.created_at), sa.Text)  # the session's timezone is UTC
    raise ValueError(f"usage by {group_by!r} is not known; use one of {', '.join(get_args(UsageKey))}")


def _usage_sums() -> list[sa.Label[Any]]:
    calls = model_calls.c

    def total(column: sa.ColumnElement[int]) -> sa.ColumnElement[int]:
        return sa.func.coalesce(sa.func.sum(column), 0)

    return [
        sa.func.count().label("calls"),
        total(sa.case((calls.cached, 1), else_=0)).label("cached_calls"),
        total(calls.input_tokens).label("input_tokens"),
        total(calls.output_tokens).label("output_tokens"),
        total(calls.cached_tokens).label("cached_tokens"),
        sa.func.sum(calls.cost_usd).label("cost_usd"),
        total(sa.case((calls.cost_usd.is_(None), 1), else_=0)).label("unpriced_calls"),
        sa.func.sum(calls.seconds).label("seconds"),
    ]


def _trace(call: ModelCall) -> None:
    """A span for a call, without a word of what was said."""
    record_span(
        "model call", call.seconds, agent=call.agent, task=call.task_id, cached=call.cached, cost_usd=call.cost_usd,
        gen_ai__operation__name="chat", gen_ai__provider__name=call.provider, gen_ai__request__model=call.model,
        gen_ai__usage__input_tokens=call.input_tokens, gen_ai__usage__output_tokens=call.output_tokens,
        error__type=None if call.outcome == "ok" else call.outcome,
    )  # fmt: skip
