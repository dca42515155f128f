"""The published rules, each at its edge, and each with a visitor in the room who is not taken for a scanner."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signatures.analytics.bot_rules import (
    BURST_SENDERS,
    FAMILIES,
    PICTURE_BEFORE,
    REACH,
    RULES,
    Rule,
    RuleEvent,
    judge,
    name_family,
    parse_networks,
)

NINE = datetime(2026, 11, 24, 9, tzinfo=UTC)
BROWSER = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Safari/537.36"
GMAIL = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"


class Day:
    """Events of one day; a visitor fetches Ana's picture at nine and clicks a minute later, and is never one."""

    def __init__(self) -> None:
        self.events: list[RuleEvent] = []
        self.bystanders = [
            self.see(0, sender_id=99, visitor="bystander"),
            self.see(60, sender_id=99, visitor="bystander", is_click=True),
        ]

    def see(self, second: float, **columns) -> RuleEvent:
        columns = {
            "is_click": False, "sender_id": 1, "network": "198.51.100.0", "agent": BROWSER, "visitor": "r1",
        } | columns  # fmt: skip
        self.events.append(RuleEvent(len(self.events) + 1, NINE + timedelta(seconds=second), **columns))
        return self.events[-1]

    def judge(self, **options) -> dict[int, str]:
        """Return id -> rule of all bot traffic; the bystander's is not among it."""
        verdicts = judge(self.events, self.events, **options)
        assert set(verdicts) == {event.id for event in self.events}
        assert [verdicts[one.id] for one in self.bystanders] == ["", ""]
        return {id: rule for id, rule in verdicts.items() if rule}


@pytest.fixture
def day() -> Day:
    return Day()


def test_what_is_asked_without_fetching_is_bot_traffic(day: Day):
    picture = day.see(1, method="HEAD")
    day.see(2)
    click = day.see(60, method="HEAD", is_click=True)
    day.see(61, is_click=True)

    assert day.judge() == {picture.id: Rule.HEAD, click.id: Rule.HEAD}


@pytest.mark.parametrize(
    ("agent", "family"),
    [
        ("Barracuda Sentinel (EE)", "Barracuda"),
        ("Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5", "Microsoft"),
        ("Microsoft Office Existence Discovery", "Microsoft"),
        ("Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)", "Slack"),
        ("Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)", "Robots and crawlers"),
        ("Mozilla/5.0 (X11; Linux x86_64) HeadlessChrome/130.0", "Robots and crawlers"),
        ("curl/8.5.0", "Libraries and tools"),
        ("python-requests/2.32.3", "Libraries and tools"),
        ("TelegramBot (like TwitterBot)", "Other link previews"),
        ("Viber/13.3.0.22 (Android)", "Other link previews"),
        ("WhatsApp", "Other link previews"),
        ("Chatwork LinkPreview v1", "Other link previews"),
        ("meta-externalfetcher/1.1", "Other link previews"),
        ("Acme Bot (https://acme.example)", "Robots and crawlers"),
        ("AcmeBot", "Robots and crawlers"),
        ("Mozilla/5.0 (compatible; acmebot,v2)", "Robots and crawlers"),
        ("Pcore-HTTP/v0.23.20", "Robots and crawlers"),  # by the public list
        ("AHC/2.0", "Robots and crawlers"),
        # Readers, and those who fetch for them.
        (BROWSER, ""),
        (GMAIL, ""),
        ("YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html", ""),
        ("Mozilla/4.0 (compatible; ms-office; MSOffice 16)", ""),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)", ""),
        ("Mozilla/5.0 (Linux; Android 10; CUBOT NOTE 20) AppleWebKit/537.36", ""),
        ("Mozilla/5.0 (Linux; Android 9; CUBOT_X19) AppleWebKit/537.36", ""),
        ("YahooCacheSystem; YahooWebServiceClient", ""),
        ("FastmailUA/1.0", ""),
        ("Mozilla/5.0 (via GoogleImageProxy; +http://www.google.com/bot.html)", ""),  # the proxy goes before
        ("Shortwave Image Fetcher", ""),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Thunderbird/128.4.0", ""),
        ("Outlook-iOS/2.0", ""),
        ("Outlook-Android/2.0", ""),
        ("Microsoft Outlook 16.0.17932", ""),
        (
            "Mozilla/5.0 (Linux; Android 14; SM-S921B) AppleWebKit/537.36 Chrome/130.0 Mobile Safari/537.36 Ddg/17.6",
            "",
        ),
        (
            "Mozilla/5.0 (Linux; Android 13; SM-A536B) SamsungBrowser/26.0 Chrome/122.0 Mobile Safari/537.36",
            "",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 GSA/340.3 Mobile/15E148",
            "",
        ),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/130.0 Safari/537.36 Edg/130.0 OPR/116 Vivaldi/7.0",
            "",
        ),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Superhuman/1.0 Electron/30",
            "",
        ),
        ("Dalvik/2.1.0 (Linux; U; Android 14; Pixel 8 Build/AP2A)", ""),
        ("okhttp/4.12.0", ""),
        (
            "Mozilla/5.0 (Linux; Android 9; KFMAWI) AppleWebKit/537.36 Silk/120.4 like Chrome/120 Safari/537.36",
            "",
        ),
        ("Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 Chrome/130.0 Safari/537.36", ""),
        ("robotics mail reader", ""),
        ("", ""),
    ],
)
def test_a_program_that_names_itself_is_known_by_its_name(agent: str, family: str):
    assert name_family(agent) == family


def test_events_of_named_programs_are_bot_traffic(day: Day):
    picture = day.see(1, agent="Barracuda Sentinel (EE)")
    click = day.see(1, agent="python-requests/2.32.3", is_click=True)

    assert day.judge() == {picture.id: Rule.AGENT, click.id: Rule.AGENT}


def test_a_program_without_a_name_is_bot_traffic(day: Day):
    picture = day.see(1, agent="")
    click = day.see(9, agent="  ", is_click=True)

    assert day.judge() == {picture.id: Rule.NO_AGENT, click.id: Rule.NO_AGENT}


def test_a_scanners_network_is_bot_traffic_and_its_neighbour_is_not(day: Day):
    inside = [
        day.see(1, network="203.0.113.0"),
        day.see(2, network="203.0.113.0/24", sender_id=2),
        day.see(3, network="2001:db8:7::", sender_id=3),
    ]
    day.see(4, network="203.0.114.0")
    day.see(5, network="2001:db8:8::")
    day.see(6, network="")
    day.see(7, network="not a network")

    verdicts = day.judge(networks=parse_networks(["203.0.113.0/24", "2001:db8:7::/48"]))

    assert verdicts == dict.fromkeys([event.id for event in inside], Rule.NETWORK)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("203.0.113.7/32", "smaller than /24"),
        ("2001:db8::/64", "smaller than /48"),
        ("203.0.113.7/24", "no network"),
        ("example.com", "no network"),
    ],
)
def test_a_network_that_would_take_neighbours_along_is_refused(text: str, words: str):
    with pytest.raises(ValueError, match=words):
        parse_networks(["198.51.100.0/24", text])


def test_apples_fetching_ahead_is_no_picture_seen_and_yet_its_reader_may_click(day: Day):
    picture = day.see(1, agent="Mozilla/5.0", visitor="relay")
    day.see(3_600, is_click=True)

    assert day.judge() == {picture.id: Rule.PREFETCH}


def test_a_click_that_nobodys_picture_came_before_is_bot_traffic(day: Day):
    click = day.see(30, is_click=True)
    day.see(31, sender_id=2)
    day.see(60, sender_id=2, is_click=True)

    assert day.judge() == {click.id: Rule.NO_PICTURE}


def test_a_proxys_picture_stands_for_the_reader_who_clicks(day: Day):
    day.see(1, agent=GMAIL, visitor="proxy", network="192.0.2.0")
    day.see(60, is_click=True)

    assert day.judge() == {}


def test_a_scanners_own_picture_does_not_stand_for_a_readers(day: Day):
    picture = day.see(1, agent="Barracuda Sentinel (EE)", visitor="scanner")
    click = day.see(60, is_click=True)

    assert day.judge() == {picture.id: Rule.AGENT, click.id: Rule.NO_PICTURE}


def test_a_picture_counts_for_a_click_within_a_day_to_the_second(day: Day):
    day.see(0)
    day.see(24 * 3_600, is_click=True)
    late = day.see(24 * 3_600 + 20, is_click=True)

    assert day.judge() == {late.id: Rule.NO_PICTURE}


def test_a_link_made_for_one_recipient_needs_the_picture_of_that_very_link(day: Day):
    day.see(1, decision_id=7)
    day.see(60, decision_id=7, is_click=True)
    other = day.see(60, decision_id=8, is_click=True)
    day.see(90, is_click=True)  # the sender's own link: a picture for any recipient will do

    assert day.judge() == {other.id: Rule.NO_PICTURE}


def test_a_click_faster_than_a_person_is_bot_traffic(day: Day):
    day.see(0)
    rushed = day.see(1.999, is_click=True)
    day.see(0, sender_id=2, visitor="r2")
    day.see(2, sender_id=2, visitor="r2", is_click=True)
    day.see(0, sender_id=3, visitor="proxy")
    day.see(1, sender_id=3, visitor="r3", is_click=True)  # somebody else's picture says nothing of haste

    assert day.judge() == {rushed.id: Rule.RUSH}


def test_a_picture_that_comes_after_the_click_is_no_haste(day: Day):
    day.see(0, visitor="proxy")
    day.see(5, is_click=True)
    day.see(5.5)

    assert day.judge() == {}


def test_one_reader_in_many_signatures_at_once_is_a_burst_with_its_pictures(day: Day):
    for sender in (1, 2, 3):
        day.see(0, sender_id=sender, visitor="proxy", agent=GMAIL)
    clicks = [
        day.see(20 + 5 * number, sender_id=number + 1, is_click=True) for number in range(BURST_SENDERS)
    ]
    picture = day.see(39, sender_id=4)
    day.see(41, sender_id=4)
    day.see(25, sender_id=1, visitor="somebody else", is_click=True)

    assert day.judge() == dict.fromkeys([*(click.id for click in clicks), picture.id], Rule.BURST)


def test_clicks_that_lie_further_apart_are_no_burst(day: Day):
    for sender in (1, 2, 3):
        day.see(0, sender_id=sender, visitor="proxy", agent=GMAIL)
        day.see(10 + 5.001 * sender, sender_id=sender, is_click=True)

    assert day.judge() == {}


def test_the_same_sender_clicked_often_is_no_burst(day: Day):
    day.see(0, visitor="proxy")
    clicks = [day.see(20 + number, is_click=True) for number in range(BURST_SENDERS + 1)]

    assert day.judge() == {click.id: Rule.REPEAT for click in clicks[1:]}


def test_many_machines_of_one_network_are_a_burst_and_four_colleagues_are_not(day: Day):
    for sender in range(1, 10):
        day.see(0, sender_id=sender, visitor="proxy", agent=GMAIL)
    farm = [
        day.see(20 + n, sender_id=n + 1, visitor=f"machine {n}", network="192.0.2.0", is_click=True)
        for n in range(5)
    ]
    for n in range(4):
        day.see(20 + n, sender_id=n + 6, visitor=f"colleague {n}", network="192.0.3.0", is_click=True)

    assert day.judge() == dict.fromkeys([click.id for click in farm], Rule.BURST)


def test_of_clicks_within_seconds_the_first_one_counts(day: Day):
    day.see(0)
    day.see(20, is_click=True)
    second, third = day.see(21, is_click=True), day.see(30.9, is_click=True)
    day.see(41, is_click=True)
    day.see(22, visitor="r2", is_click=True)
    day.see(23, decision_id=None, sender_id=99, is_click=True)

    assert day.judge() == {second.id: Rule.REPEAT, third.id: Rule.REPEAT}


def test_readers_who_cannot_be_told_apart_are_not_taken_for_one(day: Day):
    for sender in (1, 2, 3):
        day.see(0, sender_id=sender, visitor="proxy")
        day.see(1, sender_id=sender, visitor="", network="")
        day.see(2, sender_id=sender, visitor="", network="", is_click=True)
        day.see(3, sender_id=sender, visitor="", network="", is_click=True)

    assert day.judge() == {}


def test_the_table_says_every_rule_once():
    assert [each.rule for each in RULES] == list(Rule)
    assert all(each.title and each.definition.endswith(".") and each.errs.endswith(".") for each in RULES)
    assert all(mark == mark.lower() for family in FAMILIES for mark in family.marks)


EVENTS = st.lists(
    st.builds(
        RuleEvent,
        id=st.just(0),
        at=st.integers(0, 90_000).map(lambda tenth: NINE + timedelta(seconds=tenth / 100)),
        is_click=st.booleans(),
        sender_id=st.integers(1, 4),
        decision_id=st.sampled_from([None, None, 1]),
        network=st.sampled_from(["", "192.0.2.0"]),
        agent=st.sampled_from([BROWSER, "Mozilla/5.0", "curl/8"]),
        visitor=st.sampled_from(["", "r1", "r2"]),
    ),
    max_size=60,
).map(lambda events: [replace(event, id=number) for number, event in enumerate(events)])


@settings(max_examples=50)
@given(EVENTS, st.randoms())
def test_the_order_in_which_events_are_handed_over_changes_no_verdict(events, random):
    shuffled = list(events)
    random.shuffle(shuffled)

    assert judge(events, events) == judge(shuffled, shuffled + shuffled)


@settings(max_examples=50)
@given(EVENTS)
def test_only_what_lies_within_reach_decides(events):
    whole = judge(events, events)

    for event in events:
        around = [
            other
            for other in events
            if (other.is_click and abs(other.at - event.at) <= REACH)
            or (not other.is_click and timedelta() <= event.at - other.at <= PICTURE_BEFORE)
        ]
        assert judge([event], [event, *around]) == {event.id: whole[event.id]}
