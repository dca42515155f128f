"""Secrets at rest: sealed to their row, opened with the right key, and never half-opened."""

from __future__ import annotations

import base64

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured
from hypothesis import given
from hypothesis import strategies as st

from integrations.connection.lifecycle import check_connection
from integrations.crypto.sealing import Unsealable, get_keyring, open_sealed, reseal, seal
from integrations.errors import ClientMisconfigured
from integrations.models import Connection, ConnectionState
from integrations.sync.one_person import read_mailboxes
from tests.support.connections import get_values
from tests.support.page_text import words_of

OTHER_KEY = base64.urlsafe_b64encode(b"another key of thirty-two bytes!").decode()


def read_one(connection):
    read_mailboxes(connection, "1", job="test")


@given(
    text=st.text(alphabet=st.characters(exclude_categories=["Cs"])),
    place=st.from_regex(r"[^\n]{1,80}", fullmatch=True),
)
def test_what_was_sealed_opens_for_its_place_alone(text, place):
    place = place.encode("utf-8", "replace").decode()

    assert open_sealed(seal(text, bound_to=place), bound_to=place) == text
    with pytest.raises(Unsealable):
        open_sealed(seal(text, bound_to=place), bound_to=place + "x")


def test_the_same_secret_is_never_sealed_twice_alike():
    assert seal("secret", bound_to="row") != seal("secret", bound_to="row")


@pytest.mark.parametrize("place", range(0, 140, 7))
def test_a_sealed_text_with_one_character_changed_does_not_open(place):
    sealed = seal("secret", bound_to="row")
    place %= len(sealed) - 3
    changed = sealed[:place] + ("A" if sealed[place] != "A" else "B") + sealed[place + 1 :]

    with pytest.raises(Unsealable):
        open_sealed(changed, bound_to="row")


@pytest.mark.parametrize("broken", ["", "x", "plain-text-token", "gAAAAA", "é"])
def test_what_was_never_sealed_does_not_open(broken):
    with pytest.raises(Unsealable):
        open_sealed(broken, bound_to="row")
    with pytest.raises(Unsealable):
        reseal(broken)


@pytest.mark.parametrize("keys", [[], ["short"], [OTHER_KEY, "not base64 at all!"]])
def test_a_keyring_that_is_none_is_refused_by_name(settings, keys):
    settings.TOKEN_KEYS = keys

    with pytest.raises(ImproperlyConfigured, match="TOKEN_KEYS"):
        get_keyring()


def test_the_newest_key_seals_and_older_ones_still_open(settings):
    old = list(settings.TOKEN_KEYS)
    sealed = seal("secret", bound_to="row")

    settings.TOKEN_KEYS = [OTHER_KEY, *old]
    fresh = seal("secret", bound_to="row")

    assert open_sealed(sealed, bound_to="row") == "secret"
    Fernet(OTHER_KEY).decrypt(fresh.encode())
    settings.TOKEN_KEYS = [OTHER_KEY]
    with pytest.raises(Unsealable):
        open_sealed(sealed, bound_to="row")


# ── in a connection's row ────────────────────────────────────────────────────────────────────────


def test_i9_tokens_swapped_between_rows_open_in_neither(sandbox, connection, bystander):
    other = get_values(bystander)
    for column in ("access_sealed", "refresh_sealed"):
        Connection.objects.filter(pk=connection.pk).update(**{column: other[column]})
    sandbox.requests.clear()

    with pytest.raises(ClientMisconfigured):
        read_one(connection)

    assert sandbox.requests == []
    assert get_values(connection)["state"] == ConnectionState.MISCONFIGURED
    assert get_values(bystander) == other


def test_i9_access_and_refresh_swapped_within_a_row_do_not_open(sandbox, connection):
    before = get_values(connection)
    Connection.objects.filter(pk=connection.pk).update(
        access_sealed=before["refresh_sealed"], refresh_sealed=before["access_sealed"]
    )

    with pytest.raises(ClientMisconfigured):
        read_one(connection)
    assert sandbox.requests == []


def test_i9_a_wrong_key_keeps_the_tokens_and_says_what_to_do(sandbox, connection, settings, client, owner):
    before = get_values(connection)
    right, settings.TOKEN_KEYS = settings.TOKEN_KEYS, [OTHER_KEY]

    with pytest.raises(ClientMisconfigured, match="TOKEN_KEYS"):
        read_one(connection)

    now = get_values(connection)
    assert (now["state"], now["access_sealed"], now["refresh_sealed"]) == (
        ConnectionState.MISCONFIGURED,
        before["access_sealed"],
        before["refresh_sealed"],
    )
    assert sandbox.requests == []
    client.force_login(owner)
    assert "TOKEN_KEYS" in words_of(
        client.get(f"/manage/domains/{connection.domain.name}/integrations/outreach/")
    )

    settings.TOKEN_KEYS = right
    Connection.objects.filter(pk=connection.pk).update(refreshed_at="2026-01-01T00:00:00Z")
    connection.refresh_from_db()
    assert check_connection(connection, actor="test").is_ok
    assert get_values(connection)["state"] == ConnectionState.ACTIVE
