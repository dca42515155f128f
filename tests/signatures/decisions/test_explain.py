"""Why a banner: the choice with every campaign's verdict and each condition's answer, and one look-up an hour."""

from __future__ import annotations

from datetime import timedelta

import pytest

from integrations.connection.lookup_breaker import FAILURES, note_failure
from integrations.models import Connection, LedgerEntry, LookupState, Person
from integrations.outreach.sandbox import Sandbox
from integrations.outreach.sandbox.records import Prospect
from portal.models import Domain
from signatures.audiences.labels import get_names
from signatures.audiences.pseudonyms import key_of
from signatures.campaigns.editing import set_audience, start_campaign
from signatures.campaigns.ruleset import load_ruleset
from signatures.decisions.explain import Explanation, explain_banner
from signatures.models import Decision, KnownRecipient, Sender
from signatures.recipients.facts import get_cached
from tests.support.campaigns import BY, START, add_banner, make_campaign

AT = START + timedelta(hours=1)
ANNA = "anna@globex.example"
NOT_GRANTED = "The permission prospects.read is not granted. Connect again on the Outreach page and allow it."
FIELDS = ["emails", "tags", "title", "trashedAt"]

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("reads_beside_writers", "look_ups_end"),
]


@pytest.fixture(autouse=True)
def anna(sandbox: Sandbox, connection) -> Prospect:
    """A prospect in the audience. How to ask is learnt already, so that each look-up is one request."""
    LookupState.objects.create(connection=connection, how="array and links")
    return sandbox.directory.add_prospect([ANNA], "Anna", "Alm", title="VP Sales", tags=("emea",))


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
        actor=BY,
    )
    everybody = make_campaign(domain, name="For all")
    for campaign in (chosen, everybody):
        add_banner(campaign, f"Banner {campaign.name}")
        start_campaign(campaign, actor=BY)
    return chosen


def explain(sender: Sender, address: str, **given) -> Explanation:
    domain = sender.domain
    options = {"at": AT} | given
    return explain_banner(
        domain, load_ruleset(domain), sender, address, actor=BY, names=get_names(domain), **options
    )


def list_asked(sandbox: Sandbox) -> list[tuple[str, list[str]]]:
    """Return the address and the fields of each look-up that Outreach saw."""
    requests = [request.parameters for request in sandbox.requests.to("/api/v2/prospects")]
    return [(one["filter[emails][]"][0], sorted(one["fields[prospect]"][0].split(","))) for one in requests]


def tell(explanation: Explanation) -> list[tuple[str, str, list[bool | None]]]:
    return [
        (one.verdict.campaign.name, one.verdict.why.value, [answer.holds for answer in one.answers])
        for one in explanation.campaigns
    ]


def test_a_recipient_in_the_audience_sees_its_banner_and_each_condition_says_that_it_holds(
    sender, audience, sandbox
):
    explanation = explain(sender, ANNA)

    assert (explanation.campaign_id, explanation.banner.name) == (audience.pk, "Banner For VPs")
    assert tell(explanation) == [("For VPs", "chosen", [True, True]), ("For all", "outranked", [])]
    assert explanation.known == "Outreach knows this recipient."
    assert explanation.chosen.answers[0].sentence == "Title contains “VP”"
    assert list_asked(sandbox) == [(ANNA, FIELDS)]


def test_one_condition_that_does_not_hold_gives_the_place_to_the_next_campaign(
    sender, audience, anna, sandbox
):
    sandbox.directory.update("prospects", anna.id, tags=("apac",))

    explanation = explain(sender, ANNA)

    assert explanation.banner.name == "Banner For all"
    assert tell(explanation)[0] == ("For VPs", "not_in_audience", [True, False])


def test_where_nobody_is_known_nobody_is_asked_and_conditions_are_not_known(sender, audience, sandbox):
    explanation = explain(sender, "")

    assert tell(explanation)[0] == ("For VPs", "nobody_known", [None, None])
    assert explanation.banner.name == "Banner For all"
    assert list_asked(sandbox) == []


def test_nobody_is_asked_about_twice_within_the_hour_and_a_newer_condition_is_not_known(
    sender, audience, sandbox, anna
):
    explain(sender, ANNA)
    sandbox.directory.update("prospects", anna.id, tags=())

    again = explain(sender, f" {ANNA.upper()}")
    set_audience(
        audience, [*audience_of(audience), {"attribute": "region", "operator": "is_filled"}], actor=BY
    )
    newer = explain(sender, ANNA)

    assert list_asked(sandbox) == [(ANNA, FIELDS)]
    assert again.campaign_id == audience.pk
    assert "Looked up in the last hour" in again.known
    assert tell(newer)[0] == ("For VPs", "not_in_audience", [True, True, None])
    assert "Conditions changed since then are unknown" in newer.known


def audience_of(campaign) -> list[dict[str, object]]:
    campaign.refresh_from_db()
    return list(campaign.audience)


def test_what_is_kept_holds_neither_address_nor_record_and_is_in_no_tally(sender, audience):
    explain(sender, ANNA)

    kept = KnownRecipient.objects.get(domain=sender.domain)

    assert kept.recipient_key == key_of(sender.domain, ANNA)
    assert list(kept.conditions.values()) == [True, True]
    assert kept.verdicts[str(audience.pk)][1] is True
    assert kept.is_tallied
    assert "VP" not in str(KnownRecipient.objects.values().get())


def test_a_look_up_by_a_person_serves_the_gateways_decision_of_that_hour(sender, audience, domain):
    explain(sender, ANNA)

    assert get_cached(domain, ANNA).matched == {audience.pk}


def test_a_look_up_that_fails_is_said_and_the_default_shows(sender, audience, sandbox):
    sandbox.faults.add("status", path="/api/v2/prospects", times=None, status=503)

    explanation = explain(sender, ANNA)
    again = explain(sender, ANNA)

    assert explanation.banner.name == "Banner For all"
    assert "Outreach is not answering." in explanation.known
    assert tell(explanation)[0] == ("For VPs", "not_in_audience", [None, None])
    assert list_asked(sandbox) == [(ANNA, FIELDS)]
    assert again.banner.name == "Banner For all"


def test_a_person_asks_in_their_own_name_and_nobody_where_look_ups_rest(
    sender, audience, connection, sandbox
):
    explain(sender, "ben@initech.example")
    for _ in range(FAILURES):
        note_failure(connection)

    explanation = explain(sender, ANNA)

    [entry] = LedgerEntry.objects.filter(endpoint="find_prospect")
    assert (entry.job, entry.actor_label) == ("why this banner", BY)
    assert "look-ups are suspended" in explanation.known
    assert explanation.banner.name == "Banner For all"
    assert [address for address, _ in list_asked(sandbox)] == ["ben@initech.example"]


def test_without_the_permission_nobody_is_asked_and_that_is_said(sender, audience, connection, sandbox):
    Connection.objects.filter(pk=connection.pk).update(scopes_granted=["users.all"])

    explanation = explain(sender, ANNA)

    assert explanation.known == f"Not looked up: {NOT_GRANTED}"
    assert list_asked(sandbox) == []


def test_audiences_of_domains_and_lists_need_no_look_up(sender, domain, audience, sandbox):
    set_audience(
        audience, [{"attribute": "email_domain", "operator": "is", "values": ["globex.example"]}], actor=BY
    )

    assert explain(sender, ANNA).campaign_id == audience.pk
    assert explain(sender, "ben@initech.example").campaign_id != audience.pk
    assert list_asked(sandbox) == []


def test_before_and_after_its_time_a_campaign_stands_aside_and_says_when(sender, audience):
    before = explain(sender, "", at=START - timedelta(seconds=1))
    after = explain(sender, "", at=START + timedelta(days=30))

    assert [one.verdict.why for one in before.campaigns] == ["not_yet", "not_yet"]
    assert [one.verdict.sentence for one in after.campaigns] == ["Ended on 31 March 2027, 08:00 UTC."] * 2
    assert (before.banner, before.image, after.banner) == (None, None, None)


def test_a_cap_counts_what_was_decided_before_that_moment(sender, audience, domain, anna, sandbox):
    sandbox.directory.prospects.remove(anna.id)
    everybody = domain.campaigns.get(name="For all")
    everybody.cap_times, everybody.cap_days = 1, 7
    everybody.save()
    Decision.objects.create(
        domain=domain, sender=sender, campaign=everybody, recipient_key=key_of(domain, ANNA), way="api", at=AT
    )

    def why(at) -> str:
        return explain(sender, ANNA, at=at).campaigns[1].verdict.why

    assert why(AT - timedelta(minutes=1)) == "chosen"
    assert why(AT + timedelta(minutes=1)) == "capped"
    assert why(AT + timedelta(days=7, minutes=1)) == "chosen"
    assert len(explain(sender, ANNA, at=AT + timedelta(minutes=1)).recorded) == 1
