"""The queue in Redis: everything the relay keeps, and every step that changes it.

keys        the names of all keys, and the Lua scripts that change what is kept of an event; looks: those that only look
connection  the client, and what the server really promises
sockets     the kinds of connection, by Sentinel too
server      is the server fit, and how full is its memory
stored      the stored form of an event, and its partition
compressed  the same in a third of the bytes; forms: where that may be written
bundle      several events in one entry; parts: each of them by itself; packing: which of them share one
committing  put: accepted events become durable (the door); waiting: who waits for that
once        events with a key: a repeat is known, and not kept again
marked      events of a log, put together with the mark up to where it is queued (relay replay)
sources     who may post: kept, read, changed
leases      who owns a partition
claiming    read in order, settle outcomes (the workers)
reading     a page of many that wait, of one site or all
dead        dead letters: find, purge, retain
redrive     dead letters sent again, at a pace that leaves the queue to live traffic
ledger      the account that always balances
tallies     the same account by site and hour
audit       all that is kept, counted again and held against both: differences, recount and walk are its parts
"""
