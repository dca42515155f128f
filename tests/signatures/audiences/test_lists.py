"""Recipient lists: files as they come, lines that cannot be read, and addresses that nobody can read back."""

from __future__ import annotations

from io import BytesIO
from time import process_time

import pytest

from integrations.models import LedgerEntry
from signatures.audiences.list_files import BadLine, Entry, FileRefused, check_file, read_entries
from signatures.audiences.lists import ListRefused, delete_list, get_lists_holding, save_list
from signatures.audiences.pseudonyms import key_of
from signatures.campaigns.editing import set_audience
from signatures.models import RecipientList, RecipientListEntry
from tests.support.campaigns import BY, make_campaign


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


@pytest.mark.parametrize(
    ("content", "entries"),
    [
        # A column of addresses wins, wherever it stands and whatever its heading is called.
        ("Contact.Email,Contact.Name\r\nkim@partner.example,Kim\r\n", ["kim@partner.example"]),
        ("Owner.Name,Contact.Email\r\nAna,kim@partner.example\r\n", ["kim@partner.example"]),
        ("First Name,Last Name,Primary Email\nKim,Lee,kim@partner.example\n", ["kim@partner.example"]),
        ("Website,WorkEmail\npartner.example,kim@partner.example\n", ["kim@partner.example"]),
        ("Firma;Adresse électronique\nPartner;kim@partner.example\n", ["kim@partner.example"]),
        ("Domain;Ansprechpartner\npartner.example;kim@partner.example\n", ["kim@partner.example"]),
        ("E_MAIL|NAME\nkim@partner.example|Kim\n", ["kim@partner.example"]),
        # A web address counts as its host, without “www.”.
        ("Website\r\nwww.partner.example\r\n", ["partner.example"]),
        ("Company,Website\r\nPartner,https://www.partner.example/\r\n", ["partner.example"]),
        ("url\nHTTP://Partner.example:80/a?x#y\n//b.partner.example\n", ["partner.example", "b.partner.example"]),
        ("website\nhttps://user@www.partner.example\nwww.example\n", ["partner.example", "www.example"]),
        ("Account.Website\npartner.example\n", ["partner.example"]),
        # What nobody sees makes no other address.
        ("email\n\u200bkim@partner.example\n", ["kim@partner.example"]),
        ("email\nlee@partner.example\n\ufeffkim@partner.example\n", ["lee@partner.example", "kim@partner.example"]),
        ("email\nkim\u00ad@part\u2060ner.example\u00a0\n", ["kim@partner.example"]),
        ("email\nki\ufe0fm@partner\u034f.example\n", ["kim@partner.example"]),
        ("email\n\u202akim@partner.example\u202c\n", ["kim@partner.example"]),
        ("email\nｋｉｍ＠partner．example\n", ["kim@partner.example"]),
        ("email\nmu\u0308ller@partner.example\n", ["müller@partner.example"]),
        # IDNA 2008.
        ("domain\nstraße.example\n", ["xn--strae-oqa.example"]),
        ("email\nkim@straße.example\n", ["kim@xn--strae-oqa.example"]),
        # As programs write files.
        ("sep=;\r\nName;Email\r\nKim;kim@partner.example\r\n", ["kim@partner.example"]),
        ('"sep=|"\nName|Email\nKim|kim@partner.example\n', ["kim@partner.example"]),
        ('"Name, First, Title";"Email"\r\n"Lee, Kim, Dr.";"kim@partner.example"\r\n', ["kim@partner.example"]),
        ("\ufeff\ufeffemail\r\nkim@partner.example\r\n", ["kim@partner.example"]),
        ("email\rkim@a.example\rlee@b.example\r", ["kim@a.example", "lee@b.example"]),
        ("email\nKim <Kim@Partner.example>\nSMTP:lee@b.example\n", ["kim@partner.example", "lee@b.example"]),
    ],
)  # fmt: skip
def test_a_file_of_real_people_gives_the_entries_that_were_meant(content, entries):
    assert values(content.encode()) == entries


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"])
def test_a_file_is_read_in_each_unicode_encoding_with_its_mark_and_without(encoding):
    assert values("email\nmüller@partner.example\n".encode(encoding)) == ["müller@partner.example"]


def test_letters_of_an_unknown_encoding_make_no_address_of_somebody_else():
    content = "email;name\r\nkim@partner.example;Müller\r\nmüller@partner.example;Müller\r\n"

    assert read(content.encode("cp1252")) == [
        Entry(2, "kim@partner.example"),
        BadLine(3, "Line 3 has letters that can be read in several ways. Save the file as “CSV UTF-8”."),
    ]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"Owner Email,Contact Email\na@x.example,b@y.example\n", "2 columns contain addresses: “Owner Email”"),
        (b"a@x.example,b@y.example\n", "2 columns contain addresses: “column 1”, “column 2”"),
        (b"Kontakt.Post\nkim@partner.example\n", "may be a heading or a domain"),
        (b"contact.email\npartner.example\n", "may be a heading or a domain"),
        (b"email\n" + b"a," * 2_000 + b"\n", "Line 2 has more than 1,000 cells"),
        (b"email\n" + b"a" * 1_100_000, "Line 2 is longer than 1,000,000 characters"),
        (b"email" + b"\n" * 2_000_000, "more than 1,000,000 lines"),
    ],
)  # fmt: skip
def test_what_leaves_open_who_is_meant_or_has_no_end_is_refused_in_words(content, words):
    with pytest.raises(FileRefused, match=words):
        check_file(BytesIO(content))


def test_of_two_columns_of_addresses_the_one_named_plainly_counts():
    assert values(b"Owner Email,Email\nana@acme.example,kim@partner.example\n") == ["kim@partner.example"]


def test_a_domain_before_addresses_without_a_heading_is_an_entry():
    assert values(b"partner.example\nkim@other.example\n") == ["partner.example", "kim@other.example"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("a@" + "é." * 60 + "com", "more than 10,000 lines are neither"),
        ("é." * 120 + "com", "more than 10,000 lines are neither"),
        ("a@" + "ä" * 300 + ".example", "more than 10,000 lines are neither"),
        ("a@" + "ä.é." * 4 + "x{number}.example", "at most 20,000 domains with letters outside ASCII"),
    ],
)
def test_a_file_of_hostile_names_is_refused_before_much_work_is_done(line, words):
    content = "email\n" + "".join(line.format(number=number) + "\n" for number in range(60_000))
    began = process_time()

    with pytest.raises(FileRefused, match=words):
        check_file(BytesIO(content.encode()))

    assert process_time() - began < 30  # some five; without bounds a minute and more


def test_lines_that_are_neither_are_named_by_their_number():
    content = b'email,name\nanna@globex.example,Anna\nnobody,Ben\n,Cleo\nacme.example,Acme\n"x\ny",Dan\n'

    with pytest.raises(FileRefused) as refused:
        check_file(BytesIO(content))

    assert refused.value.message == "Nothing was imported: 3 lines are neither a mail domain nor an address."
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
    monkeypatch.setattr("signatures.audiences.list_files.MAX_ENTRIES", 3)

    with pytest.raises(FileRefused, match="at most 3 entries"):
        check_file(BytesIO(b"a.example\nb.example\nc.example\nd.example\n"))


def test_addresses_are_kept_as_digests_and_found_by_them(domain, other_domain):
    file = BytesIO(b"email\nAnna@Globex.example\nanna@globex.example\nacme.example\n")

    saved, count = save_list(domain, file, name="Partners", actor=BY)

    assert count == 2
    assert set(saved.entries.values_list("value", flat=True)) == {
        key_of(domain, "anna@globex.example"),
        "acme.example",
    }
    assert get_lists_holding(domain, "ANNA@globex.example") == {str(saved.pk)}
    assert get_lists_holding(domain, "ben@acme.example") == {str(saved.pk)}
    assert get_lists_holding(domain, "ben@globex.example") == set()
    assert get_lists_holding(domain, "a\u200bnna@globex.example") == {str(saved.pk)}
    assert get_lists_holding(other_domain, "anna@globex.example") == set()
    entry = LedgerEntry.objects.get(domain=domain)
    assert (entry.action, entry.detail) == ("recipient list made", "Partners: 2 entries")


def test_a_list_names_the_domain_that_mail_is_sent_to_and_nobody_elses(domain):
    saved, _ = save_list(
        domain, BytesIO("domain\nstraße.example\nkim@weiß.example\n".encode()), name="P", actor=BY
    )

    for address in ("ana@straße.example", "ana@xn--strae-oqa.example", "KIM@WEIß.example"):
        assert get_lists_holding(domain, address) == {str(saved.pk)}
    for address in ("ana@strasse.example", "kim@weiss.example"):
        assert get_lists_holding(domain, address) == set()


def test_many_lines_are_taken_in_in_batches(domain, django_assert_max_num_queries):
    lines = 10_000

    with django_assert_max_num_queries(60):  # never one for each line
        _, count = save_list(
            domain,
            BytesIO(b"email\n" + b"".join(b"reader%d@a.example\n" % number for number in range(lines))),
            name="All",
            actor=BY,
        )

    assert count == lines


def test_a_replaced_list_holds_what_the_new_file_says_and_a_bad_file_replaces_nothing(domain):
    saved, _ = save_list(domain, BytesIO(b"old.example\nkept.example\n"), name="Partners", actor=BY)
    bystander, _ = save_list(domain, BytesIO(b"old.example\n"), name="Others", actor=BY)

    with pytest.raises(FileRefused):
        save_list(domain, BytesIO(b"new.example\nnobody\n"), name="Renamed", actor=BY, present=saved)
    saved.refresh_from_db()
    assert (saved.name, saved.entries.count()) == ("Partners", 2)
    save_list(domain, BytesIO(b"kept.example\nnew.example\n"), name="Renamed", actor=BY, present=saved)

    saved.refresh_from_db()
    assert saved.name == "Renamed"
    assert set(saved.entries.values_list("value", flat=True)) == {"kept.example", "new.example"}
    assert bystander.entries.count() == 1


def test_a_list_in_use_is_not_deleted_and_the_campaign_is_named(domain):
    saved, _ = save_list(domain, BytesIO(b"a.example\n"), name="Partners", actor=BY)
    campaign = make_campaign(domain)
    set_audience(campaign, [{"attribute": "list", "operator": "is", "values": [str(saved.pk)]}], actor=BY)

    with pytest.raises(ListRefused, match="“Partners” is in the audience of “Spring”"):
        delete_list(saved, actor=BY)
    assert saved.entries.count() == 1
    set_audience(campaign, [], actor=BY)
    delete_list(saved, actor=BY)

    assert not RecipientList.objects.exists()
    assert not RecipientListEntry.objects.exists()
