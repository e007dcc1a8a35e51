"""What the daemon reports: JSON logs and alerts, with secrets taken out before anything is written."""

from monitoring.alerting import Alert, AlertKind, AlertSender, Channel, alert, open_channels, receive_alerts
from monitoring.daemon_lock import daemon_pid
from monitoring.key_shapes import ends_of_keys, keys_in
from monitoring.logs import bound, configure_logging, get_logger, silenced
from monitoring.names import is_deceptive, is_git_name, lists_submodules
from monitoring.redaction import (
    MASK,
    as_seen,
    escaped_json,
    mask_known,
    redact,
    register_secret,
    whole_text,
    without_steering,
    without_unseen,
)
from monitoring.service_notify import Supervisor

__all__ = [
    "MASK",
    "Alert",
    "AlertKind",
    "AlertSender",
    "Channel",
    "Supervisor",
    "alert",
    "as_seen",
    "bound",
    "configure_logging",
    "daemon_pid",
    "ends_of_keys",
    "escaped_json",
    "get_logger",
    "is_deceptive",
    "is_git_name",
    "keys_in",
    "lists_submodules",
    "mask_known",
    "open_channels",
    "receive_alerts",
    "redact",
    "register_secret",
    "silenced",
    "whole_text",
    "without_steering",
    "without_unseen",
]
