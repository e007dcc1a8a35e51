"""What tests of several folders share: real servers that do as a script says."""

from tests.support.model_server import ScriptedModelServer
from tests.support.script import Answer, Message, Reply, Request, ScriptError

__all__ = ["Answer", "Message", "Reply", "Request", "ScriptError", "ScriptedModelServer"]
