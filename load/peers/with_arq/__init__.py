"""FastAPI before arq, one job an event: what most would build first. `tuned` as far as it goes, or as it comes.

door       validates, `enqueue_job`, 202
worker     one HTTP request a job
jobs       how a job is written, tuned or not
"""
