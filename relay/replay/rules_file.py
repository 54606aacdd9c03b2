"""The user's rules as a TOML file, checked as a whole: every fault is told at once, with what would be right.

A path is a pattern as in Plausible's goals: `*` is anything but a slash, `**` anything at all; or an expression.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from relay.replay.outcomes import LeftOut
from relay.replay.page import PAGEVIEW
from relay.replay.rules import Rule, Rules, statuses

USUAL: Final = (LeftOut.STATIC, LeftOut.HEALTH_CHECK, LeftOut.API, LeftOut.BOT)
_STATUS = re.compile(r"[1-5](?:\d\d|xx)")
_STARS = re.compile(r"(\*\*|\*)")


class RulesError(Exception):
    """The rules cannot be used; `faults` has a line each."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


def _expression(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"is no expression: {error}") from error
    return text


def _status(text: str) -> str:
    if not _STATUS.fullmatch(text):
        raise ValueError("is no status: write 200, 2xx or 304")
    return text


Expression = Annotated[str, AfterValidator(_expression)]
Status = Annotated[str, AfterValidator(_status)]
_STRICT: Final = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)


class _Revenue(BaseModel):
    model_config: ClassVar[ConfigDict] = _STRICT
    amount: str
    currency: str


class _Rule(BaseModel):
    model_config: ClassVar[ConfigDict] = _STRICT
    name: str = Field(min_length=1)
    path: str | None = None
    path_regex: Expression | None = None
    query: dict[str, str] = {}
    methods: list[str] | None = None
    status: list[Status] | None = None
    agent_regex: Expression | None = None
    do: Literal["leave_out", "pageview"] | None = None
    event: str | None = Field(default=None, min_length=1)
    props: dict[str, str] = {}
    revenue: _Revenue | None = None
    bots: bool = False

    @model_validator(mode="after")
    def _says_one_thing(self) -> _Rule:
        if (self.do is None) is (self.event is None):
            raise ValueError('say either do = "leave_out", do = "pageview" or event = "Name"')
        if self.path is not None and self.path_regex is not None:
            raise ValueError("has both path and path_regex: give one")
        if self.do == "leave_out" and (self.props or self.revenue):
            raise ValueError("leaves lines out, and has props or revenue")
        return self


class _Usual(BaseModel):
    model_config: ClassVar[ConfigDict] = _STRICT
    leave_out: list[Literal["static", "health_check", "api", "bot"]] = ["static", "health_check", "api", "bot"]
    methods: list[str] = ["GET", "HEAD"]
    status: list[Status] = ["2xx", "304"]


class _Site(BaseModel):
    model_config: ClassVar[ConfigDict] = _STRICT
    rate: float = Field(gt=0)


class _File(BaseModel):
    model_config: ClassVar[ConfigDict] = _STRICT
    usual: _Usual = _Usual()
    rule: list[_Rule] = []
    sites: dict[str, _Site] = {}


def read_rules(path: Path) -> Rules:
    """The rules of a file. Raises RulesError."""
    try:
        text = path.read_text(encoding="utf-8")
        return rules_of(text)
    except OSError as error:
        raise RulesError([f"{path} cannot be read: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise RulesError([f"{path} is no UTF-8 text"]) from error
    except RulesError as error:
        raise RulesError([f"{path}: {fault}" for fault in error.faults]) from error


def rules_of(text: str) -> Rules:
    """The rules that a TOML text says. Raises RulesError."""
    try:
        file = _File.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise RulesError([f"is no TOML: {error}"]) from error
    except ValidationError as error:
        raise RulesError([_told(fault) for fault in error.errors()]) from error
    usual = file.usual
    return Rules(
        tuple(_rule(form, usual) for form in file.rule),
        frozenset(LeftOut(name) for name in usual.leave_out),
        frozenset(usual.methods),
        statuses(*usual.status),
        {site: form.rate for site, form in file.sites.items()},
    )


def _rule(form: _Rule, usual: _Usual) -> Rule:
    """A rule that makes events takes the usual methods and statuses, unless it names its own."""
    leave_out = form.do == "leave_out"
    methods = form.methods if form.methods is not None or leave_out else usual.methods
    status = form.status if form.status is not None or leave_out else usual.status
    return Rule(
        form.name,
        _path(form),
        {key: _pattern(pattern, slash=False) for key, pattern in form.query.items()},
        None if methods is None else frozenset(methods),
        None if status is None else statuses(*status),
        None if form.agent_regex is None else re.compile(form.agent_regex.encode()),
        leave_out,
        form.event or PAGEVIEW,
        form.props,
        None if form.revenue is None else {"amount": form.revenue.amount, "currency": form.revenue.currency},
        form.bots,
    )


def _path(form: _Rule) -> re.Pattern[str] | None:
    if form.path is not None:
        return _pattern(form.path)
    return None if form.path_regex is None else re.compile(form.path_regex)


def _pattern(text: str, *, slash: bool = True) -> re.Pattern[str]:
    """An expression for a pattern; `slash`: one star stops at it. What a star stands for is `{1}` in templates."""
    one = "([^/]*)" if slash else "(.*)"
    parts = _STARS.split(text)
    return re.compile("".join({"**": "(.*)", "*": one}.get(part) or re.escape(part) for part in parts), re.DOTALL)


def _told(fault: Any) -> str:
    """One fault of pydantic's, in a line: where, and what is wrong."""
    where = ".".join(str(part + 1) if isinstance(part, int) else str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        return f"{where}: is not known here: check the spelling"
    message = fault["msg"].removeprefix("Value error, ")
    return f"{where or 'the file'}: {message[:1].lower()}{message[1:]}"
