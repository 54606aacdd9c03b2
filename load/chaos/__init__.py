"""A whole relay under load while its processes, its server, its disk, its senders and its Plausible fail.

sink       the server in Plausible's place: counts every event, and fails when told; moods.py: how
tls        certificates for it
proxy      a TCP proxy before the queue's server: slow, stalled, cut
fleet      the relay's processes, started again when they end
senders    visitors that post numbered events and note what was acknowledged; wire.py: HTTP by hand
scene      all of these together, and what is known of senders that are no visitors
troubles   all that is done to them, one name each: signals.py, queue.py, upstream.py, hostile.py, poison.py
watch      the relay's own audit, and what its processes take
account    what was lost, repeated, out of order, dead: facts in, findings out; healing.py: after how long all is well
campaign   one run: trouble after trouble, then the account
failover   a small relay of its own whose master is killed; pair.py: its servers
report     the run as a page; evidence.py: what shows which promise
"""
