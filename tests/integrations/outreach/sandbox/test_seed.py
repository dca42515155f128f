"""The invented company: repeatable, whole, and as awkward as promised."""

from __future__ import annotations

import pytest

from integrations.outreach.sandbox import Sandbox
from integrations.outreach.sandbox.clock import Clock
from integrations.outreach.sandbox.directory import Directory
from integrations.outreach.sandbox.seed import build_company

PLURALS = ("users", "teams", "mailboxes", "prospects")


def company(people: int = 200, teams: int = 12, seed: int = 7, domain: str = "acme.example") -> Directory:
    directory = Directory(Clock())
    build_company(directory, people=people, teams=teams, seed=seed, domain=domain)
    return directory


def test_same_seed_and_size_make_the_same_company() -> None:
    first, second = company(), company()

    assert [first.table(plural) for plural in PLURALS] == [second.table(plural) for plural in PLURALS]


def test_another_seed_makes_another_company() -> None:
    assert company(seed=7).users != company(seed=8).users


@pytest.mark.parametrize(("people", "teams"), [(1, 0), (1, 3), (2, 1), (20, 4), (200, 12), (1500, 40)])
def test_relationships_agree_from_both_sides(people: int, teams: int) -> None:
    directory = company(people, teams)

    assert (len(directory.users), len(directory.teams)) == (people, teams)
    memberships = {(team_id, user.id) for user in directory.users.values() for team_id in user.team_ids}
    assert memberships == {
        (team.id, user_id) for team in directory.teams.values() for user_id in team.user_ids
    }
    owned = {(user.id, mailbox_id) for user in directory.users.values() for mailbox_id in user.mailbox_ids}
    assert owned == {(mailbox.user_id, mailbox.id) for mailbox in directory.mailboxes.values()}
    assert all(each.owner_id in directory.users for each in directory.prospects.values())


def test_addresses_are_unique_and_of_the_domain() -> None:
    directory = company(2000, 12, domain="north.test")

    for emails in (
        [user.email for user in directory.users.values()],
        [mailbox.email for mailbox in directory.mailboxes.values()],
    ):
        assert len(set(emails)) == len(emails)
        assert all(email.endswith(("@north.test", "@get.north.test")) for email in emails)
        assert all(email.isascii() and " " not in email for email in emails)
    prospects = [email for each in directory.prospects.values() for email in each.emails]
    assert len(set(prospects)) == len(prospects)
    assert all(email.endswith(".example") for email in prospects)


def test_first_user_is_the_oldest_and_an_administrator() -> None:
    directory = company()

    assert directory.organisation_admin.id == 1
    assert directory.users[1].is_admin
    assert [user.id for user in directory.users.values() if user.is_admin] == [1, 2]


def test_even_a_small_company_has_the_awkward_cases() -> None:
    directory = company(20, 4)
    users = directory.users.values()

    assert {len(user.mailbox_ids) for user in users} == {0, 1, 2}
    assert any(not user.team_ids for user in users)
    assert any(user.title is None for user in users)
    titles = [user.title or "" for user in users]
    for part in ("<b>", "{{first_name}}", "&", '"', "=HYPERLINK", "\u202e"):
        assert any(part in title for title in titles), part
    assert any("'" in user.last_name for user in users)
    assert any("ن" in user.first_name for user in users)
    assert all(len(title) <= 255 for title in titles)
    assert [mailbox.user_id for mailbox in directory.mailboxes.values() if not mailbox.editable] == [7]
    assert len(directory.prospects[90_001].emails) == 2


def test_company_of_two_hundred_has_every_kind_of_record() -> None:
    directory = company()
    users, mailboxes = directory.users.values(), directory.mailboxes.values()
    signatures = [mailbox.email_signature for mailbox in mailboxes]

    assert {len(user.team_ids) for user in users} == {0, 1, 2}
    assert all(team.user_ids for team in directory.teams.values())
    assert any(user.locked for user in users)
    assert any(user.phone_number is None for user in users)
    assert any(user.bridge_phone_extension for user in users)
    assert any(user.current_sign_in_at is None for user in users)
    assert {None, "", "<br />"} < set(signatures)
    assert sum("<table" in (signature or "") for signature in signatures) > 10
    assert any(not mailbox.editable for mailbox in mailboxes)
    assert any(mailbox.send_disabled for mailbox in mailboxes)
    assert any(prospect.trashed_at for prospect in directory.prospects.values())
    assert any(prospect.opted_out for prospect in directory.prospects.values())


def test_ids_of_different_tables_are_never_equal_for_one_person() -> None:
    directory = company()

    assert all(mailbox.id != mailbox.user_id for mailbox in directory.mailboxes.values())


def test_number_of_prospects_can_be_chosen() -> None:
    with Sandbox(people=5, teams=1, prospects=3) as sandbox:
        assert len(sandbox.directory.prospects) == 3
