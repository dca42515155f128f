"""Operators see every domain's media, name and remove them by the portal's rules, and delete none."""

from __future__ import annotations

import pytest
from django.test import Client

from integrations.models import LedgerEntry
from signatures.models import MediaImage
from tests.support.furnished_domain import make_user
from tests.support.media import add_medium
from tests.support.page_text import words_of

LIST = "/admin/signatures/mediaimage/"


@pytest.fixture
def operator(db) -> Client:
    client = Client()
    client.force_login(make_user("operator@people.example", is_staff=True))
    return client


def test_the_list_filters_by_domain_kind_and_name(domain, other_domain, operator):
    add_medium(domain, "Wordmark")
    add_medium(domain, "Smile", kind="icon")
    add_medium(other_domain, "Theirs")

    assert all(name in words_of(operator.get(LIST)) for name in ("Wordmark", "Smile", "Theirs"))
    found = words_of(operator.get(LIST, {"domain": domain.name, "kind": "icon", "q": "mil"}))

    assert "Smile" in found
    assert "Wordmark" not in found
    assert "Theirs" not in found


def test_an_image_is_named_and_removed_by_the_portals_functions(domain, other_domain, operator):
    image, theirs = add_medium(domain), add_medium(other_domain)

    operator.post(f"{LIST}{image.pk}/change/", {"name": "Wordmark", "alt": "Acme", "files-TOTAL_FORMS": 0,
                                                "files-INITIAL_FORMS": 0})  # fmt: skip
    operator.post(LIST, {"action": "remove", "_selected_action": [image.pk]})

    image.refresh_from_db()
    assert (image.name, image.alt) == ("Wordmark", "Acme")
    assert image.removed_at is not None
    assert image.current is not None
    assert MediaImage.objects.get(removed_at=None) == theirs
    acts = LedgerEntry.objects.filter(domain=domain).order_by("id").values_list("action", "actor_label")
    assert list(acts)[1:] == [
        ("medium renamed", "operator@people.example"),
        ("medium removed", "operator@people.example"),
    ]


def test_what_an_image_was_uploaded_as_cannot_be_asked_for(domain, operator):
    add_medium(domain)

    assert operator.get(LIST, {"source__startswith": "x"}).status_code in (302, 400)
    assert operator.post(f"{LIST}{MediaImage.objects.get().pk}/delete/").status_code == 403
