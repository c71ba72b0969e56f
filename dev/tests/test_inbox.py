"""What a newcomer sees of the mails."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import httpx
import pytest

from dev.inbox import serve_inbox
from dev.ports import HOST, Port

MAILS = [
    {
        "MessageId": f"{n}@mail",
        "Source": "innotter@example.com",
        "To": [to],
        "Subject": subject,
        "BodyText": "Fog & <water>",
        "BodyHtml": "<p>Fog</p><script>alert(1)</script>",
        "Timestamp": 1_795_643_218.5 + n,
    }
    for n, (to, subject) in enumerate([("ann@example.com", "<b>"), ("bob@example.com", "Утро")])
]


@pytest.fixture
def inbox() -> Iterator[str]:
    class Emulator(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"messages": {"000000000000": MAILS}}).encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer((HOST, 0), Emulator) as emulator:
        Thread(target=emulator.serve_forever).start()
        yield serve_inbox(Port(), f"http://{HOST}:{emulator.server_address[1]}")
        emulator.shutdown()


def read(url: str, status: int = 200) -> str:
    answer = httpx.get(url)
    assert answer.status_code == status
    return answer.text


def test_the_newest_mail_comes_first(inbox: str) -> None:
    page = read(inbox)
    assert page.index("Утро") < page.index("&lt;b&gt;")
    assert "<b>" not in page


def test_the_mails_of_one_reader(inbox: str) -> None:
    page = read(f"{inbox}?to=ann")
    assert "ann@example.com" in page
    assert "bob@example.com" not in page


def test_a_mail_is_shown_and_can_do_nothing(inbox: str) -> None:
    page = read(f"{inbox}0%40mail")
    assert 'sandbox="allow-popups" srcdoc="&lt;p&gt;Fog&lt;/p&gt;&lt;script&gt;' in page
    assert "Fog &amp; &lt;water&gt;" in page


def test_there_is_no_such_mail(inbox: str) -> None:
    assert "The inbox" in read(f"{inbox}7", 404)


def test_the_emulator_is_away() -> None:
    nobody = Port().release()
    assert "is not there" in read(serve_inbox(Port(), f"http://{HOST}:{nobody}"), 502)
