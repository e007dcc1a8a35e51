"""What the daemon tells about itself: JSON logs, with secrets taken out before anything is written."""

from monitoring.logs import bound, configure_logging, get_logger
from monitoring.redaction import mask_known, redact, register_secret

__all__ = ["bound", "configure_logging", "get_logger", "mask_known", "redact", "register_secret"]
