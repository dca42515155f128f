"""Photos of senders whose design shows none: their page says so, and promises no delivery."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from signatures.models import MailboxState, Sender
from tests.support.company import Company
from tests.support.fields import use
from tests.support.media import make_image_file
from tests.support.page_text import words_of
from tests.support.self_service import get_me, sign_in_as, switch_on

WITHOUT = "<p>{{ sender.name }}</p>"
WITH = '<p><img src="{{ sender.photo_url }}" width="72" alt="Photo"></p><p>{{ sender.name }}</p>'
SAYS = "shows no photo."


@pytest.fixture
def priya(company: Company, settings: Any) -> Sender:
    settings.PUBLIC_URL = "https://sign.acme.example"
    switch_on(company.domain)
    return company.add("Priya Raman")


@pytest.fixture
def stranger(bystanders: Company) -> Sender:
    """A sender of another domain, whose design shows a photo."""
    stranger = bystanders.add("Bo Berg", email="bo@bystander.example")
    use(bystanders.domain, WITH)
    bystanders.place(stranger)
    return stranger


def change_photo(client: Client, sender: Sender) -> str:
    """Upload a photo and crop it; return what the sender's page says then."""
    answer = client.post(get_me(sender, "me_photo"), {"photo": make_image_file(size=(400, 300))})
    crop = {"x": 10, "y": 20, "width": 200, "height": 200}
    return words_of(client.post(answer["Location"].partition("#")[0], crop, follow=True))


def test_a_design_without_a_photo_is_named_and_no_delivery_is_promised(company, priya, stranger):
    use(company.domain, WITHOUT)
    company.place(priya)
    client = sign_in_as(priya)
    asked = words_of(client.get(get_me(priya)))

    saved = change_photo(client, priya)

    assert SAYS in asked and "Yours is kept for a design that does." not in asked
    assert f"{SAYS} Yours is kept for a design that does." in saved
    assert "Your mailbox holds your signature already" in saved and "It goes in with" not in saved
    assert dict(MailboxState.objects.values_list("sender__name", "status")) == {
        "Priya Raman": "up_to_date",
        "Bo Berg": "up_to_date",
    }


def test_a_design_with_a_photo_is_delivered_with_it(company, priya, stranger):
    use(company.domain, WITH)
    company.place(priya)

    saved = change_photo(sign_in_as(priya), priya)

    assert SAYS not in saved
    assert "Saved. It goes in with the next delivery." in saved
    assert dict(MailboxState.objects.values_list("sender__name", "status")) == {
        "Priya Raman": "pending",
        "Bo Berg": "up_to_date",
    }
