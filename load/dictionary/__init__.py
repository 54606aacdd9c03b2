"""Training the dictionary of the compressed stored form (relay/queue/compressed.py), and what it is worth.

.venv/bin/python -m load.dictionary          what events take with the dictionary in force, beside what they take plain
.venv/bin/python -m load.dictionary train F  train one from made-up traffic and write it to F

words    what made-up sites, pages, campaigns and props are made of
agents   User-Agents as browsers, apps and servers send them
traffic  events as Plausible's known clients send them, drawn from both

What it is measured with has other sites, words, addresses and versions than what it is trained with. A dictionary in
force is never trained anew: another one is another version of the stored form.
"""
