"""Domains and their members in the admin: made, changed, ended, and never without an owner."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from integrations.models import LedgerEntry
from portal.models import Domain, Membership, Role, User


def inline(*rows: dict[str, Any], initial: int = 0) -> dict[str, Any]:
    """Return the members' rows of a domain's page as a browser sends them."""
    sent: dict[str, Any] = {"memberships-TOTAL_FORMS": len(rows), "memberships-INITIAL_FORMS": initial}
    for number, row in enumerate(rows):
        sent |= {f"memberships-{number}-{name}": value for name, value in row.items()}
    return sent


def get_acts(domain: Domain) -> list[tuple[str, str, str]]:
    rows = LedgerEntry.objects.filter(domain=domain).order_by("pk")
    return list(rows.values_list("action", "actor_label", "detail"))


def test_an_operator_makes_a_domain_with_its_owner(
    staff: Client, make_member: Any, other_domain: Domain
) -> None:
    person = make_member(other_domain, Role.EDITOR, "dana@acme.example")

    answer = staff.post(
        "/admin/portal/domain/add/",
        {"name": "acme.example", "time_zone": "Europe/London", "automatic_sync": "on"}
        | inline({"user": person.pk, "role": "owner"}),
    )

    made = Domain.objects.get(name="acme.example")
    assert answer.status_code == 302
    assert (made.time_zone, made.automatic_sync, made.automatic_delivery) == ("Europe/London", True, False)
    assert list(made.memberships.values_list("user__email", "role")) == [("dana@acme.example", "owner")]
    assert get_acts(made) == [
        ("domain made", "operator@portal.example", ""),
        ("member added", "operator@portal.example", "dana@acme.example as owner"),
    ]
    assert get_acts(other_domain) == []


def test_a_domain_keeps_its_name_and_its_switches_are_changed(
    staff: Client, domain: Domain, other_domain: Domain
) -> None:
    staff.post(
        f"/admin/portal/domain/{domain.pk}/change/", {"name": "taken.example", "time_zone": "UTC"} | inline()
    )

    domain.refresh_from_db()
    assert (domain.name, domain.automatic_sync, domain.automatic_delivery) == ("acme.example", False, False)
    assert get_acts(domain) == [
        ("settings changed", "operator@portal.example", "automatic_sync: False, automatic_delivery: False")
    ]
    other_domain.refresh_from_db()
    assert (other_domain.automatic_sync, other_domain.automatic_delivery) == (True, True)


def test_members_are_changed_on_the_domains_page(
    staff: Client, domain: Domain, owner: User, make_member: Any
) -> None:
    editor = make_member(domain, Role.EDITOR)
    auditor = make_member(domain, Role.AUDITOR)
    rows = {m.user_id: m.pk for m in domain.memberships.all()}

    answer = staff.post(
        f"/admin/portal/domain/{domain.pk}/change/",
        {"time_zone": "UTC", "automatic_sync": "on", "automatic_delivery": "on"}
        | inline(
            {"id": rows[auditor.pk], "user": auditor.pk, "role": "auditor", "DELETE": "on"},
            {"id": rows[editor.pk], "user": editor.pk, "role": "admin"},
            {"id": rows[owner.pk], "user": owner.pk, "role": "owner"},
            initial=3,
        ),
    )

    assert answer.status_code == 302
    assert set(domain.memberships.values_list("user__email", "role")) == {
        (owner.email, "owner"),
        (editor.email, "admin"),
    }
    assert {act for act, _, _ in get_acts(domain)} == {"role changed", "member removed"}
    assert ("role changed", "operator@portal.example", f"{editor.email} from editor to admin") in get_acts(
        domain
    )


@pytest.mark.parametrize("change", [{"role": "editor"}, {"role": "owner", "DELETE": "on"}])
def test_the_last_owner_is_not_unmade_on_the_domains_page(
    staff: Client, domain: Domain, owner: User, change: dict[str, str]
) -> None:
    pk = domain.memberships.get().pk

    answer = staff.post(
        f"/admin/portal/domain/{domain.pk}/change/",
        {"time_zone": "UTC"} | inline({"id": pk, "user": owner.pk} | change, initial=1),
    )

    assert "would have no owner left" in answer.content.decode()
    assert domain.memberships.get().role == Role.OWNER
    assert get_acts(domain) == []


def test_ownership_is_handed_over_in_one_go(
    staff: Client, domain: Domain, owner: User, make_member: Any
) -> None:
    heir = make_member(domain, Role.ADMIN)
    rows = {m.user_id: m.pk for m in domain.memberships.all()}

    staff.post(
        f"/admin/portal/domain/{domain.pk}/change/",
        {"time_zone": "UTC", "automatic_sync": "on", "automatic_delivery": "on"}
        | inline(
            {"id": rows[heir.pk], "user": heir.pk, "role": "owner"},
            {"id": rows[owner.pk], "user": owner.pk, "role": "editor"},
            initial=2,
        ),
    )

    assert dict(domain.memberships.values_list("user__email", "role")) == {
        heir.email: "owner",
        owner.email: "editor",
    }


def test_the_last_owner_is_not_unmade_on_the_memberships_page(
    staff: Client, domain: Domain, owner: User
) -> None:
    pk = domain.memberships.get().pk

    changed = staff.post(f"/admin/portal/membership/{pk}/change/", {"role": "editor"})
    deleted = staff.post(f"/admin/portal/membership/{pk}/delete/", {"post": "yes"})

    assert "would have no owner left" in changed.content.decode()
    assert deleted.status_code == 403
    assert domain.memberships.get().role == Role.OWNER


def test_a_membership_is_added_changed_and_ended(
    staff: Client, domain: Domain, owner: User, other_domain: Domain, make_member: Any
) -> None:
    person = make_member(other_domain, Role.OWNER, "kim@acme.example")

    staff.post("/admin/portal/membership/add/", {"domain": domain.pk, "user": person.pk, "role": "editor"})
    made = Membership.objects.get(domain=domain, user=person)
    staff.post(f"/admin/portal/membership/{made.pk}/change/", {"role": "auditor"})
    staff.post(f"/admin/portal/membership/{made.pk}/delete/", {"post": "yes"})

    by = "operator@portal.example"
    assert get_acts(domain) == [
        ("member added", by, "kim@acme.example as editor"),
        ("role changed", by, "kim@acme.example from editor to auditor"),
        ("member removed", by, "kim@acme.example"),
    ]
    assert list(domain.memberships.values_list("user__email", flat=True)) == [owner.email]
    assert other_domain.memberships.get().role == Role.OWNER


def test_people_are_found_by_typing(staff: Client, owner: User) -> None:
    answer = staff.get(
        "/admin/autocomplete/",
        {"app_label": "portal", "model_name": "membership", "field_name": "user", "term": "owner@acme"},
    )

    assert [one["id"] for one in answer.json()["results"]] == [str(owner.pk)]
