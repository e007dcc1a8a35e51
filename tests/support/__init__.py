"""What tests of several folders share: real servers that do as a script says."""

from tests.support.model_server import Answer, Message, Reply, Request, ScriptedModelServer, ScriptError

__all__ = ["Answer", "Message", "Reply", "Request", "ScriptError", "ScriptedModelServer"]
