"""Bot rules: which impressions and clicks are bot traffic. Pure: the same events are judged the same, in any order."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network

from .bot_agents import is_listed

Network = IPv4Network | IPv6Network
Link = tuple[int | None, int | None]  # of a sender, and of its decision where there is one
Moment = tuple[datetime, int]  # of an event: its time, and its id where several have the same

RUSH = timedelta(seconds=2)
REPEAT = timedelta(seconds=10)
BURST = timedelta(seconds=10)
BURST_SENDERS = 3  # by one visitor
BURST_SENDERS_OF_NETWORK = 5  # by one network, which several visitors may share
PICTURE_BEFORE = timedelta(hours=24)

# How far from an event others can affect its verdict; impressions before a click reach further.
REACH = 2 * BURST


class Rule(StrEnum):
    """Why an event counts as bot traffic; stored with the event."""

    HEAD = "head"
    AGENT = "agent"
    NO_AGENT = "no_agent"
    NETWORK = "network"
    PREFETCH = "prefetch"
    BURST = "burst"
    RUSH = "rush"
    NO_PICTURE = "no_picture"
    REPEAT = "repeat"


@dataclass(frozen=True, slots=True)
class Published:
    """One rule as the docs and the page “Methodology” show it.

    counts: what it may count as bot traffic. errs: its known limits.
    """

    rule: Rule
    title: str
    counts: str
    definition: str
    errs: str


# In this order: an event gets the first rule that applies.
RULES: tuple[Published, ...] = (
    Published(
        Rule.HEAD,
        "HEAD request",
        "impressions and clicks",
        "The request is HEAD, or any method other than GET: no image was sent.",
        "None known: mail programs and browsers use GET.",
    ),
    Published(
        Rule.AGENT,
        "Known bot",
        "impressions and clicks",
        "The user agent is on the list of scanners, link previews, crawlers and libraries below.",
        "Many scanners use a browser’s user agent; the other rules are for those.",
    ),
    Published(
        Rule.NO_AGENT,
        "No user agent",
        "impressions and clicks",
        "The request has no user agent. Browsers, mail programs and image proxies always send one.",
        "A recipient behind a proxy that removes the user agent counts as a bot.",
    ),
    Published(
        Rule.NETWORK,
        "Scanner network",
        "impressions and clicks",
        "The request comes from a network that this installation lists in SCANNER_NETWORKS.",
        "Depends on that list, which is empty by default.",
    ),
    Published(
        Rule.PREFETCH,
        "Apple Mail prefetch",
        "impressions",
        "The user agent is “Mozilla/5.0” alone, as Apple’s Mail Privacy Protection sends when it loads "
        "every image whether or not the mail is opened.",
        "Recipients who use Apple Mail cause no human impressions; their clicks count.",
    ),
    Published(
        Rule.BURST,
        "Burst of clicks",
        "impressions and clicks",
        f"One visitor clicks in the signatures of {BURST_SENDERS} senders or more within "
        f"{BURST.seconds} seconds, or one network in those of {BURST_SENDERS_OF_NETWORK} or more. That "
        "visitor’s impressions within the same seconds are filtered too.",
        "A person who clicks in several mails within seconds counts as a bot.",
    ),
    Published(
        Rule.RUSH,
        "Click too fast",
        "clicks",
        f"A click less than {RUSH.seconds} seconds after the same visitor’s impression of the same banner.",
        "A recipient whose program reloads the image at the moment of the click counts as a bot.",
    ),
    Published(
        Rule.NO_PICTURE,
        "Click without impression",
        "clicks",
        f"In the {PICTURE_BEFORE.days * 24} hours before the click, this sender’s banner had no impression "
        "other than those filtered above by user agent, network or request. For a link made for one "
        "recipient: that link’s banner had no impression.",
        "Recipients whose mail program blocks images and who click the alt text count as bots. The visitor "
        "is not compared, because image proxies request images on behalf of recipients.",
    ),
    Published(
        Rule.REPEAT,
        "Repeated click",
        "clicks",
        f"The same visitor clicked the same link less than {REPEAT.seconds} seconds before. The first click counts.",
        "Double clicks by people are filtered too.",
    ),
)

TITLES: Mapping[str, str] = {each.rule: each.title for each in RULES}


ROBOTS = "Robots and crawlers"
_BOT_NAME = re.compile(r"(?<!cu)bot(?![a-z])")


@dataclass(frozen=True, slots=True)
class Family:
    """Programs that are no visitors, by a part of their names, in lower case."""

    name: str
    marks: tuple[str, ...]
    source: str


FAMILIES: tuple[Family, ...] = (
    Family("Barracuda", ("barracuda",), "“Barracuda Sentinel (EE)” in requests of its link check."),
    Family("Proofpoint", ("proofpoint",), "Matches only where it identifies itself; mostly it does not."),
    Family("Mimecast", ("mimecast",), "Matches only where it identifies itself; mostly it does not."),
    Family(
        "Microsoft",
        ("safelinks", "bingpreview", "skypeuripreview", "microsoft office existence discovery"),
        "Link previews of Bing, Teams and Skype, and Office link checks. Safe Links mostly uses a "
        "browser’s user agent. Outlook itself (“ms-office”) counts as human.",
    ),
    Family("Google", ("google-read-aloud", "google-safety", "feedfetcher-google"),
           "Google’s published list of its fetchers."),
    Family("Slack", ("slackbot", "slack-imgproxy"), "Slack’s page on its bots."),
    Family(
        "Other link previews",
        ("facebookexternalhit", "whatsapp", "telegrambot", "viber/", "linkpreview", "link preview",
         "meta-externalfetcher", "meta-externalagent", "discordbot", "iframely", "embedly"),
        "User agents of these services.",
    ),
    Family(
        ROBOTS,
        ("+http", "crawler", "spider", "headlesschrome", "phantomjs", "urlscan"),
        "Web convention: a bot gives its name, or a URL that explains it. A word that ends in “bot” "
        "matches (the phones called Cubot do not), and so do the names of a public list.",
    ),
    Family(
        "Libraries and tools",
        ("curl/", "wget/", "python-requests", "python-urllib", "python-httpx", "aiohttp", "go-http-client",
         "libwww-perl", "java/", "apache-httpclient", "node-fetch", "axios/", "scrapy", "guzzlehttp",
         "postmanruntime"),
        "Default user agents of these libraries.",
    ),
)  # fmt: skip

# Image proxies that fetch when a mail is opened: they count as visitors, and hide how many there are.
PROXIES: tuple[Family, ...] = (
    Family(
        "Gmail",
        ("googleimageproxy",),
        "The proxy identifies itself. It requests the image when a mail is opened.",
    ),
    Family("Yahoo Mail", ("yahoomailproxy", "yahoocachesystem"), "The proxy identifies itself."),
    Family(
        "Fastmail",
        ("fastmailua",),
        "The proxy identifies itself. It requests the image when a mail is opened.",
    ),
    Family("Shortwave", ("shortwave image fetcher",), "The proxy identifies itself."),
)
_APPLE_PREFETCH = "Mozilla/5.0"


@dataclass(frozen=True, slots=True)
class RuleEvent:
    """One event with what the rules use.

    visitor: identifies a visitor on one day; '' where that is not possible: rules about visitors do not apply.
    network: the visitor’s address cut to /24 or /48, with or without its length; '' for unknown.
    """

    id: int
    at: datetime
    is_click: bool
    method: str = "GET"
    sender_id: int | None = None
    decision_id: int | None = None
    network: str = ""
    agent: str = ""
    visitor: str = ""

    @property
    def link(self) -> Link:
        """The signature, or the copy for one recipient, that was opened."""
        return (self.sender_id, self.decision_id)


def judge(
    subjects: Iterable[RuleEvent], around: Iterable[RuleEvent], *, networks: Sequence[Network] = ()
) -> dict[int, str]:
    """Return event id -> the rule that applies, '' for human traffic, for each subject.

    around: the subjects and every other event their verdicts depend on: clicks within REACH of them, and
    impressions before a click that `judge_alone` counts as human: the latest of the clicked banner within
    PICTURE_BEFORE, and the latest by the same visitor within RUSH. Further events change nothing.
    """
    window = _Window(around, networks)
    return {event.id: window.judge(event) for event in subjects}


def parse_networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Return networks given as 203.0.113.0/24 or 2001:db8::/48. Raises ValueError, in words for an operator.

    Visitors' addresses are stored cut to /24 or /48, so a smaller network would include its neighbours.
    """
    networks = []
    for text in texts:
        try:
            network = ip_network(text.strip())
        except ValueError as error:
            raise ValueError(f"“{text}” is no network such as 203.0.113.0/24: {error}.") from error
        most = 24 if network.version == 4 else 48
        if network.prefixlen > most:
            raise ValueError(
                f"“{text}” is smaller than /{most}, to which visitors’ addresses are cut. Give a /{most} or wider."
            )
        networks.append(network)
    return tuple(networks)


def name_family(agent: str) -> str:
    """Return which family of scanners a program's name belongs to, '' for none."""
    lowered = agent.lower()
    if any(mark in lowered for proxy in PROXIES for mark in proxy.marks):
        return ""
    for family in FAMILIES:
        if any(mark in lowered for mark in family.marks):
            return family.name
    return ROBOTS if _BOT_NAME.search(lowered) or is_listed(agent) else ""


class _Window:
    """Events by visitor, network and banner, in order of time, so that each rule finds neighbours quickly."""

    def __init__(self, events: Iterable[RuleEvent], networks: Sequence[Network]) -> None:
        self._networks = networks
        clicks_by_visitor: dict[str, list[RuleEvent]] = defaultdict(list)
        clicks_by_network: dict[str, list[RuleEvent]] = defaultdict(list)
        self._clicks: dict[tuple[str, Link], list[Moment]] = defaultdict(list)
        self._pictures: dict[Link, list[Moment]] = defaultdict(list)
        self._pictures_of_visitor: dict[tuple[str, Link], list[Moment]] = defaultdict(list)
        unique = {event.id: event for event in events}
        for event in sorted(unique.values(), key=_moment):
            if event.is_click:
                clicks_by_visitor[event.visitor].append(event)
                clicks_by_network[event.network].append(event)
            if judge_alone(event, networks):
                continue  # neither a first click nor an impression that somebody may have seen
            if event.is_click:
                self._clicks[event.visitor, event.link].append(_moment(event))
            else:
                self._pictures_of_visitor[event.visitor, event.link].append(_moment(event))
                for link in {event.link, (event.sender_id, None)}:
                    self._pictures[link].append(_moment(event))
        self._bursts_of_visitor = _find_bursts(clicks_by_visitor, BURST_SENDERS)
        self._bursts_of_network = _find_bursts(clicks_by_network, BURST_SENDERS_OF_NETWORK)

    def judge(self, event: RuleEvent) -> str:
        alone = judge_alone(event, self._networks)
        if alone:
            return alone
        if not event.is_click:
            if event.agent.strip() == _APPLE_PREFETCH:
                return Rule.PREFETCH
            return Rule.BURST if self._goes_with_a_burst(event) else ""
        if self._is_in_burst(event):
            return Rule.BURST
        of_visitor = (event.visitor, event.link)
        if event.visitor and _is_within(self._pictures_of_visitor.get(of_visitor), event, RUSH):
            return Rule.RUSH
        latest = _find_latest(self._pictures.get(event.link), (event.at, _LAST))
        if latest is None or event.at - latest > PICTURE_BEFORE:
            return Rule.NO_PICTURE
        is_repeat = event.visitor and _is_within(self._clicks.get(of_visitor), event, REPEAT)
        return Rule.REPEAT if is_repeat else ""

    def _is_in_burst(self, click: RuleEvent) -> bool:
        moment = _moment(click)
        for clicks in (
            self._bursts_of_visitor.get(click.visitor, []),
            self._bursts_of_network.get(click.network, []),
        ):
            place = bisect_left(clicks, moment)
            if place < len(clicks) and clicks[place] == moment:
                return True
        return False

    def _goes_with_a_burst(self, picture: RuleEvent) -> bool:
        clicks = self._bursts_of_visitor.get(picture.visitor, [])
        place = bisect_left(clicks, (picture.at - BURST, 0))
        return place < len(clicks) and clicks[place][0] <= picture.at + BURST


_LAST = 2**63


def _moment(event: RuleEvent) -> Moment:
    return (event.at, event.id)


def _find_latest(moments: Sequence[Moment] | None, before: Moment) -> datetime | None:
    """Return the last of the moments before `before`, or None."""
    place = bisect_left(moments or (), before)
    return moments[place - 1][0] if moments and place else None


def _is_within(moments: Sequence[Moment] | None, event: RuleEvent, span: timedelta) -> bool:
    """Return whether one of the moments is less than `span` before the event."""
    latest = _find_latest(moments, _moment(event))
    return latest is not None and event.at - latest < span


def _find_bursts(clicks_by: Mapping[str, Sequence[RuleEvent]], senders: int) -> dict[str, list[Moment]]:
    """Return visitor or network -> the clicks of their bursts, without '', which identifies nobody."""
    found = {who: _find_burst(clicks, senders) for who, clicks in clicks_by.items() if who}
    return {who: moments for who, moments in found.items() if moments}


def _find_burst(clicks: Sequence[RuleEvent], senders: int) -> list[Moment]:
    """Return the clicks, in order, within a time of BURST with clicks for that many senders."""
    found: list[Moment] = []
    in_stretch: Counter[int | None] = Counter()
    first = taken = 0
    for place, click in enumerate(clicks):
        in_stretch[click.sender_id] += 1
        while click.at - clicks[first].at > BURST:
            in_stretch[clicks[first].sender_id] -= 1
            if not in_stretch[clicks[first].sender_id]:
                del in_stretch[clicks[first].sender_id]
            first += 1
        if len(in_stretch) >= senders:
            found += map(_moment, clicks[max(first, taken) : place + 1])
            taken = place + 1
    return found


def judge_alone(event: RuleEvent, networks: Sequence[Network]) -> str:
    """Return the rule that applies to this event by itself, without others, or ''."""
    if event.method != "GET":
        return Rule.HEAD
    if not event.agent.strip():
        return Rule.NO_AGENT
    if _family_of(event.agent):
        return Rule.AGENT
    if networks and _is_listed(event.network, tuple(networks)):
        return Rule.NETWORK
    return ""


_family_of: Callable[[str], str] = lru_cache(maxsize=4096)(name_family)


@lru_cache(maxsize=4096)
def _is_listed(text: str, networks: tuple[Network, ...]) -> bool:
    if not text:
        return False
    address, _, length = text.partition("/")
    try:
        cut = ip_network(f"{address}/{length or (48 if ':' in address else 24)}", strict=False)
    except ValueError:
        return False
    return any(cut.version == network.version and cut.network_address in network for network in networks)
