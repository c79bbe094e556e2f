"""gunicorn's own messages, in the same form as everybody else's."""

from typing import Any

from gunicorn.glogging import Logger


class PropagatingLogger(Logger):
    """Hands its lines to the root logger instead of printing them itself."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True
