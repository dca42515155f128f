"""Why a banner: the choice with every campaign's verdict and each condition's answer, and one look-up an hour."""

from __future__ import annotations

from datetime import timedelta

import pytest

from integrations.connector import ProspectRecord
from integrations.errors import Unreachable
from integrations.models import Person
from portal.models import Domain
from signatures.audiences.labels import get_names
from signatures.audiences.pseudonyms import key_of
from signatures.campaigns.editing import set_audience, start_campaign
from signatures.campaigns.ruleset import load_board
from signatures.decisions.explain import Explanation, explain_banner
from signatures.models import Decision, KnownRecipient, Sender
from signatures.recipients.facts import get_cached
from tests.support.campaigns import BY, START, add_banner, make_campaign

AT = START + timedelta(hours=1)
ANNA = "anna@globex.example"
RECORD = ProspectRecord("7", (ANNA,), {"title": "VP Sales"}, ("emea",), stage_id="3")


@pytest.fixture
def sender(connection) -> Sender:
    person = Person.objects.create(
        connection=connection, remote_id="1", digest="d", changed_at=AT, email="ana@acme.example", name="Ana"
    )
    return Sender.objects.create(
        domain=connection.domain, person=person, email=person.email, name="Ana", changed_at=AT
    )


@pytest.fixture
def audience(domain: Domain, theirs):
    """A campaign for VPs in EMEA before one for everybody, and the bystander's."""
    chosen = make_campaign(domain, name="For VPs", priority=5)
    set_audience(
        chosen,
        [
            {"attribute": "title", "operator": "contains", "values": ["VP"]},
            {"attribute": "tags", "operator": "has_any", "values": ["emea"]},
        ],
        by_label=BY,
    )
    everybody = make_campaign(domain, name="For all")
    for campaign in (chosen, everybody):
        add_banner(campaign, f"Banner {campaign.name}")
        start_campaign(campaign, by_label=BY)
    return chosen


class Outreach:
    """What the look-up is asked, and what it answers."""

    def __init__(self, answer: ProspectRecord | Exception | None) -> None:
        self.answer = answer
        self.asked: list[str] = []

    def __call__(self, address: str, attributes: frozenset[str]) -> ProspectRecord | None:
        self.asked.append(address)
        self.attributes = attributes
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def explain(sender: Sender, address: str, outreach: Outreach, **given) -> Explanation:
    domain = sender.domain
    options = {"at": AT, "why_not_asked": ""} | given
    return explain_banner(
        domain, load_board(domain), sender, address, ask=outreach, names=get_names(domain), **options
    )


def tell(explanation: Explanation) -> list[tuple[str, str, list[bool | None]]]:
    return [
        (one.verdict.campaign.name, one.verdict.why.value, [answer.holds for answer in one.answers])
        for one in explanation.told
    ]


def test_a_recipient_in_the_audience_sees_its_banner_and_each_condition_says_that_it_holds(sender, audience):
    outreach = Outreach(RECORD)

    explanation = explain(sender, ANNA, outreach)

    assert (explanation.campaign_id, explanation.banner.name) == (audience.pk, "Banner For VPs")
    assert tell(explanation) == [("For VPs", "chosen", [True, True]), ("For all", "outranked", [])]
    assert explanation.known == "Outreach knows this recipient."
    assert explanation.chosen.answers[0].sentence == "Title contains “VP”"
    assert (outreach.asked, outreach.attributes) == ([ANNA], {"title", "tags"})


def test_one_condition_that_does_not_hold_gives_the_place_to_the_next_campaign(sender, audience):
    explanation = explain(
        sender, ANNA, Outreach(ProspectRecord("7", (ANNA,), {"title": "VP Sales"}, ("apac",)))
    )

    assert explanation.banner.name == "Banner For all"
    assert tell(explanation)[0] == ("For VPs", "not_in_audience", [True, False])


def test_where_nobody_is_known_nobody_is_asked_and_conditions_are_not_known(sender, audience):
    outreach = Outreach(RECORD)

    explanation = explain(sender, "", outreach)

    assert tell(explanation)[0] == ("For VPs", "nobody_known", [None, None])
    assert explanation.banner.name == "Banner For all"
    assert outreach.asked == []


def test_nobody_is_asked_about_twice_within_the_hour_and_a_newer_condition_is_not_known(sender, audience):
    outreach = Outreach(RECORD)
    explain(sender, ANNA, outreach)
    outreach.answer = None

    again = explain(sender, f" {ANNA.upper()}", outreach)
    set_audience(
        audience, [*audience_of(audience), {"attribute": "region", "operator": "is_filled"}], by_label=BY
    )
    newer = explain(sender, ANNA, outreach)

    assert outreach.asked == [ANNA]
    assert again.campaign_id == audience.pk
    assert "Looked up within the last hour" in again.known
    assert tell(newer)[0] == ("For VPs", "not_in_audience", [True, True, None])
    assert "newer than that are not known yet" in newer.known


def audience_of(campaign) -> list[dict[str, object]]:
    campaign.refresh_from_db()
    return list(campaign.audience)


def test_what_is_kept_holds_neither_address_nor_record_and_is_in_no_tally(sender, audience):
    explain(sender, ANNA, Outreach(RECORD))

    kept = KnownRecipient.objects.get(domain=sender.domain)

    assert kept.recipient_key == key_of(sender.domain, ANNA)
    assert list(kept.conditions.values()) == [True, True]
    assert kept.verdicts[str(audience.pk)][1] is True
    assert kept.is_tallied
    assert "VP" not in str(KnownRecipient.objects.values().get())


def test_a_look_up_by_a_person_serves_the_gateways_decision_of_that_hour(sender, audience, domain):
    explain(sender, ANNA, Outreach(RECORD))

    assert get_cached(domain, ANNA).matched == {audience.pk}


def test_a_look_up_that_fails_is_said_and_the_default_shows(sender, audience):
    failure = Unreachable("Outreach did not answer in time.")
    failure.has_left = True
    outreach = Outreach(failure)

    explanation = explain(sender, ANNA, outreach)
    again = explain(sender, ANNA, outreach)

    assert explanation.banner.name == "Banner For all"
    assert "Outreach did not answer in time." in explanation.known
    assert tell(explanation)[0] == ("For VPs", "not_in_audience", [None, None])
    assert outreach.asked == [ANNA]
    assert again.banner.name == "Banner For all"


def test_without_the_permission_nobody_is_asked_and_that_is_said(sender, audience):
    outreach = Outreach(RECORD)

    explanation = explain(sender, ANNA, outreach, why_not_asked="The permission is switched off here.")

    assert explanation.known == "Not looked up: The permission is switched off here."
    assert outreach.asked == []


def test_audiences_of_domains_and_lists_need_no_look_up(sender, domain, audience):
    set_audience(
        audience, [{"attribute": "email_domain", "operator": "is", "values": ["globex.example"]}], by_label=BY
    )
    outreach = Outreach(RECORD)

    assert explain(sender, ANNA, outreach).campaign_id == audience.pk
    assert explain(sender, "ben@initech.example", outreach).campaign_id != audience.pk
    assert outreach.asked == []


def test_before_and_after_its_time_a_campaign_stands_aside_and_says_when(sender, audience):
    before = explain(sender, "", Outreach(None), at=START - timedelta(seconds=1))
    after = explain(sender, "", Outreach(None), at=START + timedelta(days=30))

    assert [one.verdict.why for one in before.told] == ["not_yet", "not_yet"]
    assert [one.verdict.sentence for one in after.told] == ["It ended on 31 March 2027, 08:00 UTC."] * 2
    assert (before.banner, before.image, after.banner) == (None, None, None)


def test_a_cap_counts_what_was_decided_before_that_moment(sender, audience, domain):
    everybody = domain.campaigns.get(name="For all")
    everybody.cap_times, everybody.cap_days = 1, 7
    everybody.save()
    Decision.objects.create(
        domain=domain, sender=sender, campaign=everybody, recipient_key=key_of(domain, ANNA), way="api", at=AT
    )

    def why(at) -> str:
        return explain(sender, ANNA, Outreach(None), at=at).told[1].verdict.why

    assert why(AT - timedelta(minutes=1)) == "chosen"
    assert why(AT + timedelta(minutes=1)) == "capped"
    assert why(AT + timedelta(days=7, minutes=1)) == "chosen"
    assert len(explain(sender, ANNA, Outreach(None), at=AT + timedelta(minutes=1)).recorded) == 1
