"""How each kind of value is read, and what is refused with which words."""

import pytest

from relay.settings import Address, SettingsError, load_settings
from relay.settings.listing import as_text


@pytest.mark.parametrize(
    ("name", "given", "read"),
    [
        ("listen", "127.0.0.1:8000", "127.0.0.1:8000"),
        ("listen", " localhost:0 ", "localhost:0"),
        ("listen", "[::1]:8000", "[::1]:8000"),
        ("upstream", "https://plausible.io", "https://plausible.io"),
        ("upstream", "https://plausible.io/", "https://plausible.io"),
        ("upstream", "https://plausible.io/api/event", "https://plausible.io"),
        ("upstream", "http://[::1]:8000/stats/api/event/", "http://[::1]:8000/stats"),
        ("redis_url", "redis://localhost", "redis://localhost"),
        ("redis_url", "rediss://me:p%40w@queue:6380/3?ssl_cert_reqs=none", None),
        ("redis_url", "unix:///run/redis.sock?db=1", "unix:///run/redis.sock?db=1"),
        ("redis_url", "redis+sentinel://:p%40w@one,two:26380,[::1]:1/main/2?sentinel_password=x", None),
        ("redis_url", "rediss://queue?ssl_ca_certs=/etc/ca.pem&ssl_check_hostname=no&client_name=relay", None),
        ("sites", " a.example , www.b.example,a.example,", "a.example,b.example"),
        ("sites", "*", "*"),
        ("sites", "Example.com,example.org/blog", None),
        ("trusted_proxies", "10.0.0.0/8, 192.0.2.7,2001:db8::/32", "10.0.0.0/8,192.0.2.7/32,2001:db8::/32"),
        ("retry_base_s", "0.25", None),
        ("max_age_s", "86400", None),
        ("partitions", "1024", None),
        ("data", "/var/lib/relay", None),
        ("data", "queue", "./queue"),
    ],
)
def test_read(name: str, given: str, read: str | None) -> None:
    """What is right is taken, and put into one form."""
    settings = load_settings({name: given}, {})
    assert as_text(getattr(settings, name)) == (read or given)


@pytest.mark.parametrize(
    ("name", "given", "words"),
    [
        ("listen", "8000", "needs both a host and a port"),
        ("listen", ":8000", "needs both a host and a port"),
        ("listen", "127.0.0.1:65536", "'65536' is not a port"),
        ("listen", "127.0.0.1:", "'' is not a port"),
        ("listen", "::1:8000", "without brackets"),
        ("listen", "http://127.0.0.1:8000", "without brackets"),
        ("listen", "a b:80", "'a b' is not a host"),
        ("upstream", "plausible.io", "does not begin with https://"),
        ("upstream", "ftp://plausible.io", "does not begin with https://"),
        ("upstream", "https:///api", "names no host"),
        ("upstream", "https://plausible.io:x", "cannot be read"),
        ("upstream", "https://plausible.io:0", "its port is 0"),
        ("upstream", "https://[::1", "cannot be read"),
        ("upstream", "https://me:pw@plausible.io", "user name or password"),
        ("upstream", "https://plausible.io?a=1", "? or #"),
        ("upstream", "https://plausible.io/#a", "? or #"),
        ("upstream", "https://plausible.io/\n", None),
        ("upstream", "https://plaus ible.io", "a space"),
        ("redis_url", "http://queue", "does not begin with redis://"),
        ("redis_url", "redis://", "names no host"),
        ("redis_url", "redis://queue/zero", "number of a database"),
        ("redis_url", "unix://", "names no socket"),
        ("redis_url", "redis://queue?db=s3cret", "option db cannot be read"),
        ("redis_url", "redis://queue?s3cret=1", "none of db, client_name"),
        ("redis_url", "redis://queue?socket_timeout=1", "none of db, client_name"),
        ("redis_url", "redis://queue?s3cret", "no list of options"),
        ("redis_url", "redis://queue?ssl_cert_reqs=none", "ssl_cert_reqs goes with rediss:// only"),
        ("redis_url", "rediss://queue?ssl_cert_reqs=s3cret", "option ssl_cert_reqs cannot be read"),
        ("redis_url", "redis://queue#s3cret", "written %23"),
        ("redis_url", "redis+sentinel://one:26379", "the name that the Sentinels know"),
        ("redis_url", "redis+sentinel://one:s3cret/main", "its hosts cannot be read"),
        ("redis_url", "redis+sentinel:///main", "its hosts cannot be read"),
        ("redis_url", "redis+sentinel://one/main?ssl_cert_reqs=none", "rediss:// only"),
        ("data", " ", "names no folder"),
        ("sites", "*,a.example", "stands alone"),
        ("sites", ",", "names no site"),
        ("sites", "https://a.example", "is not a site's domain"),
        ("sites", "*.a.example", "is not a site's domain"),
        ("trusted_proxies", "10.0.0.1/8", "10.0.0.0/8 is the network, 10.0.0.1 the address"),
        ("trusted_proxies", "proxy", "'proxy' is neither"),
        ("trusted_proxies", "10.0.0.0/33", "is neither"),
        ("validation", "lax", "'lax' will not do; right would be strict or plausible"),
        ("ambiguous", "drop", "right would be retry or park"),
        ("log_format", "xml", "right would be text or json"),
        ("log_level", "loud", "right would be debug, info, warning or error"),
        ("retry_base_s", "0", "seconds above 0"),
        ("retry_base_s", "-1", "seconds above 0"),
        ("retry_base_s", "nan", "seconds above 0"),
        ("retry_for_s", "inf", "seconds above 0"),
        ("retry_for_s", "1h", "'1h' will not do"),
        ("retry_base_s", "301", "300 is less than retry_base_s"),
        ("missing_ip", "drop", "right would be refuse or accept"),
        ("occurred_at_prop", "root:x:0", "right would be a name of letters, digits"),
        ("address_rate", "0", "a number above 0"),
        ("address_rate", "inf", "a number above 0"),
        ("address_burst", "0", "from 1 to 1000000"),
        ("idempotency_keep_s", "0.5", "from 1 to 604800"),
        ("idempotency_keep_s", "604801", "from 1 to 604800"),
        ("address_burst", "5", "means nothing without address_rate"),
        ("partitions", "0", "from 1 to 1024"),
        ("partitions", "1025", "from 1 to 1024"),
        ("partitions", "8.5", "from 1 to 1024"),
        ("partitions", True, "true is not a number"),
        ("max_backlog", "many", "right would be a whole number"),
        ("dead_keep_days", "0", "from 1 to 3650"),
        ("listen", "x" * 500, f"{'x' * 50}…"),
    ],
)
def test_refused(name: str, given: object, words: str | None) -> None:
    """What is wrong is refused in one line that says so, and what would be right."""
    if words is None:  # surrounding space is taken off, not refused
        load_settings({name: given}, {})
        return
    with pytest.raises(SettingsError) as caught:
        load_settings({name: given}, {})
    (fault,) = caught.value.faults
    assert words in fault
    assert "; right would be " in fault
    assert "s3cret" not in fault
    assert "\n" not in fault
    assert len(fault) < 300


def test_an_address_can_be_written_and_read_back() -> None:
    """The text of an address is what the setting takes."""
    for address in (Address("::1", 1), Address("localhost", 0)):
        assert load_settings({"listen": str(address)}, {}).listen == address
