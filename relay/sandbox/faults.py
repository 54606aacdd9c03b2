"""The trouble the sandbox was told to make, and on which requests.

Rules are read strictly: a misspelt rule would make a test pass that proves nothing. Choosing a rule counts, but does no
I/O; `app.py` does what the rule says.
"""

import math
import random
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal, Self

import orjson
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from relay.rules.event import Event

_STRICT: Final = ConfigDict(extra="forbid", frozen=True, strict=True)

HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")]
HeaderText = Annotated[str, Field(pattern=r"^[\t -~]*$")]


@dataclass(frozen=True, slots=True)
class Facts:
    """What a rule can match on; `event` is None when the body was not read or is not an event."""

    ip: str
    user_agent: str
    event: Event | None


class Match(BaseModel):
    """Which requests a rule is for: all that it names must fit. `prop` is a prop's name, or names with their values."""

    model_config = _STRICT

    name: str | None = None
    site: str | None = None
    user_agent: str | None = None
    ip: str | None = None
    prop: str | dict[str, str] | None = None

    @property
    def needs_event(self) -> bool:
        """Whether the body must be read to decide."""
        return not (self.name is None and self.site is None and self.prop is None)

    def fits(self, facts: Facts) -> bool:
        """Whether the request is one of those meant."""
        if self.ip is not None and self.ip != facts.ip:
            return False
        if self.user_agent is not None and self.user_agent not in facts.user_agent:
            return False
        return not self.needs_event or (facts.event is not None and self._fits_event(facts.event))

    def _fits_event(self, event: Event) -> bool:
        if self.name is not None and self.name != event.name:
            return False
        if self.site is not None and self.site not in event.sites:
            return False
        match self.prop:
            case None:
                return True
            case str(name):
                return name in event.props
            case wanted:
                return wanted.items() <= event.props.items()


class Rule(BaseModel):
    """One fault: what to do, how often, and to whom.

    One of `status`, `reset`, `drop`, `hang`; `delay_s` alone or with any of them. `count`: only so many requests.
    `share`: that part of the requests that match, evenly spread, or by chance with `seed`.
    """

    model_config = _STRICT

    status: int | None = Field(default=None, ge=200, le=599)
    retry_after: HeaderText | None = None
    headers: dict[HeaderName, HeaderText] = {}
    delay_s: float | None = Field(default=None, ge=0, le=3600, allow_inf_nan=False)
    reset: Literal["before", "after"] | None = None
    drop: Literal[True] | None = None
    hang: Literal[True] | None = None
    count: int | None = Field(default=None, ge=1)
    share: float | None = Field(default=None, ge=0, le=1, allow_inf_nan=False)
    seed: int | None = None
    match: Match = Match()

    @model_validator(mode="after")
    def _does_one_thing(self) -> Self:
        ways = ("status", "reset", "drop", "hang")
        named = [way for way in ways if getattr(self, way) is not None]
        if len(named) > 1:
            raise ValueError(f"does two things: {' and '.join(named)}; make two rules of it")
        if not named and self.delay_s is None:
            raise ValueError(f"does nothing: name one of {', '.join(ways)}, delay_s")
        if self.status is None and (self.retry_after is not None or self.headers):
            raise ValueError("retry_after and headers need a status to go with")
        if self.seed is not None and self.share is None:
            raise ValueError("seed needs a share")
        return self

    def describe(self) -> str:
        """Say in a few words what the rule does, as the cause of an outcome."""
        if self.status is not None:
            way = f"status {self.status}"
        elif self.reset is not None:
            way = f"reset {self.reset}"
        elif self.hang:
            way = "hang"
        elif self.drop:
            way = "drop"
        else:
            return f"delay {self.delay_s:g} s"
        return way if self.delay_s is None else f"{way}, delay {self.delay_s:g} s"


class BadRulesError(ValueError):
    """The rules could not be read; `errors` says for each place what is wrong there."""

    def __init__(self, errors: dict[str, list[str]]) -> None:
        super().__init__(str(errors))
        self.errors: Final = errors


_RULES: Final = TypeAdapter(list[Rule])
_COUNTS: Final = ("applied", "remaining")  # what `Faults.as_json` adds to a rule


def read_rules(body: bytes) -> list[Rule]:
    """Read one rule (an object) or several (a list, the first that matches applies) from JSON; raise BadRulesError.

    What `GET /faults` shows is read, too, so that it can be kept and put back; its counts begin anew.
    """
    try:
        given = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadRulesError({"rules": [f"is not JSON: {error}"]}) from None
    if isinstance(given, dict) and given.keys() == {"rules"}:
        given = _without_counts(given["rules"])
    if not isinstance(given, dict | list):
        raise BadRulesError({"rules": ['must be an object (one rule), a list of objects, or {"rules": [...]}']})
    try:
        return _RULES.validate_python([given] if isinstance(given, dict) else given)
    except ValidationError as error:
        raise BadRulesError(_by_place(error, Rule.model_fields)) from None


def _without_counts(shown: Any) -> Any:
    """The rules as they were given, out of those shown; what is none is left to be refused."""
    if not isinstance(shown, list):
        return None
    return [
        {name: value for name, value in rule.items() if name not in _COUNTS} if isinstance(rule, dict) else rule
        for rule in shown
    ]


def _by_place(error: ValidationError, known: Any) -> dict[str, list[str]]:
    errors: dict[str, list[str]] = {}
    for fault in error.errors(include_url=False, include_context=False, include_input=False):
        index, *path = fault["loc"]
        place = ".".join([f"rules[{index}]", *map(str, path)])
        message = fault["msg"].removeprefix("Value error, ")
        if fault["type"] == "extra_forbidden":
            names = known if len(path) == 1 else Match.model_fields
            message = f"is not known; known here: {', '.join(names)}"
        errors.setdefault(place, []).append(message)
    return errors


@dataclass(slots=True)
class _Live:
    """A rule at work: how many requests matched it and on how many it was applied."""

    rule: Rule
    matched: int = 0
    applied: int = 0
    chance: random.Random = field(default_factory=random.Random)

    @property
    def spent(self) -> bool:
        return self.rule.count is not None and self.applied >= self.rule.count

    def turn_comes(self) -> bool:
        """Count a request that matched, and say whether it is one of the share."""
        self.matched += 1
        share = self.rule.share
        if share is None:
            return True
        if self.rule.seed is not None:
            return self.chance.random() < share
        return math.floor(self.matched * share + 1e-9) > math.floor((self.matched - 1) * share + 1e-9)


class Faults:
    """The rules in force, in their order."""

    __slots__ = ("_live",)

    def __init__(self) -> None:
        self._live: list[_Live] = []

    def replace(self, rules: list[Rule]) -> None:
        """Put these rules in force instead of those before; all counting begins anew."""
        self._live = [_Live(rule, chance=random.Random(rule.seed)) for rule in rules]  # noqa: S311 - reproducible on purpose

    def cuts_unread(self, facts: Facts) -> bool:
        """Whether the next request is to be reset before its body is read: only where the body cannot matter."""
        first = next((live.rule for live in self._live if not live.spent), None)
        return (
            first is not None
            and first.reset == "before"
            and first.share is None
            and not first.match.needs_event
            and first.match.fits(facts)
        )

    def pick(self, facts: Facts) -> Rule | None:
        """Return the first rule that is for this request, and count it as applied."""
        for live in self._live:
            if not live.spent and live.rule.match.fits(facts) and live.turn_comes():
                live.applied += 1
                return live.rule
        return None

    def as_json(self) -> list[dict[str, Any]]:
        """Return each rule as it was given, with `applied` and `remaining` (None: without end)."""
        return [
            live.rule.model_dump(exclude_defaults=True)
            | {
                "applied": live.applied,
                "remaining": None if live.rule.count is None else live.rule.count - live.applied,
            }
            for live in self._live
        ]
