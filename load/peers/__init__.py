"""What people would use instead of the relay, and what bounds it. Each does the same work, or says what it leaves out.

rules      the same validation for all
nginx      `return 202`, and a proxy without a queue
nostore    aiohttp, validating, keeping nothing
with_arq   FastAPI and arq, one job an event
with_celery  FastAPI and Celery, one task an event
"""
