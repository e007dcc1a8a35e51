"""What `agents` exports, besides the names of the team; it is imported with the first of them that is used."""

from agents.answers import Escalation, Report, Requirements, Review, TestCase
from agents.base import Ask, BaseAgent, Work
from agents.ceo import CEOAgent, Situation, ideas_of, is_decidable, is_same_work
from agents.decisions import (
    GivenOpinion,
    Hearing,
    IdeaDecision,
    LabelledObjection,
    Opinion,
    OwnCriteria,
    faults_of_criteria,
    faults_of_decision,
    faults_of_opinion,
)
from agents.developer import Assignment, Begun, CodeView, DeveloperAgent, FileText, Surroundings
from agents.errors import AgentError, UnusableAnswer
from agents.expert import Expert
from agents.facts import DECIDABLE, FACTS, Fact, FactKind, PlannedTask, fact_kinds
from agents.owners_words import MessageReply, OwnersWords, Said
from agents.plan import PlanAssignment, PlanLimits, problems_of, tasks_of
from agents.product import ProductAgent, module_names
from agents.project import (
    Agenda,
    Architecture,
    Message,
    ProjectPlan,
    Skeleton,
    Specification,
    faults_of_agenda,
    faults_of_architecture,
    faults_of_message,
    faults_of_plan,
    faults_of_specification,
    in_turn,
    plain_words,
)
from agents.qa import QAAgent, TestAssignment, contradicting, missing_case
from agents.registry import ROLES, members
from agents.routing import routed, seats
from agents.stated.examples import Example, stated_examples
from agents.stated.javascript_rendering import STYLES, Loading, TestFile, render_javascript_tests
from agents.stated.owner_tests import cases_in
from agents.stated.properties import property_tests
from agents.stated.rendering import render_test_file
from agents.strategy import Outlook, StrategyReview
from agents.tech_lead import ChangeFacts, ReviewAssignment, Setback, TechLeadAgent

__all__ = [
    "DECIDABLE",
    "FACTS",
    "ROLES",
    "STYLES",
    "Agenda",
    "AgentError",
    "Architecture",
    "Ask",
    "Assignment",
    "BaseAgent",
    "Begun",
    "CEOAgent",
    "ChangeFacts",
    "CodeView",
    "DeveloperAgent",
    "Escalation",
    "Example",
    "Expert",
    "Fact",
    "FactKind",
    "FileText",
    "GivenOpinion",
    "Hearing",
    "IdeaDecision",
    "LabelledObjection",
    "Loading",
    "Message",
    "MessageReply",
    "Opinion",
    "Outlook",
    "OwnCriteria",
    "OwnersWords",
    "PlanAssignment",
    "PlanLimits",
    "PlannedTask",
    "ProductAgent",
    "ProjectPlan",
    "QAAgent",
    "Report",
    "Requirements",
    "Review",
    "ReviewAssignment",
    "Said",
    "Setback",
    "Situation",
    "Skeleton",
    "Specification",
    "StrategyReview",
    "Surroundings",
    "TechLeadAgent",
    "TestAssignment",
    "TestCase",
    "TestFile",
    "UnusableAnswer",
    "Work",
    "cases_in",
    "contradicting",
    "fact_kinds",
    "faults_of_agenda",
    "faults_of_architecture",
    "faults_of_criteria",
    "faults_of_decision",
    "faults_of_message",
    "faults_of_opinion",
    "faults_of_plan",
    "faults_of_specification",
    "ideas_of",
    "in_turn",
    "is_decidable",
    "is_same_work",
    "members",
    "missing_case",
    "module_names",
    "plain_words",
    "problems_of",
    "property_tests",
    "render_javascript_tests",
    "render_test_file",
    "routed",
    "seats",
    "stated_examples",
    "tasks_of",
]
