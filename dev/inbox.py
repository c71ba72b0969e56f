"""A page for the mails that the emulator of AWS has taken: what its readers would see."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.error import URLError
from urllib.parse import parse_qs, quote, urlsplit
from urllib.request import urlopen

from dev.ports import HOST, Port

# The newest, of so many a page is made.
SHOWN = 200
PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif }}
body {{ max-width: 60rem; margin: 2rem auto; padding: 0 1rem }}
table {{ border-collapse: collapse; width: 100% }}
td {{ padding: .4rem .6rem; overflow-wrap: anywhere }}
tr {{ border-top: 1px solid #8886 }}
td:first-child {{ white-space: nowrap }}
@media (max-width: 40rem) {{
  tr {{ display: block; padding: .6rem 0 }}
  td {{ display: block; padding: 0 }}
}}
iframe {{ border: 1px solid #8888; width: 100%; height: 34rem }}
pre {{ white-space: pre-wrap; overflow-wrap: anywhere }}
</style>
<h1>{title}</h1>
{body}
"""


def messages_url(aws: str) -> str:
    """The URL at which the emulator lists its mails, as JSON."""
    return f"{aws}/_ministack/ses/messages"


def serve_inbox(port: Port, aws: str) -> str:
    """From a thread of its own, until the process ends. Returns the page's URL."""

    class Handler(_Handler):
        messages = messages_url(aws)

    server = ThreadingHTTPServer((HOST, port.release()), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="inbox", daemon=True).start()
    return f"http://{HOST}:{port.number}/"


class _Handler(BaseHTTPRequestHandler):
    """`/` lists the mails, of one reader with `?to=`; `/ID` shows one; `/newest.txt?to=` has the
    words of the newest."""

    messages: str

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        try:
            mails = _newest_first(self.messages)
        except (URLError, OSError):
            self._answer(502, "Nobody answers", "<p>The emulator of AWS is not there.</p>")
            return
        reader = parse_qs(url.query).get("to", [""])[0]
        if url.path == "/":
            self._answer(200, "Inbox", _list(mails, reader))
            return
        if url.path == "/newest.txt":
            self._answer_text(_wanted(mails, reader))
            return
        found = [mail for mail in mails if f"/{quote(mail['MessageId'])}" == url.path]
        if found:
            self._answer(200, found[0]["Subject"], _mail(found[0]))
        else:
            self._answer(404, "No such mail", '<p><a href="/">The inbox</a></p>')

    def _answer_text(self, mails: list[dict[str, Any]]) -> None:
        text = str(mails[0]["BodyText"]) if mails else "There is no mail yet.\n"
        self._send(200 if mails else 404, "text/plain", text)

    def _answer(self, status: int, title: str, body: str) -> None:
        self._send(status, "text/html", PAGE.format(title=escape(title), body=body))

    def _send(self, status: int, media: str, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{media}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing between the lines of the processes."""


def _newest_first(url: str) -> list[dict[str, Any]]:
    with urlopen(url, timeout=10) as answer:  # noqa: S310 (a URL of this machine)
        accounts = json.load(answer)["messages"]
    mails = [mail for mails in accounts.values() for mail in mails]
    return sorted(mails, key=lambda mail: mail["Timestamp"], reverse=True)


def _wanted(mails: list[dict[str, Any]], reader: str) -> list[dict[str, Any]]:
    return [mail for mail in mails if reader in ", ".join(mail["To"])]


def _list(mails: list[dict[str, Any]], reader: str) -> str:
    wanted = _wanted(mails, reader)
    form = (
        f'<form><label>To <input name="to" value="{escape(reader)}"></label> '
        "<button>Show</button></form>"
    )
    shown = wanted[:SHOWN]
    said = f"<p>{len(shown)} of {len(wanted)}, the newest first:</p>"
    return f"{form}{said}<table>{''.join(_rows(shown))}</table>"


def _rows(mails: list[dict[str, Any]]) -> Iterator[str]:
    for mail in mails:
        link = f'<a href="/{quote(mail["MessageId"])}">{escape(mail["Subject"])}</a>'
        yield f"<tr><td>{_moment(mail)}<td>{escape(', '.join(mail['To']))}<td>{link}"


def _mail(mail: dict[str, Any]) -> str:
    # Sandboxed: it may do here no more than in a mail program.
    return (
        f"<p>{_moment(mail)}, from {escape(mail['Source'])} to {escape(', '.join(mail['To']))}."
        ' <a href="/">All mails</a></p>'
        f'<iframe sandbox="allow-popups" srcdoc="{escape(mail["BodyHtml"])}"></iframe>'
        f"<h2>As text</h2><pre>{escape(mail['BodyText'])}</pre>"
    )


def _moment(mail: dict[str, Any]) -> str:
    return f"{datetime.fromtimestamp(mail['Timestamp'], UTC):%Y-%m-%d %H:%M:%S}"
