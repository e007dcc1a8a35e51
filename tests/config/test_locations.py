"""Problems are told at the key that stands in the file, once, in the form that was meant."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from config import ConfigError, load_settings

DIRECT: dict[str, object] = {
    "target": "direct",
    "host": "web",
    "folder": "/srv/shop",
    "restart": "systemctl restart shop",
    "health": {"url": "http://127.0.0.1:9/health"},
}


def environment(**changes: object) -> dict[str, object]:
    return {"deployment": {"environments": {"staging": DIRECT | changes}}}


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"orchestrator": {"autonomy": "sometimes"}}, {"orchestrator.autonomy": "'full', 'approve_landing'"}),
        ({"orchestrator": {"autonomy": ["full"]}}, {"orchestrator.autonomy": "'full', 'approve_landing'"}),
        ({"orchestrator": {"autonomy": True}}, {"orchestrator.autonomy": "'full', 'approve_landing'"}),
        (
            {"orchestrator": {"autonomy": {"default": "full", "code": "x", "plan": "y"}}},
            {"orchestrator.autonomy.code": "'full'", "orchestrator.autonomy.plan": "'full'"},
        ),
        ({"orchestrator": {"v_team": []}}, {"orchestrator.v_team": "at least 1 item"}),
        (environment(image="q"), {"deployment.environments.staging.image": "before_switch, after_switch, restart"}),
        (
            environment(on_landing="x"),
            {"deployment.environments.staging.on_landing": "before_switch, after_switch, restart"},
        ),
        (
            environment(port=70000, host="-oProxyCommand=id"),
            {"deployment.environments.staging.port": "65535", "deployment.environments.staging.host": "pattern"},
        ),
        (environment(target="moon"), {"deployment.environments.staging": "direct, docker, ci_cd or durable_objects"}),
        (environment(restart=""), {"deployment.environments.staging": "either restart or blue_green"}),
        *(
            (environment(watch={"paths": [path]}), {"deployment.environments.staging.watch.paths.0": "pattern"})
            for path in ("//elsewhere.example/x", "items", "/x y", "")
        ),
        ({"deployment": {"environments": {"a/b": DIRECT}}}, {"deployment.environments.a/b": "pattern"}),
        ({"deployment": {"environments": {"one": DIRECT, "two": DIRECT}}}, {"deployment": "one of its own"}),
        ({"agents": {"qa": {"modl": 1}}}, {"agents.qa.modl": "did you mean `model`?"}),
        ({"llm": {"timeout": "x", "bogus": 1}}, {"llm.timeout": "number", "llm.bogus": "unknown key"}),
    ],
)
def test_a_problem_is_told_where_it_stands_and_once(
    tmp_path: Path, values: dict[str, object], told: dict[str, str]
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump(values), encoding="utf-8")
    with pytest.raises(ConfigError) as raised:
        load_settings(config)
    found = {problem.path: str(problem) for problem in raised.value.problems}
    assert set(found) == set(told) and len(raised.value.problems) == len(told), found
    assert all(words in found[path] for path, words in told.items()), found
    assert not any("{'" in words for words in found.values()), "no whole section is printed"
