"""What `make cluster` decides by itself; the cluster is no part of `make test`."""

import json
from collections import Counter
from pathlib import Path

import httpx
import pytest

from dev.cluster import brokers, databases, plan, report, truth
from dev.cluster.__main__ import run_inside
from dev.cluster.application import caddyfile
from dev.cluster.load import outcome_of, outcome_of_error
from dev.cluster.report import Kind, Outcome, Request, Window, figures
from dev.errors import Failed

WINDOW = Window("a host", 100, 200)


def request(
    ended: float, outcome: Outcome = "done", *, kind: Kind = "write", took: float = 0.1
) -> Request:
    return Request(ended - took, ended, kind, outcome, "200" if outcome == "done" else "503")


# --- where what is


def test_each_host_has_an_address_of_its_own_that_the_others_know_by_name() -> None:
    names = (plan.OUTSIDE, *plan.HOSTS)
    assert len({plan.address(name) for name in names}) == len(names)
    lines = plan.hosts_file().splitlines()
    assert [f"{plan.address(name)} {name}" in lines for name in names] == [True] * len(names)


def test_what_patroni_may_wait_for_ends_before_its_lease() -> None:
    config = databases.patroni("db2", "/data", "word")
    dcs = config["bootstrap"]["dcs"]
    assert dcs["loop_wait"] + 2 * dcs["retry_timeout"] <= dcs["ttl"]
    assert dcs["synchronous_mode"]
    assert dcs["synchronous_mode_strict"]
    assert config["postgresql"]["connect_address"] == f"{plan.address('db2')}:5432"


def test_the_nodes_of_rabbitmq_find_each_other_and_pause_when_they_are_few() -> None:
    lines = brokers.configuration().splitlines()
    assert "cluster_partition_handling = pause_minority" in lines
    for name in plan.DATABASES:
        assert any(line.endswith(f" = rabbit@{name}") for line in lines)


def test_the_gateway_asks_every_host_of_a_service() -> None:
    text = caddyfile()
    assert f"import service 30s {plan.upstreams(plan.CORE)}\n" in text
    assert f"import service 3s {plan.upstreams(plan.STATS)}\n" in text
    assert text.count("health_uri") == 1


# --- what a request came to


@pytest.mark.parametrize(
    ("status", "kind", "code", "outcome"),
    [
        (201, "write", "", "done"),
        (503, "write", "database_unavailable", "failed"),
        (503, "write", "unknown_outcome", "unknown"),
        (502, "write", "gateway", "unknown"),
        (502, "read", "gateway", "failed"),
        (404, "own", "not_found", "missed"),
        (404, "read", "not_found", "failed"),
    ],
)
def test_an_answer_says_what_has_happened_or_that_nobody_knows(
    status: int, kind: Kind, code: str, outcome: Outcome
) -> None:
    holds = "word" if kind == "own" else ""
    assert outcome_of(httpx.Response(status), kind, code, holds) == outcome


def test_a_read_without_what_was_written_has_missed_it() -> None:
    assert outcome_of(httpx.Response(200, text='{"liked": true}'), "own", "", '"liked":true') == (
        "done"
    )
    assert outcome_of(httpx.Response(200, text='{"liked": false}'), "own", "", '"liked":true') == (
        "missed"
    )


def test_a_write_that_never_left_has_failed_and_one_without_an_answer_is_unknown() -> None:
    assert outcome_of_error(httpx.ConnectError("refused"), "write") == "failed"
    assert outcome_of_error(httpx.ReadTimeout("silence"), "write") == "unknown"
    assert outcome_of_error(httpx.ReadTimeout("silence"), "read") == "failed"


# --- figures


def test_the_longest_time_without_an_answer_counts() -> None:
    requests = [request(101), request(103), request(110, "failed"), request(130), request(199)]
    assert report.longest_gap(WINDOW, requests, "write") == (130, 199)
    requests = [request(101), *[request(float(second)) for second in range(120, 200)]]
    assert figures(WINDOW, requests).no_writes == 19
    assert figures(WINDOW, requests).no_reads == 100


def test_failures_of_the_failover_are_not_those_elsewhere() -> None:
    steady = [request(float(second)) for second in [*range(101, 111), *range(140, 200)]]
    during = [request(float(second), "failed") for second in range(111, 140)]
    found = figures(WINDOW, [*steady, *during])
    assert found.failed == pytest.approx(29 / 99)
    assert found.failed_elsewhere == 0
    found = figures(WINDOW, [*steady, *during, request(150.5, "unknown")])
    assert found.failed_elsewhere == pytest.approx(1 / 70, abs=0.001)
    assert found.unknown == 1


def test_a_target_that_was_not_kept_has_a_line() -> None:
    kept = [
        request(ended / 2, kind=kind) for ended in range(201, 400) for kind in ("write", "read")
    ]
    assert report.broken_targets([figures(WINDOW, kept)]) == []
    late = [each for each in kept if not 110 < each.ended < 155]
    [writes, reads] = report.broken_targets([figures(WINDOW, late)])
    assert "no writes for 45.0 s" in writes
    assert "no reads for 45.0 s" in reads
    missed = [*kept, request(150, "missed", kind="own")]
    assert report.broken_targets([figures(WINDOW, missed)]) == [
        "a host: 1 reads missed what their reader wrote"
    ]


def test_a_line_that_was_cut_off_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "requests.jsonl"
    line = json.dumps(request(101).__dict__)
    file.write_text(f"{line}\n{line[:20]}")
    assert report.read(file) == [request(101)]


# --- truth

READERS = ["r@example.com", "s@example.com"]
ALL_MAILS = Counter({("a", reader): 1 for reader in READERS})
WRITTEN = {
    "posts": {"a": "1"},
    "likes": [["ann", "1"]],
    "follows": [["bob", "p", True], ["bob", "q", False], ["bob", "r", None]],
    "readers": READERS,
}
FOUND = truth.Found([("a", "1")], {("ann", "1")}, {("bob", "p"), ("bob", "r")}, set())


def test_what_is_there_once_is_neither_lost_nor_doubled() -> None:
    found = truth.compare(WRITTEN, FOUND, ALL_MAILS)
    assert (found.lost, found.doubled, found.mails_lost, found.mails_doubled) == ([], [], [], [])
    assert (found.acknowledged, found.mails, found.in_doubt) == (5, 2, 0)


def test_what_was_acknowledged_and_is_not_there_is_lost() -> None:
    found = truth.compare(WRITTEN, truth.Found([], set(), {("bob", "q")}, set()), ALL_MAILS)
    assert found.lost == [
        "post a",
        "like of 1 by ann",
        "bob follows p",
        "bob no longer follows q",
    ]


def test_what_is_there_twice_is_doubled() -> None:
    posts = [("a", "1"), ("a", "2")]
    mails = ALL_MAILS + Counter({("a", READERS[0]): 1})
    found = truth.compare(WRITTEN, truth.Found(posts, FOUND.likes, FOUND.follows, set()), mails)
    assert found.doubled == ["post a"]
    assert found.mails_doubled == [f"a to {READERS[0]}"]


def test_a_mail_that_is_missing_is_lost_unless_its_outcome_is_unknown() -> None:
    one = Counter({("a", READERS[0]): 1})
    assert truth.compare(WRITTEN, FOUND, one).mails_lost == [f"a to {READERS[1]}"]
    doubt = {("a", READERS[1])}
    found = truth.compare(WRITTEN, truth.Found(FOUND.posts, FOUND.likes, FOUND.follows, doubt), one)
    assert (found.mails_lost, found.in_doubt) == ([], 1)


def test_mails_are_known_by_the_words_that_posts_begin_with() -> None:
    mark = "0123456789abcdef" * 2
    mail = {"To": ["r@example.com"], "BodyText": f"Page\n\n{mark} in the harbour\n"}
    assert truth.mails_in([mail, mail]) == {(mark, "r@example.com"): 2}


# --- where it can't be


def test_a_machine_that_cannot_have_it_gets_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None if name == "ip" else name)
    monkeypatch.setattr("os.getuid", lambda: 1000)
    with pytest.raises(Failed, match=r"^A cluster needs Debian, root and ip\.$"):
        run_inside([])


def test_a_loss_that_nobody_knows_gets_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", str)
    monkeypatch.setattr("os.getuid", lambda: 0)
    with pytest.raises(Failed, match=r"^mains: losses are primary, broker, "):
        run_inside(["mains", "network"])
