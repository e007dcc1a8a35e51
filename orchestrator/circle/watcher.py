"""The daemon watches what is live, in a thread of its own: measure, compare with the version before, act."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from config import Environment
from deployment import DeploymentError, DeploymentManager
from memory import Comparison, Deployment, Measurement, MemoryStoreError, utc_now
from monitoring import AlertKind, alert, get_logger, redact
from orchestrator.circle.collector import ANSWER, HEALTH, answers, gauges
from orchestrator.circle.findings import act_on
from orchestrator.circle.judging import due
from orchestrator.circle.lessons import measured
from orchestrator.circle.log_lines import LogLines
from orchestrator.circle.marks import ACTED, is_marked, mark
from orchestrator.deployed_from import DeployedFrom
from orchestrator.services import Services

log = get_logger(__name__)

_TARGET_SECONDS = 30.0
"""Between two questions to a target, which may be a host far away, at least."""
_DOWN_LOOKS, _DOWN_SECONDS = 3, 60.0
_LAST_LINES, _MOST_LOG = 40, 4000


class Watcher:
    """Watches every environment that has an interval."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._environments = {
            name: each for name, each in services.settings.deployment.environments.items() if each.watch.interval
        }
        # a manager of its own: a deployment that runs keeps its connection
        self._manager = DeploymentManager(
            services.settings.deployment, services.store.deployments, DeployedFrom(services.git)
        )
        self._logs = {name: LogLines() for name in self._environments}
        self._next = dict.fromkeys(self._environments, 0.0)
        self._next_target = dict.fromkeys(self._environments, 0.0)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def start(self) -> None:
        """Begin, if there is anything to watch."""
        if self._environments:
            self._thread.start()

    def close(self) -> None:
        """End; what a look had not kept yet is lost."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(5)
        self._manager.close()

    def look(self, environment: str) -> list[Comparison]:
        """Measure once what is live, and make the comparisons that are due; gives them."""
        settings, store = self._environments[environment], self._services.store
        live = store.deployments.live(environment)
        if live is None or store.deployments.unfinished(environment):  # during a switch nobody knows who answers
            return []
        rows = answers(settings, live)
        if rows is None:
            return []
        if time.monotonic() >= self._next_target[environment]:
            self._next_target[environment] = time.monotonic() + _TARGET_SECONDS
            rows += gauges(self._manager, live) + self._log_errors(live)
        if store.deployments.live(environment) != live or store.deployments.unfinished(environment):
            return []
        store.measurements.add(rows)
        self._tell_if_down(environment)
        return self._judge(settings, live)

    def _judge(self, settings: Environment, live: Deployment) -> list[Comparison]:
        store = self._services.store
        before = store.deployments.before(live.environment)
        if live.kind == "rollback" or before is None:  # what was brought back is known
            return []
        made = due(store, live, before)
        for each in made:
            store.measurements.compared(each)
        known = store.measurements.comparisons(live.id)
        worse = [each for each in known if each.word == "worse"]
        if worse and not is_marked(known, ACTED):  # also what a killed daemon has found and not acted on
            act_on(self._services, settings, live, before, worse, self._last_lines(live.environment))
            store.measurements.compared(mark(live, ACTED))
            self._services.wake.set()
        if made:
            measured(self._services, live, before)
        return made

    def _log_errors(self, live: Deployment) -> list[Measurement]:
        """How many lines of errors its log has had since the last look; nothing where the log cannot be read."""
        try:
            number, last = self._logs[live.environment].new_errors(self._manager, live)
        except DeploymentError:
            return []
        if number is None:
            return []
        return [
            Measurement(
                environment=live.environment, deployment=live.id, commit=live.commit, metric="log errors", at=utc_now(),
                value=number, outcome="bad" if number else "good", detail=last,
            )
        ]  # fmt: skip

    def _last_lines(self, environment: str) -> str:
        try:
            return redact(self._manager.logs(environment, _LAST_LINES))[-_MOST_LOG:]
        except DeploymentError:
            return ""

    def _tell_if_down(self, environment: str) -> None:
        answers = [
            row for row in self._services.store.measurements.latest(environment, ANSWER, 200) if row.of == HEALTH
        ]
        down: list[Measurement] = []
        for row in answers:
            if row.outcome == "good":
                break
            down.append(row)
        if len(down) >= _DOWN_LOOKS and (down[0].at - down[-1].at).total_seconds() >= _DOWN_SECONDS:
            since = f"{down[-1].at:%Y-%m-%d %H:%M} UTC"
            told = f"{environment} has given no healthy answer since {since}: {down[0].detail}"
            alert(AlertKind.CRITICAL, f"down {environment}", told)

    def _run(self) -> None:
        while not self._stopping.is_set():
            for name in self._environments:
                if time.monotonic() < self._next[name] or self._stopping.is_set():
                    continue
                self._next[name] = time.monotonic() + self._environments[name].watch.interval
                self._look_quietly(name)
            self._stopping.wait(max(0.05, min(self._next.values()) - time.monotonic()))

    def _look_quietly(self, environment: str) -> None:
        try:
            words: Sequence[Comparison] = self.look(environment)
        except MemoryStoreError as problem:
            log.warning("what is live is measured later", environment=environment, problem=str(problem))
        except Exception:  # outermost: no bug here may end the thread
            log.exception("watch")
        else:
            for each in words:
                log.info("compared", environment=environment, metric=each.metric, of=each.of, word=each.word)
