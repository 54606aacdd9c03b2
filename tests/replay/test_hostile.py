"""Whatever stands in a log, each line has an outcome: nobody can write a request that ends a replay.

Lines are those of the samples, with bytes changed, put in and taken out; each goes through every format.
"""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from relay.replay.admitting import Admission, Terms
from relay.replay.batch import Lines, judge
from relay.replay.formats import FORMATS
from relay.replay.keeping import Keeper, Place
from relay.replay.rules_file import rules_of
from relay.rules.admission import Sites
from relay.rules.event import Validation
from tests.replay.test_formats import NOW_MS, SAMPLES

LINES = sorted({line for path in SAMPLES.glob("*.log") for line in path.read_bytes().split(b"\n")})
PIECES = [
    b'"',
    b"\\",
    b"\\x",
    b"\xff",
    b"\0",
    b"\r",
    b"[",
    b"]",
    b"{",
    b"}",
    b"#",
    b"%",
    b"%C3",
    b"?",
    b"://",
    b" ",
    b"\t",
]
PIECES += [b"0", b"99", b"-", b"\\ud800", b"1e999", b"null", b"true", b"\xed\xa0\x80", b"\xe2\x80\xa8"]
RULES = rules_of("""
[[rule]]
name = "all"
path_regex = "/(?P<first>[^/]*).*"
event = "{first}"
props = { first = "{first}", query = "{query}", x = "{query.x}", host = "{host}" }
revenue = { amount = "{query.amount}", currency = "EUR" }
""")
ADMISSION = Admission(Terms(Sites(frozenset(), every=True), Validation.STRICT, 10**14, day_prop="day"))
HEADERS = {
    "csv": b"name,url,domain,ip,user_agent,occurred_at,props.plan,revenue.amount,revenue.currency",
    "w3c": b"#Fields: date time c-ip cs-method cs-uri-stem cs-uri-query sc-status",
    "cloudfront": b"#Fields: date time x-edge-location sc-bytes c-ip cs-method cs(Host)",
}


@st.composite
def hostile(draw: st.DrawFn) -> bytes:
    """A line that was tampered with."""
    line = draw(st.sampled_from(LINES))
    for _ in range(draw(st.integers(0, 4))):
        begin = draw(st.integers(0, len(line)))
        end = draw(st.integers(begin, min(len(line), begin + 12)))
        line = line[:begin] + draw(st.sampled_from(PIECES) | st.binary(max_size=4)) + line[end:]
    return line.replace(b"\n", b"")


@settings(max_examples=50, deadline=None)  # each goes through every format
@given(st.lists(hostile() | st.binary(max_size=60).map(lambda line: line.replace(b"\n", b"")), min_size=1, max_size=4))
@example([b'1.2.3.4 - - [10/Oct/0000:13:55:36 +0000] "GET / HTTP/1.1" 200 12 "-" "x"'])
@example([b'1.2.3.4 - - [99/Oct/2025:99:99:99 +9999] "GET / HTTP/1.1" 200 12 "-" "x"'])
@example([b'{"n":"x","u":"https://a.example/","ip":"1.2.3.4","occurred_at":"0001-01-01T00:00:00+23:59"}'])
@example([b'{"n":"x","u":"https://a.example/","d":"a.example","ip":"1.2.3.4","occurred_at":1e12,"p":"{\\"a\\":1}"}'])
def test_each_line_has_an_outcome(lines: list[bytes]) -> None:
    """In every format, with the usual rules and with ones that use all that a line has."""
    for name, format_ in FORMATS.items():
        for rules in (rules_of(""), RULES):
            parse = format_.parser()
            parse(HEADERS.get(name, b""))
            batch = judge(Lines(7, 1, lines), Keeper(parse, rules, Place()), ADMISSION, NOW_MS)
            assert len(batch.kept) + batch.left_out.total() + len(batch.refused) == len(lines)
            assert batch.end == 7 + sum(len(line) + 1 for line in lines)
            for _, event, _ in batch.events:
                assert event.ip
                assert b"\n" not in (event.user_agent or b"")
