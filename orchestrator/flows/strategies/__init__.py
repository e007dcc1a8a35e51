"""The ways to come to code that makes the tests pass, interchangeable behind `Strategy`; `plan` says which when."""

from orchestrator.flows.strategies.plan import tries
from orchestrator.flows.strategies.sampling import next_sample, write_definitions
from orchestrator.flows.strategies.strategy import Answer, Standing, Strategy, Try

__all__ = ["Answer", "Standing", "Strategy", "Try", "next_sample", "tries", "write_definitions"]
