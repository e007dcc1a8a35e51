"""The flows: for each task type the stages it passes, one file each, to be read top to bottom."""

from memory import TaskType
from orchestrator.flow import Anew, Done, Flow, FlowState, Next, Stage, StageContext, Wait
from orchestrator.flows.analysis_flow import ANALYSIS_FLOW
from orchestrator.flows.code_flow import CODE_FLOW

FLOWS: dict[TaskType, Flow] = {flow.type: flow for flow in (CODE_FLOW, ANALYSIS_FLOW)}

__all__ = ["FLOWS", "Anew", "Done", "Flow", "FlowState", "Next", "Stage", "StageContext", "Wait"]
