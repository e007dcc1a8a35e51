"""`tools`: a strong model looks, changes, tests and mends by itself, on a code base too large to be shown to it."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.coding.method import Answer, Standing, Try
from orchestrator.coding.state import CodeState
from orchestrator.coding.tool_loop import run_tool_loop
from orchestrator.flow import StageContext


@dataclass(frozen=True)
class Tooling:
    """A loop with tools on the files as they stand, with the evidence against them."""

    name = "tools"
    goes_on = True

    def answer(self, ctx: StageContext, state: CodeState, attempt: Try, standing: Standing) -> Answer:
        """The files the loop came to, finished or not: they are verified like any other answer."""
        result = run_tool_loop(ctx, state, attempt.label, standing.tree, standing.evidence)
        return Answer(tree=result.tree)
