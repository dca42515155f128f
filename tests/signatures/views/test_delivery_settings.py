"""How a domain's signatures are delivered is set by its owners on one page, explained, and by nobody else."""

from __future__ import annotations

from datetime import time
from html import unescape
from typing import Any

import pytest
from django.test import Client

from integrations.models import LedgerEntry
from signatures.delivery.stages import get_rollout
from signatures.models import DeliverySettings, Group

PAGE = "/domains/acme.example/delivery-settings/"
SETTINGS = {
    "stages": "3 30",
    "stage_pause_minutes": "",
    "refusal_limit": "1",
    "drift_limit": "0",
    "quiet_from": "20:00",
    "quiet_until": "06:30",
    "writes_per_hour": "600",
    "automatic_cap_percent": "25",
    "live_fields": ["sender.mobile"],
}


def test_the_settings_apply_to_this_domain_alone_and_are_on_record(company, bystander, admin: Client):
    theirs = DeliverySettings.objects.for_domain(bystander.domain, create=True)

    response = admin.post(PAGE, SETTINGS)

    assert (response.status_code, response["Location"]) == (302, PAGE)
    ours = DeliverySettings.objects.get(domain=company.domain)
    assert (ours.stages, ours.stage_pause_minutes, ours.refusal_limit, ours.drift_limit) == (
        [3, 30, None],
        None,
        1,
        0,
    )
    assert (ours.quiet_from, ours.quiet_until, ours.writes_per_hour) == (time(20), time(6, 30), 600)
    assert (ours.automatic_cap_percent, ours.live_fields) == (25, ["sender.mobile"])
    assert get_rollout(company.domain).sizes == (3, 30, None)
    assert get_rollout(bystander.domain).sizes == (5, 50, None)
    theirs.refresh_from_db()
    assert (theirs.quiet_from, theirs.automatic_cap_percent) == (None, 10)
    entry = LedgerEntry.objects.get(action="delivery settings changed")
    assert (entry.domain, entry.actor_label) == (company.domain, "admin@acme.example")
    assert "stages: [3, 30, None]" in entry.detail and "quiet_from: 20:00:00" in entry.detail


def test_every_setting_says_what_it_does_and_saving_again_changes_nothing(company, admin: Client):
    admin.post(PAGE, SETTINGS)

    response = admin.get(PAGE)
    admin.post(PAGE, SETTINGS)

    form = response.context["form"]
    assert [field.name for field in form if not field.help_text] == []
    page = unescape(response.content.decode())
    assert [field.name for field in form if str(field.help_text) not in page] == []
    assert 'value="3, 30"' in page
    assert LedgerEntry.objects.filter(action="delivery settings changed").count() == 1


def test_no_stages_mean_one_go(company, admin: Client):
    admin.post(PAGE, SETTINGS | {"stages": ""})

    assert DeliverySettings.objects.get().stages == [None]
    assert admin.get(PAGE).context["form"].initial["stages"] == ""


@pytest.mark.parametrize(
    ("wrong", "field", "says"),
    [
        ({"stages": "5, all"}, "stages", "numbers above 0"),
        ({"stages": "0"}, "stages", "numbers above 0"),
        ({"stages": "1 2 3 4 5 6 7 8"}, "stages", "up to 7"),
        ({"stages": "99999999"}, "stages", "numbers above 0"),
        ({"stage_pause_minutes": "20000"}, "stage_pause_minutes", "10080"),
        ({"refusal_limit": ""}, "refusal_limit", "required"),
        ({"automatic_cap_percent": "101"}, "automatic_cap_percent", "100"),
        ({"automatic_cap_percent": "0"}, "automatic_cap_percent", "1"),
        ({"quiet_until": ""}, "quiet_until", "both times"),
        ({"quiet_until": "20:00"}, "quiet_until", "other than"),
        ({"quiet_from": "late"}, "quiet_from", "valid time"),
        ({"writes_per_hour": "0"}, "writes_per_hour", "1"),
        ({"live_fields": ["company.name"]}, "live_fields", "company.name"),
    ],
)
def test_what_cannot_be_followed_is_told_at_its_field_and_kept(
    company, admin: Client, wrong: dict[str, Any], field: str, says: str
):
    response = admin.post(PAGE, SETTINGS | wrong)

    assert response.status_code == 422
    errors = response.context["form"].errors
    assert list(errors) == [field] and says in errors[field][0]
    assert response.context["form"]["writes_per_hour"].value() == (SETTINGS | wrong)["writes_per_hour"]
    assert DeliverySettings.objects.get().stages == [5, 50, None]


@pytest.mark.parametrize("role", ["editor", "auditor", "approver"])
def test_others_read_the_settings_and_change_none(company, login, role: str):
    client = login(role)

    page = client.get(PAGE)

    assert page.status_code == 200
    assert all(field.field.disabled for field in page.context["form"])
    assert b"Save delivery settings" not in page.content
    assert client.post(PAGE, SETTINGS).status_code == 403
    assert not DeliverySettings.objects.exists()


def test_a_group_says_when_its_new_values_go(company, bystander, admin: Client, editor: Client):
    ours = company.add("Ana Silva", teams=("Sales",)).group
    company.add("Tom Reed", teams=("Support",))
    others = Group.objects.exclude(pk=ours.pk)
    address = f"/domains/acme.example/groups/{ours.pk}/automatic/"

    assert editor.post(address, {"automatic": "approval"}).status_code == 403
    refused = admin.post(address, {"automatic": "daily"}, follow=True)
    assert "Enter the time of day at which new values go. Nothing was saved." in refused.content.decode()
    assert set(Group.objects.values_list("automatic", flat=True)) == {"at_once"}

    admin.post(address, {"automatic": "daily", "automatic_at": "06:30"})

    ours.refresh_from_db()
    assert (ours.automatic, ours.automatic_at) == ("daily", time(6, 30))
    assert set(others.values_list("automatic", flat=True)) == {"at_once"}
    entry = LedgerEntry.objects.get(action="automatic policy changed")
    assert (entry.object_ref, entry.detail) == (ours.name, "At a time of day, 06:30")
