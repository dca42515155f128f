"""Seed: makes an invented company with unusual names and values, the same for the same seed and size."""

from __future__ import annotations

import random
from html import escape
from types import MappingProxyType
from typing import Any

from .clock import iso
from .directory import Directory
from .records import ADMIN_PROFILE, NOTHING, REP_PROFILE, Mailbox, Prospect, Team, User
from .seed_words import (
    AWKWARD_PEOPLE,
    COLORS,
    COMPANIES,
    FIRST_NAMES,
    LAST_NAMES,
    OLD_SIGNATURES,
    PLACES,
    PROSPECT_TITLES,
    TAGS,
    TEAM_NAMES,
    TITLES,
)

FIRST, LAST = FIRST_NAMES.split(), LAST_NAMES.split()
# The four tables start at different ids, so that a mixed-up id is noticed at once.
FIRST_TEAM, FIRST_MAILBOX, FIRST_PROSPECT = 101, 5001, 90_001
FOUNDED_AT = 1_609_750_800  # 2021-01-04T09:00:00Z
LAST_CHANGE_AT = 1_767_225_600  # 2026-01-01T00:00:00Z
MOST_PROSPECTS = 20_000
ADMINS: tuple[tuple[str, str, str, str | None], ...] = (
    ("Ingrid", "Solberg", "ingrid.solberg", "Director of Revenue Operations"),
    ("Integration", "Service", "outreach-integration", None),
)


def build_company(
    directory: Directory, *, people: int, teams: int, seed: int, domain: str, prospects: int | None = None
) -> None:
    """The directory holds a company of `people` users in `teams` teams.

    User 1 is the oldest and an administrator. Of the rest about 3 in 100 are locked, 4 have no mailbox,
    3 have two, 5 are in no team, 8 in two, and 2 mailboxes in 100 are not editable.
    prospects: two for each person by default, at most 20,000.
    """
    rng = random.Random(seed)  # noqa: S311 - repeatable, not secret
    users = [_user(number, rng, domain) for number in range(1, people + 1)]
    members: list[list[int]] = [[] for _ in range(teams)]
    mailboxes: list[Mailbox] = []
    built = []
    for values in users:
        joined = _choose_teams(values["id"], teams, rng)
        for index in joined:
            members[index].append(values["id"])
        own = _mailboxes(values, FIRST_MAILBOX + len(mailboxes), rng, domain)
        mailboxes += own
        built.append(
            User(
                **values,
                team_ids=tuple(FIRST_TEAM + index for index in joined),
                mailbox_ids=tuple(mailbox.id for mailbox in own),
            )
        )
    directory.users.load(built)
    directory.mailboxes.load(mailboxes)
    directory.teams.load([_team(index, members[index]) for index in range(teams)])
    count = min(people * 2, MOST_PROSPECTS) if prospects is None else prospects
    directory.prospects.load([_prospect(index, people, rng) for index in range(count)])


def _user(number: int, rng: random.Random, domain: str) -> dict[str, Any]:
    known = (*ADMINS, *AWKWARD_PEOPLE)
    roll = rng.random()
    if number <= len(known):
        first, last, local, title = known[number - 1]
    else:
        first = rng.choice(FIRST)
        last = rng.choice(LAST)
        local = f"{_plain(first)}.{_plain(last)}{number}"
        title = None if roll > 0.95 else rng.choice(TITLES)
    has_phone = number <= 2 or rng.random() < 0.8
    signed_in = FOUNDED_AT + int(rng.random() * (LAST_CHANGE_AT - FOUNDED_AT))
    return {
        "id": number,
        "email": f"{local}@{domain}",
        "username": f"{local}@{domain}",
        "first_name": first,
        "last_name": last,
        "title": title,
        # 555-01xx numbers are reserved for fiction.
        "phone_number": f"+1 206-555-01{number % 100:02d}" if has_phone else None,
        "phone_country_code": "US" if has_phone else None,
        "bridge_phone": f"+1206555{100 + number % 100:04d}" if has_phone and roll < 0.1 else None,
        "bridge_phone_extension": str(100 + number % 900) if has_phone and roll < 0.1 else None,
        "custom1": f"https://meet.{domain}/{local}" if roll < 0.6 else None,
        "custom2": "she/her" if roll < 0.1 else None,
        "locked": number > len(known) and 0.5 < roll < 0.53,
        "user_guid": f"{rng.getrandbits(32):08x}-0000-4000-8000-{number:012x}",
        "current_sign_in_at": iso(signed_in) if roll > 0.02 else None,
        "created_at": iso(FOUNDED_AT + number * 60),
        "updated_at": iso(max(signed_in, FOUNDED_AT + number * 60)),
        "profile_id": ADMIN_PROFILE if number <= len(ADMINS) else REP_PROFILE,
    }


def _plain(name: str) -> str:
    return name.lower().translate(str.maketrans("öáéíóú", "oaeiou"))


def _choose_teams(number: int, teams: int, rng: random.Random) -> list[int]:
    """Indexes of the person's teams, in the order they joined; none for the service account."""
    roll, first, second = rng.random(), int(rng.random() * teams), int(rng.random() * teams)
    if teams == 0 or number == 2 or (number > 2 and roll < 0.05):
        return []
    if roll > 0.92 and second != first:
        return [first, second]
    # The first round fills every team, so that none is empty in a company of twice as many people.
    return [(number - 3) % teams] if number <= teams + 2 else [first]


def _mailboxes(user: dict[str, Any], first_id: int, rng: random.Random, domain: str) -> list[Mailbox]:
    number, roll = user["id"], rng.random()
    # Of the people with unusual names, two have no mailbox and two have two, whatever the size.
    if number in (2, 12) or (number > 16 and roll < 0.04):
        return []
    addresses = [user["email"]]
    if number in (4, 9) or (number > 16 and roll > 0.97):
        local = user["email"].partition("@")[0]
        addresses.append(f"{local}@get.{domain}")
    return [
        _mailbox(first_id + index, email, user, rng.random(), domain) for index, email in enumerate(addresses)
    ]


def _mailbox(mailbox_id: int, email: str, user: dict[str, Any], roll: float, domain: str) -> Mailbox:
    touched = max(user["updated_at"], user["created_at"])
    number = user["id"]
    return Mailbox(
        id=mailbox_id,
        user_id=number,
        email=email,
        email_signature=_old_signature(user, roll, domain),
        # Person 7's mailbox may not be edited by the token, whatever the size of the company.
        editable=number != 7 and not (number > 16 and 0.60 < roll < 0.62),
        send_disabled=0.70 < roll < 0.72,
        email_provider="gmail_api" if roll < 0.5 else "office365_oauth2",
        created_at=user["created_at"],
        updated_at=touched,
        more=MappingProxyType({"syncMethod": "gmail_api", "sendMethod": "gmail_api"})
        if roll < 0.5
        else NOTHING,
    )


def _old_signature(user: dict[str, Any], roll: float, domain: str) -> str | None:
    """What the rep had before; null, empty and `<br />` all occur and mean none."""
    if roll < 0.18:
        return None
    if roll < 0.24:
        return ""
    if roll < 0.30:
        return "<br />"
    shape = OLD_SIGNATURES[int(roll * 1000) % len(OLD_SIGNATURES)]
    return shape.format(
        name=escape(f"{user['first_name']} {user['last_name']}"),
        title=escape(user["title"] or "Sales"),
        company=domain.partition(".")[0].capitalize(),
        domain=domain,
    )


def _team(index: int, user_ids: list[int]) -> Team:
    round_, place = divmod(index, len(TEAM_NAMES))
    at = iso(FOUNDED_AT + index * 60)
    return Team(
        id=FIRST_TEAM + index,
        name=TEAM_NAMES[place] if round_ == 0 else f"{TEAM_NAMES[place]} {round_ + 1}",
        color=COLORS[index % len(COLORS)],
        user_ids=tuple(user_ids),
        created_at=at,
        updated_at=at,
    )


def _prospect(index: int, people: int, rng: random.Random) -> Prospect:
    roll = rng.random()
    company, domain, industry = rng.choice(COMPANIES)
    region, city, country, zone = rng.choice(PLACES)
    first = rng.choice(FIRST)
    last = rng.choice(LAST)
    local = f"{_plain(first)}.{_plain(last)}{index}"
    emails = [f"{local}@{domain}"]
    # The first prospect, and one in ten, can be found by two addresses.
    if index == 0 or roll < 0.1:
        emails.append(f"{local}@private.example")
    at = iso(FOUNDED_AT + index * 90)
    return Prospect(
        id=FIRST_PROSPECT + index,
        emails=tuple(emails),
        first_name=first,
        last_name=last,
        title=PROSPECT_TITLES[int(roll * 600) % len(PROSPECT_TITLES)] if roll < 0.95 else None,
        company=company,
        tags=tuple(tag for number, tag in enumerate(TAGS) if (index + number) % 4 == 0),
        region=region,
        address_city=city,
        address_country=country,
        time_zone=zone,
        source="Webinar" if roll < 0.3 else None,
        score=float(int(roll * 100)),
        engaged_score=round(roll * 10, 1),
        opted_out=0.40 < roll < 0.43,
        trashed_at=at if 0.50 < roll < 0.51 else None,
        stage_id=1 + index % 6,
        persona_id=1 + index % 4 if roll < 0.8 else None,
        account_id=1 + index % len(COMPANIES),
        owner_id=1 + int(rng.random() * people) if people else None,
        created_at=at,
        updated_at=at,
        more=MappingProxyType({"occupation": industry}),
    )
