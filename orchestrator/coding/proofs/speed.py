"""The proof of work on performance: QA's benchmark is faster after it, measured in turns in one run."""

from __future__ import annotations

from memory import ProofOutcome, TaskKind
from orchestrator.coding.proofs.proof import Work, holds, lacks, not_checked
from orchestrator.flow import StageContext

NOT_PYTHON = "benchmarks are programs in Python, and the project's tests are not"


class Faster:
    """The benchmark takes clearly less time than before the work."""

    name = "benchmark"

    def applies(self, work: Work) -> bool:
        return work.state.kind == TaskKind.PERFORMANCE

    def examine(self, work: Work) -> ProofOutcome:
        if not work.state.benchmark:
            return not_checked(self.name, NOT_PYTHON)
        timing = work.suite.timed(work.before, work.after, work.state.benchmark, work.label)
        if timing.problem:
            return lacks(self.name, f"the benchmark cannot be timed: {timing.problem}")
        if other := timing.gives_something_else:
            return lacks(self.name, f"the benchmark does not compute the same any more: it returns {other}")
        if timing.is_faster:
            return holds(self.name, str(timing))
        return lacks(
            self.name,
            f"the work is to make the code faster, but the benchmark is not clearly faster: {timing}. The median has "
            "to be better by a tenth at least, and by more than the runs differ among themselves",
        )


def unfit_benchmark(ctx: StageContext, base: str, tree: str, benchmark: str) -> str:
    """Why QA's benchmark measures nothing on the code as it is; empty if it does."""
    if not ctx.bench.is_python(base):
        return ""
    if not benchmark.strip():
        return (
            "work of the kind performance is proven by a benchmark: give a small program in Python that prepares its "
            "data and defines benchmark(), which calls the code that is too slow and returns what that gives"
        )
    timing = ctx.services.suite.timed(tree, tree, benchmark, ctx.task.id, rounds=1)
    return f"the benchmark cannot be timed on the code as it is: {timing.problem}" if timing.problem else ""
