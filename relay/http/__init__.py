"""The door: the HTTP endpoint that accepts events and keeps them before it says so.

app          the application put together, and the process that serves it
connections  a sender's connection: what is no HTTP, and heads that never end
intake       what both endpoints for events do with what is posted
events       POST /api/event: parse, admit, keep, answer; accepted  the usual answer, in one piece
batch        POST /api/events: the same for many, step by step
inflating    compressed bodies; judging  each item; plain  those that need no judgement; keeping  one write for all;
             verdicts  what is told of each
short_way    a connection on which usual posts need nothing of aiohttp's; framing  where a plain request ends; brought
             which are judged together; usual, usual_batch  what makes a post of either endpoint a usual one; paths
             where both are
senders      who posts: an open relay, or one of its sources; refusal_log  who was refused, in bounded lines
cors         Plausible's CORS headers, on every answer
watch        what the door knows of its queue: readiness, backlog, what the workers tell
operators    who may see more than that
health       GET /health/live and /health/ready
exposed      GET /metrics
scripts      GET /js/…: Plausible's script, passed on; script_copies  kept in memory; script_fetch  got from there
openapi      GET /openapi.json: all of this as a contract

This file imports none of them: `relay check` needs a constant of connections, not a door.
"""
