"""Recipient merge variable: tests and turns on the variable that Outreach replaces with the recipient's address.

Outreach's documentation does not say that it replaces variables in signatures. So it is off until a test mail
showed an address, or until a person confirms it without a test by typing the domain's name.
"""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import unquote

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from integrations.ledger.record import record_act
from portal.models import Domain
from signatures.audiences.mail_addresses import is_address
from signatures.models import BannerPlace, RecipientPrivacy, VariableTest
from signatures.rendering.banner_links import is_variable

TEST_LIFE = timedelta(days=7)


class VariableRefused(Exception):
    """The variable cannot be turned on; the message says why, to a person."""


def start_test(domain: Domain, variable: str, *, actor: str) -> VariableTest:
    """Start a test of this variable, replacing an earlier one; it waits for its image to be requested.

    Raises: VariableRefused for what cannot be a variable.
    """
    _check(variable)
    with transaction.atomic():
        VariableTest.objects.filter(domain=domain).delete()
        test = VariableTest.objects.create(domain=domain, variable=variable, started_by_label=actor)
        record_act("variable test started", domain=domain, actor_label=actor, detail=variable)
    return test


def get_snippet(test: VariableTest) -> SafeString:
    """Return the markup for a test mail; its image is one empty pixel."""
    return format_html(
        '<img src="{}/t/{}.png?r={}" width="1" height="1" alt="">',
        settings.PUBLIC_URL,
        test.key,
        test.variable,
    )


def note_arrival(key: str, query: str) -> None:
    """Store what Outreach put in place of the variable in the test with this key; addresses are masked.

    An address once noted stays, also when a bot requests the image with the variable unreplaced afterwards.
    """
    tests = VariableTest.objects.filter(key=key, started_at__gt=timezone.now() - TEST_LIFE)
    test = tests.exclude(outcome=VariableTest.Outcome.EXPANDED).first()
    if test is None:
        return
    value = unquote(query.partition("r=")[2].partition("&")[0], errors="replace")
    if is_address(value) and not set("{}%$") & set(value):
        outcome, masked = VariableTest.Outcome.EXPANDED, mask(value)
    elif value == test.variable:
        outcome, masked = VariableTest.Outcome.UNEXPANDED, ""
    else:
        outcome, masked = VariableTest.Outcome.OTHER, ""
    tests.exclude(outcome=VariableTest.Outcome.EXPANDED).update(
        outcome=outcome, masked=masked, arrived_at=timezone.now()
    )


def mask(address: str) -> str:
    """Return a masked address, such as k…@p….example."""
    local, _, domain = address.strip().rpartition("@")
    first, _, rest = domain.rpartition(".")
    return f"{local[:1]}…@{first[:1]}….{rest[:20]}" if first else f"{local[:1]}…@{domain[:1]}…"


def turn_on(domain: Domain, variable: str, *, typed: str = "", actor: str) -> None:
    """Turn the variable on, for what is published from now on.

    typed: the domain's name, for a person who turns it on without a test that showed an address.
    Raises: VariableRefused, changing nothing.
    """
    _check(variable)
    test = VariableTest.objects.filter(domain=domain, variable=variable).first()
    is_shown = test is not None and test.outcome == VariableTest.Outcome.EXPANDED
    if not is_shown and typed.strip().lower() != domain.name:
        raise VariableRefused(
            f"No test mail has shown that Outreach replaces {variable}. Start a test, or type {domain.name} "
            "to turn it on without one."
        )
    how = "a test mail showed it" if is_shown else "confirmed without a test"
    _set(domain, variable, actor=actor, detail=f"{variable}, {how}")


def turn_off(domain: Domain, *, actor: str) -> None:
    """Turn the variable off, for what is published from now on."""
    _set(domain, "", actor=actor, detail="off")


def _set(domain: Domain, variable: str, *, actor: str, detail: str) -> None:
    RecipientPrivacy.objects.for_domain(domain, create=True)
    with transaction.atomic():
        if (
            RecipientPrivacy.objects.filter(pk=domain.pk)
            .exclude(recipient_variable=variable)
            .update(recipient_variable=variable)
        ):
            BannerPlace.objects.touch(domain)
            record_act("recipient variable changed", domain=domain, actor_label=actor, detail=detail)


def _check(variable: str) -> None:
    if not is_variable(variable):
        raise VariableRefused(
            "Enter it as in Outreach, without spaces: {{name}}, ${name} or %name%, with letters, digits, "
            "dots and underscores."
        )
