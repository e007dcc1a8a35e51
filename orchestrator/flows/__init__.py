"""The flows: for each task type the stages it passes, one file each, to be read top to bottom."""

from orchestrator.flow import Anew, Done, Flow, FlowState, Next, Stage, StageContext, Wait
from orchestrator.flows.analysis_flow import ANALYSIS_FLOW
from orchestrator.flows.code_flow import CODE_FLOW

FLOWS: dict[str, Flow] = {flow.type: flow for flow in (CODE_FLOW, ANALYSIS_FLOW)}
"""Task type -> its flow. A new flow is a file of its own and a word in this line."""

__all__ = ["FLOWS", "Anew", "Done", "Flow", "FlowState", "Next", "Stage", "StageContext", "Wait"]
