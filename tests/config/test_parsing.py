"""Threads that parse at once get their trees."""

from __future__ import annotations

import ast
import gc
import time
from concurrent.futures import ThreadPoolExecutor

import config  # noqa: F401  what it does to `ast.parse` is tested

DEEP = "x = " + "(" * 60 + "1" + " + 1)" * 60


class Finalised:
    """Found by the collector in the middle of a tree; its end lets other threads run."""

    def __init__(self) -> None:
        self.itself = self

    def __del__(self) -> None:
        time.sleep(0.0005)


def test_trees_made_in_several_threads_do_not_disturb_each_other() -> None:
    def parse(_: int) -> ast.Module:
        Finalised()
        return ast.parse(DEEP)

    thresholds = gc.get_threshold()
    gc.set_threshold(20, 5, 5)
    try:
        with ThreadPoolExecutor(4) as pool:
            trees = list(pool.map(parse, range(200)))
    finally:
        gc.set_threshold(*thresholds)
    assert len({ast.dump(tree) for tree in trees}) == 1
