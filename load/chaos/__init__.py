"""A whole relay under load while its processes, its server, its disk and its Plausible fail.

sink       the server in Plausible's place: counts every event, and fails when told
proxy      a TCP proxy before the queue's server: slow, stalled, cut
fleet      the relay's processes, started again when they end
senders    visitors that post numbered events and note what was acknowledged
troubles   all that is done to them, one name each
account    what was lost, repeated, out of order: facts in, findings out
campaign   one run: trouble after trouble, then the account
report     the run as a page
"""
