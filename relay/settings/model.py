"""Every setting of the relay: its name, its default, what it means. This is the only list of them.

`--help`, config/relay.toml and the README's table are taken from here or tested against it.
How a value is read stands in values.py; where it may come from in sources.py.
"""

from pathlib import Path
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from relay.rules.event import Validation
from relay.settings.values import (
    Address,
    AdminKey,
    Burst,
    Concurrency,
    Days,
    Events,
    Folder,
    KeySeconds,
    Listen,
    LogFormat,
    LogLevel,
    Networks,
    Partitions,
    PropName,
    Rate,
    RedisUrl,
    Seconds,
    Sites,
    Strictness,
    Upstream,
    WhenAmbiguous,
    WhenMissing,
)


class Settings(BaseModel):
    """What an operator can set, read and checked. Frozen; units are in the names; `redis_url` is not in its repr.

    `upstream` has no trailing slash and no `/api/event`. `sites` is `("*",)` for every site and empty when not set.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=True
    )

    listen: Listen = Field(
        default=Address("127.0.0.1", 8000), description="Where the door listens for events, health checks and metrics."
    )
    upstream: Upstream | None = Field(
        default=None,
        repr=False,
        description="Base URL of Plausible. A trailing slash or /api/event is taken off. "
        "`serve` and `work` need it; `up` starts a sandbox in its place.",
    )
    redis_url: RedisUrl | None = Field(
        default=None,
        repr=False,
        description="The Redis or Valkey that keeps the events. `serve` and `work` need it; `up` starts its own.",
    )
    data: Folder = Field(
        default=Path("./.relay"), description="Folder of the server that `up` starts. One `up` at a time owns it."
    )
    sites: Sites = Field(
        default=(),
        description="Sites whose events are accepted: a comma list of domains as Plausible lists them "
        "(a leading www. is taken off), or * for every site. Needed, except by `up` with its sandbox, which takes *. "
        "Once there are sources (`relay source`), their own sites count and not these.",
    )
    trusted_proxies: Networks = Field(
        default=(),
        description="Proxies in front of the door: a comma list of networks or addresses whose forwarded headers "
        "are believed when they name the visitor's IP. Everybody else's are ignored.",
    )
    validation: Strictness = Field(
        default=Validation.STRICT,
        description="strict also refuses what Plausible would lose without a word (a 31st prop, revenue that it cannot "
        "read); plausible answers status for status as Plausible does.",
    )
    missing_ip: WhenMissing = Field(
        default="refuse",
        description="What to do when a source that speaks for its visitors names no visitor's IP: refuse says so (400 "
        "on ip, in strict validation), accept takes its own address, which Plausible may drop as a datacentre's.",
    )
    address_rate: Rate | None = Field(
        default=None,
        description="Events a second that one address may send without a key; 429 beyond. Sources have limits of "
        "their own (`relay source`). Without it, there is no limit.",
    )
    address_burst: Burst | None = Field(
        default=None,
        description="Events that such an address may send at once after a pause. Without it, what address_rate allows "
        "in ten seconds.",
    )
    idempotency_keep_s: KeySeconds = Field(
        default=86_400,
        description="How long a sender's Idempotency-Key is remembered: the same key within that time is one event.",
    )
    occurred_at_prop: PropName | None = Field(
        default=None,
        description="Prop that says when an event of a batch occurred, if its sender did (`occurred_at`); Plausible "
        "itself books it when it arrives. Without it, no prop is added.",
    )
    retry_base_s: Seconds = Field(
        default=1, description="Wait before the second attempt. Each further wait doubles, with chance in it."
    )
    retry_cap_s: Seconds = Field(default=300, description="The longest wait between two attempts.")
    retry_for_s: Seconds = Field(
        default=259_200, description="How long an event is tried before it becomes a dead letter (`exhausted`)."
    )
    connect_timeout_s: Seconds = Field(default=5, description="How long a connection to Plausible may take to open.")
    answer_timeout_s: Seconds = Field(
        default=15, description="How long one delivery may wait for Plausible's answer once its request is written."
    )
    concurrency: Concurrency = Field(default=128, description="Deliveries under way at once in one worker process.")
    max_age_s: Seconds | None = Field(
        default=None,
        description="An event older than this when its turn comes becomes a dead letter (`too_late`), because "
        "Plausible books it on the day it arrives. Without it, no event is too old.",
    )
    ambiguous: WhenAmbiguous = Field(
        default="retry",
        description="What to do when a request was written whole and no answer came, so that Plausible may have "
        "counted the event: retry sends it again, park makes it a dead letter to be looked at.",
    )
    ambiguous_revenue: WhenAmbiguous = Field(
        default="park", description="The same for events with revenue, which a repeat would count twice."
    )
    partitions: Partitions = Field(
        default=8,
        description="Streams that the queue is spread over; at most as many workers have work. Fixed for a data set: "
        "drain it before changing this.",
    )
    max_backlog: Events = Field(
        default=1_000_000, description="Pending events after which the door answers 503 with Retry-After."
    )
    dead_keep_days: Days = Field(default=30, description="How long a dead letter is kept.")
    dead_keep_count: Events = Field(
        default=1_000_000, description="How many dead letters a data set keeps; the oldest go first."
    )
    admin_key: AdminKey | None = Field(
        default=None,
        repr=False,
        description="Key that opens /metrics, the reasons in /health/ready and the sandbox's pages to other machines "
        "(Authorization: Bearer …). Without it they answer on loopback only.",
    )
    sandbox_listen: Listen = Field(
        default=Address("127.0.0.1", 8001), description="Where the sandbox, a stand-in for Plausible, listens."
    )
    log_format: LogFormat | None = Field(default=None, description="How log lines are written to standard error.")
    log_level: LogLevel = Field(default="info", description="The least important lines that are written.")

    @field_validator("address_burst")
    @classmethod
    def _burst_has_a_rate(cls, burst: int | None, info: ValidationInfo) -> int | None:
        if burst is not None and info.data.get("address_rate", burst) is None:  # absent when it is at fault itself
            raise ValueError("it means nothing without address_rate")
        return burst

    @field_validator("retry_cap_s")
    @classmethod
    def _cap_holds_the_base(cls, cap_s: float, info: ValidationInfo) -> float:
        base_s = info.data.get("retry_base_s", cap_s)  # absent when it is at fault itself
        if cap_s < base_s:
            raise ValueError(f"{cap_s:g} is less than retry_base_s, and may not be")
        return cap_s
