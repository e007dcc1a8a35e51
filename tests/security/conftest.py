"""The attacks of tests/security: what they are driven with."""

from __future__ import annotations

from tests.testing.conftest import base_environment, manager, probe, runner, sandbox, tree, unittest_environment

__all__ = ["base_environment", "manager", "probe", "runner", "sandbox", "tree", "unittest_environment"]
