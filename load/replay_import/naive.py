"""The ten tables counted again in SQL, over events that say plainly what the log's maker meant.

Shares no code with the relay: no URL, agent or referrer is read here, no event is held in a window, no visit is open.
"""

from __future__ import annotations

import csv
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple


class Meant(NamedTuple):
    """What the maker of a log meant by one event. `day` and `salt_day` are its days in the site's zone and in UTC."""

    at_s: int
    day: str
    salt_day: int
    site: str
    who: str
    name: str
    hostname: str
    page: str
    interactive: int
    link_url: str
    path: str
    source: str
    referrer: str
    utm_source: str
    utm_medium: str
    utm_campaign: str
    utm_content: str
    utm_term: str
    device: str
    browser: str
    browser_version: str
    operating_system: str
    operating_system_version: str


_FIRST = Meant._fields[Meant._fields.index("source") :]
_UTM = "source,referrer,utm_source,utm_medium,utm_campaign,utm_content,utm_term"
_MAKE = f"""
create table visits as
with marked as (
    select *, coalesce(at_s - lag(at_s) over person > 1800, 1) as starts from events
    window person as (partition by site, who order by at_s, n)
), numbered as (
    select *, sum(starts) over (partition by site, who order by at_s, n) as visit from marked
), placed as (
    select *, row_number() over (partition by site, who, visit order by at_s, n) as place,
      count(*) over (partition by site, who, visit) as events,
      row_number() over (partition by site, who, visit, name = 'pageview' order by at_s, n) as view,
      row_number() over (partition by site, who, visit, name = 'pageview' order by at_s desc, n desc) as back
    from numbered
)
select site, who, visit, max(case when place = events then day end) as day,
  max(case when place = events then who || ' ' || salt_day end) as visitor,
  max(at_s) - min(at_s) as duration, sum(place > 1 and interactive) = 0 as bounced, sum(name = 'pageview') as views,
  coalesce(max(case when name = 'pageview' and view = 1 then page end), '') as entry_page,
  coalesce(max(case when name = 'pageview' and back = 1 then page end), '') as exit_page,
  {", ".join(f"max(case when place = 1 then {column} end) as {column}" for column in _FIRST)}
from placed group by site, who, visit;
create table views as
with marked as (
    select *, coalesce(at_s - lag(at_s) over person > 1800, 1) as starts from events
    window person as (partition by site, who order by at_s, n)
)
select site, day, hostname, page, name, who || ' ' || salt_day as visitor,
  who || ' ' || sum(starts) over (partition by site, who order by at_s, n) as visit from marked;
"""
_VISITS = "count(distinct visitor), count(*), sum(duration), sum(bounced), sum(views)"
_BY = "from visits where site = ? group by day, {0} order by day, {0}"
TABLES = {
    "imported_visitors": """
        select day, sum(visitors), sum(pageviews), sum(bounces), sum(visits), sum(duration) from (
          select day, count(distinct visitor) as visitors, 0 as pageviews, sum(bounced) as bounces, count(*) as visits,
            sum(duration) as duration from visits where site = ?1 group by day
          union all select day, 0, sum(name = 'pageview'), 0, 0, 0 from views where site = ?1 group by day)
        group by day having sum(visits) + sum(pageviews) > 0 order by day""",
    "imported_sources": f"select day, {_UTM}, sum(views), count(distinct visitor), count(*), sum(duration), "
    f"sum(bounced) {_BY.format(_UTM)}",
    "imported_pages": "select day, hostname, page, count(distinct visit), count(distinct visitor), count(*) from views "
    "where site = ? and name = 'pageview' group by day, hostname, page order by day, hostname, page",
    "imported_entry_pages": f"select day, entry_page, {_VISITS} {_BY.format('entry_page')}",
    "imported_exit_pages": "select day, exit_page, count(distinct visitor), sum(duration), count(*), sum(bounced), "
    f"sum(views) {_BY.format('exit_page')}",
    "imported_custom_events": "select day, name, link_url, path, count(distinct who || ' ' || salt_day), count(*) "
    "from events where site = ? and name != 'pageview' group by day, name, link_url, path "
    "order by day, name, link_url, path",
    "imported_locations": "select 1 where 0 and ?",
    "imported_devices": f"select day, device, {_VISITS} {_BY.format('device')}",
    "imported_browsers": f"select day, browser, browser_version, {_VISITS} {_BY.format('browser, browser_version')}",
    "imported_operating_systems": "select day, operating_system, operating_system_version, "
    f"{_VISITS} {_BY.format('operating_system, operating_system_version')}",
}

Rows = list[tuple[str, ...]]


def counted(events: Iterable[Meant], database: str = ":memory:") -> dict[str, dict[str, Rows]]:
    """By site and table, the rows without their header, every cell as text."""
    connection = sqlite3.connect(database)
    connection.execute(f"create table events (n integer primary key, {', '.join(Meant._fields)})")
    marks = ", ".join("?" * len(Meant._fields))
    connection.executemany(f"insert into events values (null, {marks})", events)
    connection.executescript(_MAKE)
    sites = [site for (site,) in connection.execute("select distinct site from events")]
    found = {
        site: {
            table: sorted(tuple(map(str, row)) for row in connection.execute(query, (site,)))
            for table, query in TABLES.items()
        }
        for site in sites
    }
    connection.close()
    return found


def written(folder: Path) -> dict[str, Rows]:
    """What an import wrote into this folder: by table, the rows without their header."""
    tables = {}
    for file in folder.glob("imported_*.csv"):
        with file.open(encoding="utf-8", newline="") as text:
            _, *rows = csv.reader(text)
        tables[file.name.rsplit("_", 2)[0]] = sorted(map(tuple, rows))
    return tables


def differing(wanted: dict[str, Rows], found: dict[str, Rows]) -> list[str]:
    """The rows that only one of both has, each as a line."""
    return [
        f"{table}: {side} {row}"
        for table in TABLES
        for side, ours, others in (
            ("missing", wanted[table], found.get(table)),
            ("too much", found.get(table, []), wanted[table]),
        )
        for row in sorted(set(ours) - set(others or []))
    ]
