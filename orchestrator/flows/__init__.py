"""The flows: the stages of each task type, one file each, to be read from top to bottom."""

from orchestrator.flow import Anew, Done, Flow, FlowState, Next, OwnerAsked, Stage, StageContext, Wait
from orchestrator.flows.analysis_flow import ANALYSIS_FLOW
from orchestrator.flows.code_flow import CODE_FLOW
from orchestrator.flows.decision_flow import DECISION_FLOW
from orchestrator.flows.deploy_flow import DEPLOY_FLOW
from orchestrator.flows.message_flow import MESSAGE_FLOW
from orchestrator.flows.opinion_flow import OPINION_FLOW
from orchestrator.flows.plan_flow import PLAN_FLOW
from orchestrator.flows.project_flow import PROJECT_FLOW
from orchestrator.flows.skeleton_flow import SKELETON_FLOW

FLOWS: dict[str, Flow] = {
    flow.type: flow
    for flow in (
        CODE_FLOW,
        ANALYSIS_FLOW,
        PLAN_FLOW,
        DECISION_FLOW,
        OPINION_FLOW,
        MESSAGE_FLOW,
        PROJECT_FLOW,
        SKELETON_FLOW,
        DEPLOY_FLOW,
    )
}
"""Task type -> flow. To add a flow, write it in a file of its own and add it here."""

__all__ = ["FLOWS", "Anew", "Done", "Flow", "FlowState", "Next", "OwnerAsked", "Stage", "StageContext", "Wait"]
