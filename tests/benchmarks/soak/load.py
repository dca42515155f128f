"""Load: what Outreach, people and mail programs do to a portal at once, at a steady rate, through public doors."""

from __future__ import annotations

import http.client
import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from http import HTTPStatus
from urllib.parse import quote, urlsplit

from portal.demo.browser import DemoFailed
from tests.support.portal_process import Outreach

TITLES = ("Account Executive", "Head of Sales", "Sales Engineer", "Chief Revenue Officer")
AGENT = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Thunderbird/128.4.0"
BANNERS_A_SECOND = 20
CLICK_EVERY, READER_EVERY = 20, 4  # of the banners
STOP_SECONDS = 180

Act = Callable[[int], dict[str, int]]
"""Does one thing for the nth time; what was done, by name."""


class Load:
    """Repeats acts, each in a thread of its own, until `stop`; counts what was done and what failed."""

    def __init__(self, acts: Sequence[tuple[Act, float]]) -> None:
        """acts: each with the seconds from one beginning to the next."""
        self.done: Counter[str] = Counter()
        self.failures: list[str] = []
        self._stopping = threading.Event()
        self._counting = threading.Lock()
        self._threads = [threading.Thread(target=self._repeat, args=one, daemon=True) for one in acts]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(STOP_SECONDS)

    def _repeat(self, act: Act, every_seconds: float) -> None:
        begun_at = time.monotonic()
        for turn in itertools.count():
            try:
                done = act(turn)
            except (DemoFailed, OSError, http.client.HTTPException, AssertionError) as error:
                self.failures.append(f"{datetime.now():%H:%M:%S} {act.__name__}: {error!r}")
            else:
                with self._counting:
                    self.done.update(done)
            next_at = begun_at + (turn + 1) * every_seconds
            if self._stopping.wait(max(0.0, next_at - time.monotonic())):
                return


class OutreachChanges:
    """What changes in Outreach without the portal: titles of people, and signatures that they edit."""

    def __init__(self, outreach: Outreach) -> None:
        self._outreach = outreach
        self._people = sorted(outreach.get_users())
        self._mailboxes = sorted(outreach.get_mailboxes())

    def change_titles(self, turn: int) -> dict[str, int]:
        for number in range(3):
            person = self._people[(3 * turn + number) % len(self._people)]
            self._outreach.change("users", person, title=TITLES[(turn + number) % len(TITLES)])
        return {"titles changed in Outreach": 3}

    def edit_by_hand(self, turn: int) -> dict[str, int]:
        mailbox = self._mailboxes[7 * turn % len(self._mailboxes)]
        self._outreach.change("mailboxes", mailbox, email_signature=f"<p>Written by hand, {turn % 5}</p>")
        self._outreach.forget_requests()  # its log would fill this machine's memory
        return {"signatures edited in Outreach": 1}


class MailPrograms:
    """Read banners and follow them, as those do who received mails.

    keys: banner keys of senders. readers: addresses that some banners are asked for.
    """

    def __init__(self, portal_url: str, *, keys: Sequence[str], readers: Sequence[str]) -> None:
        self._host, self._keys, self._readers = urlsplit(portal_url).netloc, keys, readers

    def read_banners(self, turn: int) -> dict[str, int]:
        """Ask for those of one second over one connection."""
        connection = http.client.HTTPConnection(self._host, timeout=30)
        clicks = 0
        try:
            for number in range(turn * BANNERS_A_SECOND, (turn + 1) * BANNERS_A_SECOND):
                key = self._keys[number % len(self._keys)]
                reader = self._readers[number // READER_EVERY % len(self._readers)]
                query = "" if number % READER_EVERY else f"?r={quote(reader)}"
                _fetch(connection, f"/b/{key}@2x.png{query}", HTTPStatus.OK)
                if number % CLICK_EVERY == 0:
                    _fetch(connection, f"/c/{key}", HTTPStatus.FOUND)
                    clicks += 1
        finally:
            connection.close()
        return {"banners": BANNERS_A_SECOND, "clicks": clicks}


def _fetch(connection: http.client.HTTPConnection, path: str, expected: HTTPStatus) -> None:
    connection.request("GET", path, headers={"User-Agent": AGENT})
    answer = connection.getresponse()
    answer.read()
    if answer.status != expected:
        raise DemoFailed(f"{path[:3]} was answered with {answer.status}.")
