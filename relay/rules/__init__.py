"""The rules of the relay: pure functions from values to values, without I/O, clock, chance or logging.

The way of one event, in reading order:

- `event`       the body of one request becomes an `Event` or a `Refused`; one line for each field
- `document`    bytes to a JSON object; `outermost` its members byte for byte;
                `text`, `fields` what Elixir means by blank, integer and `a || b`
- `url`, `domain`, `props`, `revenue`, `engagement`   what is legal in each field, and what to say if it is not
- `usual`       the usual event, read through all of these in one pass; `usual_items` many of them at once;
                `typed` the types of their fields
- `currencies`  the codes of ISO 4217
- `source`      who may post, and for which sites
- `admission`   which sites this relay is for
- `split`       a list of sites becomes one body for each
- `visitor`     who sent it: client address and User-Agent
- `access`      who may look at the relay's own state
- `batch`, `item`, `device`, `occurred`, `time_prop`   many events in one body: its items, and the relay's own keys
- `warnings`    what Plausible will do with an event without a word
- `bots`        would Plausible take this User-Agent for a bot?
- `judge`, `backoff`, `drops`   what an answer of Plausible means, and when to try again
"""
