"""deploy/make-env.sh: what it writes, and what it refuses to write."""

import shutil
import subprocess
from pathlib import Path

import pytest
from dotenv import dotenv_values

from dev.paths import ROOT


@pytest.fixture
def make_env(tmp_path: Path) -> Path:
    """The script, in a folder where there is no `.env` yet."""
    (tmp_path / "deploy").mkdir()
    shutil.copy(ROOT / "deploy" / "make-env.sh", tmp_path / "deploy")
    return tmp_path / "deploy" / "make-env.sh"


def run(script: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["sh", script, *words], check=False, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://innotter.example.com", "innotter.example.com"),
        ("https://Innotter.Example.com", "innotter.example.com"),
        ("https://innotter.example.com\n", "innotter.example.com"),
        ("https://xn--e1aqccgid.xn--p1ai", "xn--e1aqccgid.xn--p1ai"),
    ],
)
def test_host_and_url_are_written_as_browsers_send_them(
    make_env: Path, url: str, host: str
) -> None:
    assert run(make_env, url).returncode == 0
    written = dotenv_values(make_env.parents[1] / ".env")
    assert (written["PUBLIC_URL"], written["PUBLIC_HOST"]) == (f"https://{host}", host)


@pytest.mark.parametrize(
    "words",
    [
        [""],
        ["innotter.example.com"],
        ["http://innotter.example.com"],
        ["https://"],
        ["https://me@innotter.example.com"],
        ["https://innotter.example.com?x"],
        ["https://innotter.example.com#x"],
        ["https://innotter.example.com/"],
        ["https://innotter.example.com:8443"],
        ["https://innotter example.com"],
        ["https://innotter.example.com", "twice"],
        ["https://innotter.example.com\nSECRET_KEY=mine"],
        ["https://иннотер.рф"],
        ["https://$(id).example.com"],
        ["https://.example.com"],
        ["https://example..com"],
        ["https://example.com."],
        ["https://-example.com"],
    ],
)
def test_what_would_match_no_request_is_refused_in_one_line(
    make_env: Path, words: list[str]
) -> None:
    refused = run(make_env, *words)
    assert refused.returncode == 2
    (line,) = refused.stderr.splitlines()
    assert line == "The URL must be https:// and a host in ASCII (xn--…) and nothing else."
    assert refused.stdout == ""
    assert not (make_env.parents[1] / ".env").exists()


def test_an_env_that_is_there_stays_as_it_is(make_env: Path) -> None:
    (make_env.parents[1] / ".env").write_text("mine")
    assert run(make_env).returncode == 1
    assert (make_env.parents[1] / ".env").read_text() == "mine"
