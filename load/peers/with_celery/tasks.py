"""The task: one request with its visitor's headers. Acknowledged when done, or a killed worker would lose it.

REDIS=redis+socket:///… UPSTREAM=http://127.0.0.1:8500 .venv/.load/bin/celery -A load.peers.with_celery.tasks worker
"""

from __future__ import annotations

import http.client
import os
import threading
from typing import Any
from urllib.parse import urlsplit

from celery import Celery

HEADERS = {"Content-Type": "text/plain", "Accept": "*/*"}
celery: Any = Celery("peer", broker=os.environ.get("REDIS", ""))
celery.conf.update(task_acks_late=True, task_ignore_result=True, worker_prefetch_multiplier=16)
_kept = threading.local()


def deliver(ip: str, user_agent: str, body: str) -> None:
    """Post one event over this thread's kept connection."""
    if not hasattr(_kept, "connection"):
        _kept.connection = http.client.HTTPConnection(urlsplit(os.environ["UPSTREAM"]).netloc, timeout=30)
    headers = HEADERS | {"User-Agent": user_agent, "X-Forwarded-For": ip}
    _kept.connection.request("POST", "/api/event", body.encode(), headers)
    answer = _kept.connection.getresponse()
    answer.read()
    if answer.status >= 300:  # noqa: PLR2004 - what is no success
        raise RuntimeError(f"answered {answer.status}")


task: Any = celery.task(name="deliver", autoretry_for=(Exception,), retry_backoff=1, max_retries=1_000)(deliver)
