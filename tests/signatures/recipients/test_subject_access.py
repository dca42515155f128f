"""What is kept of recipients: shown, taken along, erased, and gone when its time is over."""

from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from integrations.models import LedgerEntry
from signatures import tasks
from signatures.audiences.pseudonyms import key_of
from signatures.decisions.decide import decide
from signatures.models import (
    AudienceTally,
    BannerEvent,
    BannerPlace,
    Campaign,
    Decision,
    KnownRecipient,
    RecipientList,
    RecipientPrivacy,
)
from signatures.recipients.facts import get_facts
from signatures.recipients.match_counts import tally_audiences
from signatures.recipients.retention import get_removable, remove_expired, remove_old_decisions
from signatures.recipients.subject_access import erase, get_kept

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("look_ups_end")]

KIM, LEE = "kim@partner.example", "lee@partner.example"


@pytest.fixture
def kept(domain, place, sender, campaign):
    """Kim and Lee each got a banner, and are on a list."""
    chosen = campaign("Partners", ("email_domain", "is", ["partner.example"]))
    listed = RecipientList.objects.create(domain=domain, name="Guests")
    for address in (KIM, LEE):
        decided = decide(domain, sender, address, way=Decision.Way.API, at=timezone.now())
        listed.entries.create(value=key_of(domain, address))
        BannerEvent.objects.create(
            domain=domain, at=timezone.now(), kind="image", decision_id=decided.banner.decision_id
        )
    listed.entries.create(value="partner.example")
    return chosen


def test_what_is_kept_about_one_recipient_is_exported_without_anybodys_address(domain, kept):
    said = StringIO()

    call_command("exportrecipient", KIM.upper(), domain=domain.name, stdout=said)

    exported = json.loads(said.getvalue())
    [decision] = exported.pop("decisions")
    assert decision.pop("at").endswith("Z")
    assert decision == {
        "way": "api",
        "sender": "maria@acme.example",
        "campaign": "Partners",
        "banner": "Partners banner",
    }
    assert exported.pop("audiences_known_until")
    assert exported == {
        "domain": domain.name,
        "recipient": key_of(domain, KIM),
        "lists": ["Guests"],
        "audiences": {"Partners": True},
    }
    assert "kim" not in said.getvalue().lower()


def test_erasing_one_recipient_leaves_nothing_of_them_and_everything_of_the_others(domain, kept):
    before = {model: model.objects.count() for model in (Decision, KnownRecipient, BannerEvent)}
    kims = get_kept(domain, KIM).decisions[0].pk

    erased = erase(domain, KIM, actor="dana@acme.example")

    assert (erased.decisions, erased.list_entries, erased.known) == (1, 1, 1)
    assert get_kept(domain, KIM).is_nothing
    assert len(get_kept(domain, LEE).decisions) == 1
    assert [one.name for one in get_kept(domain, LEE).lists] == ["Guests"]
    assert RecipientList.objects.get().entries.filter(value="partner.example").exists()
    assert Decision.objects.count() == before[Decision] - 1
    assert BannerEvent.objects.count() == before[BannerEvent]
    assert not BannerEvent.objects.filter(decision_id=kims).exists()
    entry = LedgerEntry.objects.get(action="recipient erased")
    assert (entry.object_ref, entry.actor_label) == (key_of(domain, KIM)[:16], "dana@acme.example")
    assert "kim" not in str(LedgerEntry.objects.values().get(pk=entry.pk))


def test_forgetting_by_command_says_what_went_and_a_dry_run_erases_nothing(domain, kept):
    said = StringIO()
    call_command("forgetrecipient", KIM, domain=domain.name, dry_run=True, stdout=said)
    assert not get_kept(domain, KIM).is_nothing

    call_command("forgetrecipient", KIM, domain=domain.name, stdout=said)

    assert get_kept(domain, KIM).is_nothing
    assert said.getvalue().splitlines() == [
        "1 decisions and 1 list entries would be erased.",
        "1 decisions and 1 list entries erased.",
    ]


@pytest.mark.parametrize("command", ["forgetrecipient", "exportrecipient"])
def test_a_domain_or_an_address_that_is_none_is_said(domain, command):
    with pytest.raises(CommandError, match="no domain"):
        call_command(command, KIM, domain="nowhere.example")
    with pytest.raises(CommandError, match="not an e-mail address"):
        call_command(command, "kim", domain=domain.name)


def test_decisions_go_when_their_domains_days_are_over(domain, kept, other_domain):
    RecipientPrivacy.objects.filter(domain=domain).update(decision_days=10)
    RecipientPrivacy.objects.create(domain=other_domain, decision_days=40)
    old = timezone.now() - timedelta(days=11)
    Decision.objects.filter(recipient_key=key_of(domain, KIM)).update(at=old)
    theirs = Decision.objects.create(domain=other_domain, recipient_key="k", way="api", at=old)
    assert get_removable(domain, decision_days=10, event_days=90).decisions == 1

    assert remove_old_decisions(batch_size=1) == 1

    assert set(Decision.objects.values_list("recipient_key", flat=True)) == {key_of(domain, LEE), "k"}
    assert Decision.objects.filter(pk=theirs.pk).exists()


def test_look_ups_are_counted_once_for_the_audience_they_were_asked_about(domain, campaign):
    matched = campaign("Partners", ("email_domain", "is", ["partner.example"]))
    changed = campaign("Others", ("email_domain", "is", ["elsewhere.example"]))
    get_facts(domain, KIM, within=1)
    get_facts(domain, "x@elsewhere.example", within=1)
    KnownRecipient.objects.update(is_tallied=False)
    Campaign.objects.filter(pk=changed.pk).update(audience=[])
    BannerPlace.objects.touch(domain)

    assert (tally_audiences(), tally_audiences()) == (2, 0)

    tally = AudienceTally.objects.get()
    assert (tally.campaign, tally.looked_up, tally.matched) == (matched, 2, 1)
    assert tally.last_matched_at is not None


def test_what_is_known_of_a_recipient_goes_after_its_hour_once_it_was_counted(domain, campaign):
    campaign("Partners", ("email_domain", "is", ["partner.example"]))
    for address in (KIM, LEE, "x@elsewhere.example"):
        get_facts(domain, address, within=1)
    past = timezone.now() - timedelta(minutes=1)
    KnownRecipient.objects.exclude(recipient_key=key_of(domain, LEE)).update(expires_at=past)
    KnownRecipient.objects.filter(recipient_key=key_of(domain, KIM)).update(is_tallied=False)

    assert remove_expired() == 1
    tasks.tally_audiences()

    assert KnownRecipient.objects.get().recipient_key == key_of(domain, LEE)
