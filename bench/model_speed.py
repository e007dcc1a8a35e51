"""How fast the embedded model is on this machine: tokens per second read and written, for one stream and several.

    python -m bench.model_speed                 one stream and as many as the server has slots
    python -m bench.model_speed --streams 1 4 --repeat 3 --json

Every stream sends a prompt of about 600 tokens that the server has not seen and gets an answer of 200 tokens (`new`),
then the same prompt with another last line, like an agent's next attempt (`again`), most of which the server has in its
cache (`known`). Figures are medians of the repetitions. The machine should be doing nothing else.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import threading
import time
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast

import psutil

from llm import LocalModelServer, find_local_model
from llm.embedded.server import Place

SOURCE = Path(__file__).parents[1] / "llm" / "client.py"
PROMPT_CHARS = 2300
ANSWER_TOKENS = 200


@dataclass(frozen=True)
class Timing:
    """What the server reports on one request: tokens read, taken from its cache (`known`) and written."""

    read: int
    known: int
    written: int
    read_per_second: float
    written_per_second: float


@dataclass(frozen=True)
class Row:
    """One line of the table. Speeds are those of one stream, measured by the server, unless they are `in_all`."""

    work: str
    streams: int
    seconds: float
    tokens_read: int
    tokens_known: int
    read_per_second: float
    tokens_written: int
    written_per_second: float
    written_per_second_in_all: float


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="auto", help="which model, written as llm.local_model")
    parser.add_argument("--streams", type=int, nargs="+", default=[1, 2], help="number of requests at once")
    parser.add_argument("--repeat", type=int, default=3, help="number of measurements of each")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of a table")
    chosen = parser.parse_args()
    server = LocalModelServer(find_local_model(chosen.model))
    try:
        started = time.monotonic()
        with server.slot() as place:  # one slot for all: with a slot each they would run one by one
            start_seconds = time.monotonic() - started
            rows = [row for streams in chosen.streams for row in _measure(place, streams, chosen.repeat)]
        rss = psutil.Process(server.pid).memory_info().rss
        report = {"server": server.program, "start_seconds": round(start_seconds, 1), "rss_mb": rss // 2**20}
    finally:
        server.stop()
    if chosen.json:
        json.dump(report | {"repeat": chosen.repeat, "rows": [asdict(row) for row in rows]}, sys.stdout, indent=2)
        print()
    else:
        _print_table(report, rows)


def _measure(place: Place, streams: int, repeat: int) -> list[Row]:
    """Medians over `repeat` rounds of `streams` new prompts at once, then of the same ones continued."""
    source = SOURCE.read_text()[:PROMPT_CHARS]
    new, again = [], []
    for round_number in range(repeat):
        # A first line that was never sent before keeps the server from using its cache.
        heads = [f"# {time.time_ns()} {round_number} {stream}\n{source}\n" for stream in range(streams)]
        new.append(_round(place, [f"{head}Explain this module at length." for head in heads]))
        again.append(_round(place, [f"{head}Write ten ideas to improve this module." for head in heads]))
    return [_row("new", streams, new), _row("again", streams, again)]


def _round(place: Place, prompts: Sequence[str]) -> tuple[float, list[Timing]]:
    timings: list[Timing] = []

    def ask(prompt: str) -> None:
        timings.append(_ask(place, prompt))

    threads = [threading.Thread(target=ask, args=(prompt,)) for prompt in prompts]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.monotonic() - started, timings


def _ask(place: Place, prompt: str) -> Timing:
    body = {
        "messages": [{"role": "user", "content": prompt}],
        "max_tokens": ANSWER_TOKENS,
        "temperature": 0,
    }
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {place.api_key}"}
    request = urllib.request.Request(f"{place.base_url}/chat/completions", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=900) as response:
        timings = cast(dict[str, float], json.load(response)["timings"])
    return Timing(
        read=int(timings["prompt_n"]),
        known=int(timings.get("cache_n", 0)),
        written=int(timings["predicted_n"]),
        read_per_second=timings["prompt_per_second"],
        written_per_second=timings["predicted_per_second"],
    )


def _row(work: str, streams: int, rounds: Sequence[tuple[float, Sequence[Timing]]]) -> Row:
    timings = [timing for _, round_timings in rounds for timing in round_timings]
    median = statistics.median
    return Row(
        work=work,
        streams=streams,
        seconds=round(median(seconds for seconds, _ in rounds), 2),
        tokens_read=int(median(timing.read for timing in timings)),
        tokens_known=int(median(timing.known for timing in timings)),
        read_per_second=round(median(timing.read_per_second for timing in timings), 1),
        tokens_written=int(median(timing.written for timing in timings)),
        written_per_second=round(median(timing.written_per_second for timing in timings), 1),
        written_per_second_in_all=round(
            median(sum(timing.written for timing in of_round) / seconds for seconds, of_round in rounds), 1
        ),
    )


def _print_table(report: Mapping[str, object], rows: Sequence[Row]) -> None:
    print(f"{report['server']}: ready after {report['start_seconds']} s, {report['rss_mb']} MB resident at the end\n")
    print(f"{'work':8}{'streams':>8}{'seconds':>9}{'read':>7}{'known':>7}{'/s':>8}{'written':>9}{'/s':>7}{'/s all':>8}")
    for row in rows:
        print(
            f"{row.work:8}{row.streams:8}{row.seconds:9.2f}{row.tokens_read:7}{row.tokens_known:7}"
            f"{row.read_per_second:8.1f}{row.tokens_written:9}{row.written_per_second:7.1f}"
            f"{row.written_per_second_in_all:8.1f}"
        )


if __name__ == "__main__":
    main()
