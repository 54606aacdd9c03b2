"""FastAPI before Celery on Redis, one task an event.

tasks      the task and its settings, for both
door       validates, `delay`, 202
"""
