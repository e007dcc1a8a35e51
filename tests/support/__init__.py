"""Shared by tests of several folders: real servers that follow a script."""

from tests.support.model_server import ScriptedModelServer
from tests.support.script import Answer, Message, Reply, Request, ScriptError, as_reply

__all__ = ["Answer", "Message", "Reply", "Request", "ScriptError", "ScriptedModelServer", "as_reply"]
