"""Recipient lists: files as they come, lines that cannot be read, and addresses that nobody can read back."""

from __future__ import annotations

from io import BytesIO

import pytest

from integrations.models import LedgerEntry
from signatures.campaign_editing import set_audience
from signatures.models import RecipientList, RecipientListEntry
from signatures.recipient_files import BadLine, Entry, FileRefused, check_file, read_entries
from signatures.recipient_lists import ListRefused, delete_list, save_list
from signatures.recipients import get_lists_holding, key_of

from .conftest import BY, make_campaign


def read(content: bytes) -> list[Entry | BadLine]:
    return list(read_entries(BytesIO(content)))


def values(content: bytes) -> list[str]:
    return [one.value for one in read(content) if isinstance(one, Entry)]


@pytest.mark.parametrize(
    "content",
    [
        b"acme.example\nanna@globex.example\n",
        b"acme.example\r\nanna@globex.example",
        b"\xef\xbb\xbfemail\nacme.example\nanna@globex.example\n",
        "Name,E-Mail,City\nAcme,ACME.example,Köln\nAnna,Anna@Globex.example,Köln\n".encode(),
        "Name;Email;City\nAcme;acme.example;Köln\n;anna@globex.example;\n".encode("latin-1"),
        b"Name\tDomain\nAcme\t@acme.example\nAnna\tmailto:anna@globex.example\n",
        b'"Company","Email address"\n"Acme, Inc.","acme.example"\n"Two\nlines","anna@globex.example"\n',
        "email\nacme.example\nanna@globex.example\n".encode("utf-16"),
        b"\n\nAcme,acme.example\n,,\nAnna,anna@globex.example\n\n",
        b"email\n acme.example \n anna@globex.example\n\x00\n",
    ],
)
def test_a_file_is_read_as_programs_write_it(content):
    assert values(content) == ["acme.example", "anna@globex.example"]


def test_a_domain_outside_ascii_is_kept_as_mail_carries_it():
    assert values("bücher.example\ninfo@bücher.example".encode()) == [
        "xn--bcher-kva.example",
        "info@xn--bcher-kva.example",
    ]


def test_lines_that_are_neither_are_named_by_their_number():
    content = b'email,name\nanna@globex.example,Anna\nnobody,Ben\n,Cleo\nacme.example,Acme\n"x\ny",Dan\n'

    with pytest.raises(FileRefused) as refused:
        check_file(BytesIO(content))

    assert refused.value.message == "Nothing was taken in: 3 lines are neither a mail domain nor an address."
    assert [(line.number, line.reason) for line in refused.value.bad_lines] == [
        (3, "Line 3 is neither a mail domain nor an address."),
        (4, "Line 4 is empty."),
        (7, "Line 7 is neither a mail domain nor an address."),
    ]


def test_of_many_bad_lines_the_first_are_named_and_all_are_counted():
    with pytest.raises(FileRefused, match="500 lines are neither") as refused:
        check_file(BytesIO(b"email\n" + b"nobody\n" * 500))

    assert [line.number for line in refused.value.bad_lines] == list(range(2, 22))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no mail domain and no address"),
        (b"email\n", "no mail domain and no address"),
        (b"name,city\nAnna,Berlin\n", "The first line has neither a heading"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "The first line has neither a heading"),
        (b"email\n" + b'"' + b"a" * 200_000 + b'"\n', "Line 2 cannot be read as CSV"),
    ],
)
def test_what_is_no_such_file_is_refused_in_words(content, words):
    with pytest.raises(FileRefused, match=words):
        check_file(BytesIO(content))


def test_a_list_longer_than_a_list_may_be_is_refused(monkeypatch):
    monkeypatch.setattr("signatures.recipient_files.MAX_ENTRIES", 3)

    with pytest.raises(FileRefused, match="at most 3 entries"):
        check_file(BytesIO(b"a.example\nb.example\nc.example\nd.example\n"))


def test_addresses_are_kept_as_digests_and_found_by_them(domain, other_domain):
    file = BytesIO(b"email\nAnna@Globex.example\nanna@globex.example\nacme.example\n")

    saved, count = save_list(domain, file, name="Partners", by_label=BY)

    assert count == 2
    assert set(saved.entries.values_list("value", flat=True)) == {
        key_of(domain, "anna@globex.example"),
        "acme.example",
    }
    assert get_lists_holding(domain, "ANNA@globex.example") == {str(saved.pk)}
    assert get_lists_holding(domain, "ben@acme.example") == {str(saved.pk)}
    assert get_lists_holding(domain, "ben@globex.example") == set()
    assert get_lists_holding(other_domain, "anna@globex.example") == set()
    entry = LedgerEntry.objects.get(domain=domain)
    assert (entry.action, entry.detail) == ("recipient list made", "Partners: 2 entries")


def test_many_lines_are_taken_in_in_batches(domain, django_assert_max_num_queries):
    lines = 10_000

    with django_assert_max_num_queries(60):  # never one for each line
        _, count = save_list(
            domain,
            BytesIO(b"email\n" + b"".join(b"reader%d@a.example\n" % number for number in range(lines))),
            name="All",
            by_label=BY,
        )

    assert count == lines


def test_a_replaced_list_holds_what_the_new_file_says_and_a_bad_file_replaces_nothing(domain):
    saved, _ = save_list(domain, BytesIO(b"old.example\nkept.example\n"), name="Partners", by_label=BY)
    bystander, _ = save_list(domain, BytesIO(b"old.example\n"), name="Others", by_label=BY)

    with pytest.raises(FileRefused):
        save_list(domain, BytesIO(b"new.example\nnobody\n"), name="Renamed", by_label=BY, present=saved)
    saved.refresh_from_db()
    assert (saved.name, saved.entries.count()) == ("Partners", 2)
    save_list(domain, BytesIO(b"kept.example\nnew.example\n"), name="Renamed", by_label=BY, present=saved)

    saved.refresh_from_db()
    assert saved.name == "Renamed"
    assert set(saved.entries.values_list("value", flat=True)) == {"kept.example", "new.example"}
    assert bystander.entries.count() == 1


def test_a_list_in_use_is_not_deleted_and_the_campaign_is_named(domain):
    saved, _ = save_list(domain, BytesIO(b"a.example\n"), name="Partners", by_label=BY)
    campaign = make_campaign(domain)
    set_audience(campaign, [{"attribute": "list", "operator": "is", "values": [str(saved.pk)]}], by_label=BY)

    with pytest.raises(ListRefused, match="“Partners” is in the audience of “Spring”"):
        delete_list(saved, by_label=BY)
    assert saved.entries.count() == 1
    set_audience(campaign, [], by_label=BY)
    delete_list(saved, by_label=BY)

    assert not RecipientList.objects.exists()
    assert not RecipientListEntry.objects.exists()
