"""What shows that a promise is kept: troubles of the run by name, and tests where a run cannot show it.

A test looks whether every name here exists.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Shown:
    """A promise and what shows it. `troubles` are beginnings of names; `tests` are `file::name`."""

    what: str
    troubles: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()


def beside(document: str) -> str:
    """How the page, which is in the same folder, links to a document."""
    return document.rpartition("/")[2]


SHOWN: Final = (
    Shown(
        "**Kills** of door, worker, server and supervisor",
        ("SIGKILL",),
        (
            "system/test_complaints.py::test_acknowledged_then_lost",
            "system/test_outages.py::test_a_killed_supervisor_leaves_nobody_behind",
        ),
    ),
    Shown(
        "**Queue** slow, stalled, cut", ("queue slow", "queue too slow", "queue stalled", "connections to the queue")
    ),
    Shown("frozen, full memory, full disk, restarted", ("queue's", "SIGTERM queue", "SIGKILL queue")),
    Shown(
        "503 within a second, never a 202 or 400",
        (),
        ("http/test_outages.py::test_a_frozen_server", "http/test_outages.py::test_a_killed_server"),
    ),
    Shown(
        "full memory: the door refuses first, draining goes on",
        ("queue's memory full",),
        (
            "system/test_full.py::test_the_door_refuses_before_the_memory_is_full",
            "system/test_full.py::test_a_full_memory_empties_itself",
        ),
    ),
    Shown("failed over by Sentinel", ("failover",), ("system/test_failover.py::test_a_failover_by_sentinel",)),
    Shown(
        "a server that cannot keep the promise is told",
        (),
        (
            "system/test_other_times.py::test_a_door_states_at_its_start_what_its_server_cannot_keep",
            "queue/test_connection.py::test_what_breaks_the_promise_is_named",
        ),
    ),
    Shown(
        "**Plausible** refuses connections, flaps",
        ("Plausible: refuses", "Plausible: flaps"),
        ("workers/test_outages.py::test_an_upstream_that_flaps_delivers_everything_once",),
    ),
    Shown("its name is not found", (), ("workers/test_client_trouble.py::test_a_name_that_nobody_has",)),
    Shown(
        "TLS fails",
        ("Plausible: an expired certificate", "Plausible: no TLS"),
        (
            "workers/test_client_tls.py::test_who_cannot_show_who_he_is_gets_nothing",
            "workers/test_client_connections.py::test_a_server_that_never_finishes_tls_is_unreachable",
        ),
    ),
    Shown(
        "hangs before, during and after its answer",
        ("Plausible: hangs", "Plausible: never answers"),
        ("workers/test_client_trouble.py::test_an_answer_stands_once_its_head_is_there",),
    ),
    Shown(
        "resets, also at every byte",
        ("Plausible: resets",),
        (
            "workers/test_client_every_byte.py::test_an_answer_that_ends_at_any_byte",
            "workers/test_client_every_byte.py::test_a_request_that_is_read_up_to_any_byte",
        ),
    ),
    Shown("answers no HTTP, redirects", ("Plausible: answers no HTTP", "Plausible: 302")),
    Shown(
        "429 with `Retry-After`, both forms",
        ("Plausible: 429",),
        ("workers/test_outages.py::test_retry_after_is_obeyed_by_all",),
    ),
    Shown("401, 404, 500, 503 for all", ("Plausible: 401", "Plausible: 404", "Plausible: 500", "Plausible: 503")),
    Shown("a week-long outage", (), ("workers/test_long_outages.py::test_a_week_long_outage_exhausts_nothing",)),
    Shown(
        "one dead site of ten",
        (),
        ("workers/test_sites.py::test_a_dead_site_holds_up_no_other",),
    ),
    Shown("recovery ramps up", (), ("workers/test_upstream.py::test_recovery_ramps_up",)),
    Shown(
        "revenue parks after an ambiguous end",
        (),
        ("system/test_outages.py::test_revenue_that_may_have_been_counted_is_parked",),
    ),
    Shown(
        "passing drops are tried again",
        (),
        (
            "workers/test_delivery.py::test_an_engagement_may_find_its_session_late",
            "workers/test_sites.py::test_a_site_that_plausible_does_not_know_yet",
        ),
    ),
    Shown(
        "**Clients** half open, slow, stalled; a thousand at once",
        ("clients: half-open",),
        (
            "http/test_hostile.py::test_a_thousand_hostile_connections_harm_nobody",
            "http/test_hostile.py::test_crowds_that_come_and_go_leave_nothing",
        ),
    ),
    Shown("headers that never end", (), ("http/test_hostile.py::test_headers_that_never_end_are_cut_off",)),
    Shown(
        "split at every byte, pipelines, smuggling, bombs",
        ("clients: smuggling",),
        (
            "http/test_smuggling.py::test_an_end_that_is_not_certain_is_refused",
            "http/test_wire.py::test_a_request_cut_at_every_byte",
            "http/test_hostile.py::test_bombs_are_not_inflated",
        ),
    ),
    Shown(
        f"fuzzed bodies and headers; a million: [long runs]({beside('docs/long-runs.md')}#requests-gone-wrong)",
        ("clients: fuzzed",),
        (
            "http/test_fuzz.py::test_fourteen_thousand_mutants_break_no_rule",
            "http/test_fuzz.py::test_six_thousand_mutants_in_pipelines",
        ),
    ),
    Shown(
        "**Poison**: 500 each time, what crashes a parser, what is not UTF-8",
        ("poison",),
        (
            "system/test_complaints.py::test_one_bad_message_blocks_others",
            "workers/test_poison.py::test_many_poison_events_end_dead",
        ),
    ),
    Shown(
        "**Shutdown** by SIGTERM: answered, settled, in time, nothing repeated",
        ("SIGTERM",),
        (
            "http/test_stopping.py::test_a_stopping_door_answers_who_is_there",
            "up/test_ending.py::test_the_longest_end_is_within_thirty_seconds",
        ),
    ),
    Shown("a rolling restart", (), ("system/test_chaos.py::test_a_minute_of_everything",)),
    Shown(
        "an older relay's events are read",
        (),
        ("system/test_other_times.py::test_an_older_relays_events_are_delivered",),
    ),
    Shown(
        "**Ledger**: exact after every fault, recounted by the audit",
        ("",),
        (
            "system/test_accounts.py::test_every_account_is_the_same_account",
            "queue/test_audit_traffic.py::test_no_false_alarm_under_traffic",
        ),
    ),
    Shown(
        "**Dead letters**: kept, filtered, sent again at a pace, purged, exported",
        (),
        (
            "system/test_complaints.py::test_exhausted_means_deleted",
            "queue/test_dead.py::test_letters_are_found_by_what_is_known_of_them",
            "queue/test_redrive.py::test_a_retry_keeps_its_pace",
        ),
    ),
    Shown("nothing of a person in logs and metrics", (), ("system/test_privacy.py::test_nobody_is_told_of",)),
    Shown(
        "**Security**: keys for operators, no header from a stored text",
        (),
        (
            "http/test_operators.py::test_metrics_are_for_operators",
            "workers/test_injection.py::test_no_stored_text_becomes_a_line",
        ),
    ),
    Shown(
        "What is complained about most: no recovery, endless retries",
        (),
        (
            "system/test_complaints.py::test_no_recovery_after_a_dependency_restarts",
            "system/test_complaints.py::test_endless_invisible_retries",
        ),
    ),
)


def table() -> str:
    """The rows of the page."""
    return "\n".join(f"| {shown.what} | {_in_the_run(shown)} | {_tests(shown)} |" for shown in SHOWN)


def _in_the_run(shown: Shown) -> str:
    return ", ".join(f"*{name}*" if name else "audits all the time" for name in shown.troubles)


def _tests(shown: Shown) -> str:
    return ", ".join(f"`{test}`" for test in shown.tests)
