"""One look at what is live in an environment: its health, further paths, and what its target can say of it."""

from __future__ import annotations

from config import Environment
from deployment import DeploymentError, DeploymentManager, Gauge
from deployment.health import Health, look, look_at
from memory import Deployment, Measurement, utc_now
from monitoring import get_logger

log = get_logger(__name__)

ANSWER = "answer"
HEALTH = "health"
"""What the answers of `health.url` are called, among the paths."""


def answers(settings: Environment, live: Deployment) -> list[Measurement] | None:
    """What the health check and further paths answer, if anything can be asked. None: other code than ours answers, of
    which nothing is measured."""
    if not settings.health.url:
        return []
    health = look(settings.health, live.artifact.get("version") or live.commit)
    if health.version and not health.healthy:
        log.info("something else is live than what was deployed", environment=live.environment, says=health.version)
        return None
    paths = [_answer(live, path, look_at(path, settings.health)) for path in settings.watch.paths]
    return [_answer(live, HEALTH, health), *paths]


def gauges(manager: DeploymentManager, live: Deployment) -> list[Measurement]:
    """What the target knows of it; nothing if it does not answer, since the service may be well."""
    try:
        return [_gauge(live, gauge) for gauge in manager.gauges(live.environment)]
    except DeploymentError as problem:
        log.info("the target cannot be measured", environment=live.environment, problem=str(problem))
        return []


def _answer(live: Deployment, of: str, health: Health) -> Measurement:
    return Measurement(
        environment=live.environment,
        deployment=live.id,
        commit=live.commit,
        metric=ANSWER,
        of=of,
        at=utc_now(),
        value=health.seconds * 1000,
        outcome="good" if health.healthy else "away" if health.away else "bad",
        detail="" if health.healthy else health.detail,
    )


def _gauge(live: Deployment, gauge: Gauge) -> Measurement:
    return Measurement(
        environment=live.environment,
        deployment=live.id,
        commit=live.commit,
        metric=gauge.metric,
        of=gauge.of,
        at=utc_now(),
        value=gauge.value,
    )
