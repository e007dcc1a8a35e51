"""A small model goes on from a function that is begun for it: the real embedded model. Run with `pytest -m model`."""

from __future__ import annotations

import ast
import random
from collections.abc import Iterator
from typing import Any

import pytest

from agents import Begun, CodeView, FileText, Requirements
from agents.sampled_developer import SampledDeveloper
from config import LLMSettings
from llm import CallContext, LLMClient, LocalModelServer, local_models, model_status
from memory import MemoryStore, Task
from orchestrator.small_models.begun_functions import Wanted, begun_function, resumed_function

SMALLEST = local_models()[0]
pytestmark = [pytest.mark.model, pytest.mark.timeout(300)]

MODULE = "import math\n\n\ndef halved(n: int) -> int:\n    return n // 2\n"
TITLE = "Add the sum of the even numbers"
DESCRIPTION = "Add `even_sum(numbers: list[int]) -> int`: the sum of the even ones. `even_sum([1, 2, 4])` returns `6`."
WANTED = Wanted(MODULE, "even_sum", TITLE, DESCRIPTION)
NEARLY = """def even_sum(numbers: list[int]) -> int:
    result = 0
    for number in numbers:
        if number % 2 == 1:
            result += number
    return result
"""


@pytest.fixture(scope="module")
def developer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SampledDeveloper]:
    assert model_status(SMALLEST).ready, "the embedded model is not there: python main.py model fetch"
    store = MemoryStore(f"sqlite:///{tmp_path_factory.mktemp('ledger') / 'agents.db'}")
    store.migrate()
    server = LocalModelServer(SMALLEST)
    client = LLMClient(LLMSettings(provider="local", local_model=SMALLEST.name), {}, store, server)
    yield SampledDeveloper(client)
    client.close()
    server.stop()
    store.close()


def written(developer: SampledDeveloper, begun: Begun | None, draw: int = 0) -> str:
    """The code of the answer."""
    assert begun
    answer = developer.write_definitions(
        Task(id="t-1", title=TITLE, description=DESCRIPTION),
        Requirements(target_file="kit.py", module="kit", symbols=["even_sum"]),
        CodeView(target=FileText("kit.py", ""), begun=begun),
        draw,
        CallContext(task_id=None, agent="developer", workflow_id="test", step=f"{draw}{begun.kept}"),
    )
    return answer.removeprefix("```python\n").removesuffix("\n```\n")


@pytest.mark.parametrize("steps", [False, True])
def test_a_begun_function_is_finished(developer: SampledDeveloper, *, steps: bool) -> None:
    begun = begun_function(WANTED, steps=steps)
    code = written(developer, begun)
    assert begun
    assert code.startswith(begun.kept)
    assert [node.name for node in ast.parse(code).body if isinstance(node, ast.FunctionDef)] == ["even_sum"]
    names: dict[str, Any] = {}
    exec(code, names)
    assert names["even_sum"]([3, 8, -2, 5]) == 6


def test_a_nearly_right_function_is_resumed_where_it_was_begun(developer: SampledDeveloper) -> None:
    """What is kept of it stays as it was, and what comes after is a function again: also where it was not right."""
    kept = set()
    for seed in range(4):
        begun = resumed_function(WANTED, NEARLY, random.Random(seed))
        code = written(developer, begun, draw=seed)
        assert begun
        assert code.startswith(begun.kept)
        assert "result = 0" in begun.kept
        assert isinstance(ast.parse(code).body[-1], ast.FunctionDef)
        kept.add(begun.kept)
    assert len(kept) > 1
