"""gunicorn for the control plane: `gunicorn -c config/gunicorn.py`, or by way of `manage.py serve`.

Threads, because a request waits for the database most of its time; docs/how-to/scale.md says when to add workers.
"""

from typing import Any

from config.environment import load

_environment = load()

wsgi_app = "config.wsgi:application"
bind = "127.0.0.1:8000"
worker_class = "gthread"
workers = _environment.web_concurrency
threads = _environment.web_threads
keepalive = 75  # seconds; longer than the usual load balancer's, so that it is the one to close
graceful_timeout = 20
timeout = 60
preload_app = True
accesslog = None  # django-structlog writes one line a request
loglevel = "warning"
logger_class = "config.gunicorn_log.PropagatingLogger"
limit_request_line = 8190
limit_request_field_size = 8190


def post_fork(server: Any, worker: Any) -> None:
    """Workers end with their master, however that ends: while one lives on, the next master can't have the port."""
    from apps.ops.processes import die_with_parent

    die_with_parent(worker.ppid)


control_socket_disable = True  # it would be made in $HOME, which a container may not have
