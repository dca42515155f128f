"""Page reads: a page asks once what several of its parts show; whatever changes something asks anew."""

from __future__ import annotations

import pytest
from django.test import RequestFactory

from portal.access import Permission, require
from portal.models import Domain, Membership, Role, User
from portal.page_reads import once_per_page
from signatures.models import Brand


@pytest.fixture
def ask_twice(domain: Domain):
    """Return what a view reads of a domain and of a bystander, both twice, and how often that was read."""
    reader = User.objects.create_user("dana@acme.example", "correct horse battery")
    Membership.objects.create(domain=domain, user=reader, role=Role.OWNER)
    read: list[str] = []

    @once_per_page
    def name(asked: Domain) -> str:
        read.append(asked.name)
        return asked.name

    @require(Permission.VIEW)
    def view(request, found: Domain, other: Domain):
        return [name(found), name(found), name(other), name(other)]

    def ask(method: str, other: Domain) -> list[str]:
        request = getattr(RequestFactory(), method)("/")
        request.user = reader
        assert view(request, domain.name, other) == [domain.name] * 2 + [other.name] * 2
        answer = [*read]
        read.clear()
        return answer

    return ask


def test_a_page_reads_once_what_it_shows_twice(ask_twice, domain, other_domain):
    assert ask_twice("get", other_domain) == [domain.name] + [other_domain.name] * 2


def test_the_next_page_reads_anew(ask_twice, domain, other_domain):
    ask_twice("get", other_domain)

    assert ask_twice("get", other_domain) == [domain.name] + [other_domain.name] * 2


def test_a_form_that_was_sent_reads_every_time(ask_twice, domain, other_domain):
    assert ask_twice("post", other_domain) == [domain.name] * 2 + [other_domain.name] * 2


def test_a_page_reads_the_rows_of_its_own_domain(domain, other_domain, django_assert_num_queries):
    reader = User.objects.create_user("dana@acme.example", "correct horse battery")
    Membership.objects.create(domain=domain, user=reader, role=Role.OWNER)
    Brand.objects.create(domain=domain, name="Acme")
    Brand.objects.create(domain=other_domain, name="Bystander")
    request = RequestFactory().get("/")
    request.user = reader

    with django_assert_num_queries(1):
        shown = require(Permission.VIEW)(lambda request, found: found.brand.name)(request, domain.name)

    assert shown == "Acme"
