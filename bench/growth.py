"""What reads cost among ten million posts beside what they cost among one million, with the same
number of pages.

    make bench ARGS="growth"                    fills both databases, in ten minutes or more
    make bench ARGS="growth URL URL"            two that bench/rows.py has filled, the smaller first
    make bench ARGS="growth URL URL page,posts" these reads alone

Two cores, each with a database of its own in one server, asked by turns (bench/turns.py).
docs/speed.md has the figures.
"""

import sys
from contextlib import ExitStack
from pathlib import Path

import psycopg

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.asked import Asked, questions, reads
from bench.turns import by_turns, core, filled, print_heading, print_row, ratio_of, started

SIZES = (1_000_000, 10_000_000)
PAGES = 20_000
# At most so many times what it costs among the fewer posts.
BAR = 1.2


def main() -> None:
    given = [each for each in sys.argv[1:] if "://" in each]
    wanted = [name for each in sys.argv[1 + len(given) :] for name in each.split(",")]
    with ExitStack() as stack:
        urls = given or [stack.enter_context(filled(size, PAGES)) for size in SIZES]
        named = {f"{posts_in(url):,}": url for url in urls}
        servers = stack.enter_context(started({name: (core, url) for name, url in named.items()}))
        asked = {name: reads_of(url) for name, url in named.items()}
        print_heading(list(servers))
        few, many = servers
        for read in wanted or asked[few]:
            costs = by_turns(servers, {name: asked[name][read] for name in servers})
            print_row(read, list(costs.values()), ratio_of(costs[many], costs[few]), BAR)


def posts_in(database_url: str) -> int:
    with psycopg.connect(database_url) as database:
        [(count,)] = database.execute("SELECT count(*) FROM posts_post").fetchall()
    return int(count)


def reads_of(database_url: str) -> dict[str, Asked]:
    path = "/api/v1/pages/{}-page/posts".format
    return {
        **{
            name: asked
            for name, asked in questions(database_url).items()
            if all(method == "GET" for method, *_ in asked.requests)
        },
        **{name: Asked("reader100", reads([path(name)])) for name in ("silent", "flooding")},
    }


if __name__ == "__main__":
    main()
