"""Values from a spreadsheet: every row is looked at before anything is saved, all or none are, and it can be undone."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.core.files.base import ContentFile
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from integrations.models import LedgerEntry
from signatures.models import DeliverySettings, RowState, Sender, SenderImport, ValueDraft
from signatures.tasks import work_on_import
from signatures.value_files.retention import list_abandoned_imports, remove_old_imports
from tests.support.company import Company
from tests.support.senders import add_sender, get_own
from tests.support.value_imports import UPLOAD, apply, at, upload


@pytest.fixture
def people(company: Company, bystanders: Company) -> dict[str, Sender]:
    """Ana, Tom, Noor and Lena, some with values; Bea is somebody else's."""
    add_sender(bystanders, "Bea", {"sender.mobile": "1234"})
    owned = {"Tom": {"sender.pronouns": "they"}, "Noor": {"sender.mobile": "+1 206 555 0119"}}
    return {name: add_sender(company, name, owned.get(name)) for name in ("Ana", "Tom", "Noor", "Lena")}


BEFORE = {
    "ana@acme.example": {},
    "tom@acme.example": {"sender.pronouns": "they"},
    "noor@acme.example": {"sender.mobile": "+1 206 555 0119"},
    "lena@acme.example": {},
    "bea@bystander.example": {"sender.mobile": "1234"},
}
AFTER = BEFORE | {
    "ana@acme.example": {"sender.mobile": "+491715550113", "sender.pronouns": "she/her"},
    "tom@acme.example": {"sender.pronouns": "he/him"},
}


def test_every_row_is_judged_and_nothing_is_saved(people, admin):
    stored = upload(admin)

    rows = stored.rows.order_by("line").values_list("line", "address", "state", "values", "reason")
    assert list(rows) == [
        (2, "ana@acme.example", RowState.NEW,
         {"sender.mobile": ["", "+491715550113", ""], "sender.pronouns": ["", "she/her", ""]}, ""),
        (3, "tom@acme.example", RowState.CHANGED, {"sender.pronouns": ["they", "he/him", "they"]}, ""),
        (4, "noor@acme.example", RowState.SAME, {}, ""),
        (5, "nobody@acme.example", RowState.UNKNOWN, {}, "No sender has this e-mail address."),
        (6, "lena@acme.example", RowState.REFUSED, {}, "Mobile “ask Ana”: not a phone number."),
    ]  # fmt: skip
    assert get_own() == BEFORE
    page = admin.get(at(stored)).content.decode()
    assert "<del>they</del> <ins>he/him</ins>" in page
    assert "Apply 2 rows" in page


def test_rows_that_cannot_be_applied_have_to_be_left_out(people, admin):
    stored = upload(admin)

    said = apply(admin, stored)

    assert said == ["2 rows cannot be applied. Leave them out, or upload a corrected file."]
    assert (stored.state, get_own()) == ("previewed", BEFORE)


def test_all_rows_are_applied_and_undone(people, admin):
    stored = upload(admin)

    said = apply(admin, stored, leave_out="on")

    assert said == ["Values of 2 senders saved. They apply with the next delivery."]
    assert (stored.state, stored.applied_number, get_own()) == ("applied", 2, AFTER)
    acts = LedgerEntry.objects.filter(object_ref=f"import {stored.pk}").order_by("sequence")
    assert list(acts.values_list("action", "domain__name")) == [
        ("sender values uploaded", "acme.example"),
        ("sender values changed", "acme.example"),
        ("sender values imported", "acme.example"),
    ]

    admin.post(at(stored, "undo/"))

    stored.refresh_from_db()
    assert (stored.state, stored.undone_number, stored.kept_number) == ("undone", 2, 0)
    assert get_own() == BEFORE


def test_undo_keeps_what_somebody_changed_since_and_names_it(people, admin):
    stored = upload(admin)
    apply(admin, stored, leave_out="on")
    changed = {"sender.mobile": "+49 30 5550100", "sender.pronouns": "she/her"}
    Sender.objects.filter(pk=people["Ana"].pk).update(own_values=changed)

    page = admin.post(at(stored, "undo/"), follow=True).content.decode()

    assert get_own() == BEFORE | {"ana@acme.example": {"sender.mobile": "+49 30 5550100"}}
    assert "Not undone, as it was changed since: Mobile." in page


def test_a_preview_that_is_no_longer_so_is_made_anew(people, admin):
    stored = upload(admin)
    Sender.objects.filter(pk=people["Tom"].pk).update(own_values={"sender.pronouns": "xe"})

    said = apply(admin, stored, leave_out="on")

    assert said == [
        "Values of these senders changed since the preview. Nothing was applied. Check the new preview."
    ]
    assert stored.state == "previewed"
    assert stored.rows.get(line=3).values == {"sender.pronouns": ["xe", "he/him", "xe"]}
    assert get_own() == BEFORE | {"tom@acme.example": {"sender.pronouns": "xe"}}


def test_another_preview_than_the_one_on_the_page_is_not_applied(people, admin):
    stored = upload(admin)
    seen = stored.digest
    SenderImport.objects.filter(pk=stored.pk).update(digest="0" * 64)

    admin.post(at(stored, "apply/"), {"digest": seen, "leave_out": "on"})

    assert get_own() == BEFORE


def test_values_of_an_editor_become_drafts(people, login):
    editor = login("editor")
    stored = upload(editor)

    apply(editor, stored, leave_out="on")

    assert get_own() == BEFORE
    drafts = ValueDraft.objects.values_list("sender__email", "field", "value", "edited_by_label")
    assert set(drafts) == {
        ("ana@acme.example", "sender.mobile", "+491715550113", "editor@acme.example"),
        ("ana@acme.example", "sender.pronouns", "she/her", "editor@acme.example"),
        ("tom@acme.example", "sender.pronouns", "he/him", "editor@acme.example"),
    }

    editor.post(at(stored, "undo/"))

    assert (ValueDraft.objects.count(), get_own()) == (0, BEFORE)


def test_where_a_second_person_approves_releases_everybodys_values_become_drafts(people, admin):
    DeliverySettings.objects.create(domain=people["Ana"].domain, requires_approval=True)

    said = apply(admin, upload(admin), leave_out="on")

    assert "Values of 2 senders saved as drafts." in said[0]
    assert get_own() == BEFORE
    assert ValueDraft.objects.filter(edited_by_label="admin@acme.example").count() == 3


def test_somebody_who_may_publish_applies_what_an_editor_uploaded_after_a_preview_of_their_own(
    people, login, admin
):
    stored = upload(login("editor"))

    apply(admin, stored, leave_out="on")
    assert (stored.state, stored.waits, get_own()) == ("previewed", False, BEFORE)
    apply(admin, stored, leave_out="on")

    assert get_own() == AFTER


def test_an_export_imports_unchanged(people, admin):
    odd = {
        "sender.mobile": "+49 171 5550113",
        "sender.pronouns": "=cmd|' /C calc'!A0",
        "sender.title": 'Head of "Partners";\r\nEMEA, APAC',
        "sender.custom1": "'",
        "sender.custom2": "'=x",
    }
    Sender.objects.filter(pk=people["Ana"].pk).update(own_values=odd)
    fields = {"field": [*odd, "sender.phone"]}
    file = b"".join(admin.get("/domains/acme.example/senders/export/file/", fields))

    stored = upload(admin, file)

    assert stored.columns[0] == "email"
    assert set(stored.columns) == {"email", "", *odd, "sender.phone"}
    assert stored.counts == {str(RowState.SAME.value): 4}
    assert b"bea@" not in file
    assert "All rows are already so." in admin.get(at(stored)).content.decode()


def test_columns_separator_and_empty_cells_can_be_chosen(people, admin):
    stored = upload(admin)
    form = {
        "separator": ";",
        "encoding": "utf-8",
        "has_heading": "on",
        "removes_empty": "1",
        "column_0": "email",
        "column_1": "",
        "column_2": "sender.pronouns",
        "column_3": "sender.custom1",
    }

    admin.post(at(stored, "choose/"), form)

    stored.refresh_from_db()
    assert stored.columns == ["email", "", "sender.pronouns", "sender.custom1"]
    assert stored.rows.get(line=2).values == {
        "sender.pronouns": ["", "she/her", ""], "sender.custom1": ["", "4711", ""],
    }  # fmt: skip
    assert stored.rows.get(line=4).state == RowState.SAME

    refused = admin.post(at(stored, "choose/"), form | {"column_3": "sender.pronouns"})

    assert refused.status_code == 422
    assert "Two columns stand for Pronouns. Skip one of them." in refused.content.decode()


def test_an_empty_cell_removes_a_value_where_that_is_chosen(people, admin):
    stored = upload(admin, "email,pronouns\ntom@acme.example,\n")
    assert stored.rows.get().state == RowState.SAME

    admin.post(at(stored, "choose/"), {"separator": ",", "encoding": "utf-8", "has_heading": "on",
               "removes_empty": "1", "column_0": "email", "column_1": "sender.pronouns"})  # fmt: skip
    stored.refresh_from_db()
    apply(admin, stored)

    assert get_own() == BEFORE | {"tom@acme.example": {}}


def test_an_address_in_two_rows_is_refused_in_both(people, admin):
    stored = upload(
        admin, "email,pronouns\nana@acme.example,she\ntom@acme.example,he\nANA@acme.example,her\n"
    )

    assert list(stored.rows.order_by("line").values_list("state", "reason")) == [
        (RowState.REFUSED, "The e-mail address stands in line 4, too. Remove one."),
        (RowState.CHANGED, ""),
        (RowState.REFUSED, "The e-mail address stands in line 2, too. Remove one."),
    ]


def test_pasted_rows_are_read_like_a_file(people, admin):
    admin.post(UPLOAD, {"text": "E-mail\tPronouns\r\nana@acme.example\tshe/her\r\n"})

    stored = SenderImport.objects.get()
    assert (stored.file_name, stored.separator, stored.counts) == ("Pasted rows", "\t", {"4": 1})


def test_a_value_that_outreach_gives_already_is_the_same(company, admin):
    add_sender(company, "Ana", title="Counsel")
    stored = upload(admin, "email,job title\nana@acme.example,Counsel\n")
    assert stored.counts == {"5": 1}

    stored = upload(admin, "email,job title\nana@acme.example,General counsel\n")

    assert stored.rows.get().values == {"sender.title": ["", "General counsel", "Counsel"]}
    assert stored.rows.get().state == RowState.CHANGED


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "The submitted file is empty."),
        (b"PK\x03\x04\0\0\0\0\0\0", "save it as “CSV UTF-8”"),
        (b"a" * 2_000_000, "longer than"),
        (b",".join([b"x"] * 10_000), "more than 1,000 cells"),
        (b"email," + b",".join([b"x"] * 200), "more than 100 columns"),
        (b"\n\n;;\n", "no row with anything in it"),
    ],
)
def test_a_file_that_is_none_is_refused_with_words(people, admin, content, said):
    response = admin.post(UPLOAD, {"file": ContentFile(content, "people.csv")})

    assert response.status_code == 422
    assert said in response.content.decode()
    assert not SenderImport.objects.exists()


@pytest.mark.parametrize(
    ("content", "counts"),
    [
        ("email,pronouns\nana@acme.example,s\0he\n", {"4": 1}),
        ("email,pronouns,pronouns\nana@acme.example,she,her\n", {"4": 1}),
        ('email,pronouns\nana@acme.example,"she\n' + "tom@acme.example,he\n" * 3, {"4": 1}),
        ("email,pronouns\nana@acme.example," + "x" * 600 + "\n", {"1": 1}),
        ("email,pronouns\nana@acme.example\n,she\nnot an address,x\n", {"1": 2, "5": 1}),
        ("email,pronouns\nana@acme.example,=HYPERLINK(1)\n", {"4": 1}),
        ("ana@acme.example,Ana\ntom@acme.example,Tom\n", None),
    ],
)
def test_odd_files_are_read_or_say_why_not(people, admin, content, counts):
    stored = upload(admin, content)

    if counts is None:
        assert (stored.state, stored.problem) == ("unreadable", "Choose a field for at least one column.")
    else:
        assert (stored.state, stored.counts) == ("previewed", counts)
    assert admin.get(at(stored)).status_code == 200
    assert get_own() == BEFORE


def test_quotes_that_are_never_closed_are_refused_with_the_line(people, admin):
    file = (
        "email,pronouns\n"
        + "ana@acme.example,she\n" * 30
        + 'ana@acme.example,"she\n'
        + "tom@acme.example,he\n" * 9_000
    )
    stored = upload(admin, file)
    assert "0 of about 9,033 lines read." in admin.get(at(stored)).content.decode()

    work_on_import(import_id=stored.pk)

    stored.refresh_from_db()
    assert stored.state == "unreadable"
    assert "A quote before it may be opened and never closed." in admin.get(at(stored)).content.decode()


def test_a_long_file_is_read_and_applied_in_the_background_with_as_many_queries_for_each_500_rows(
    people, admin
):
    ana, tom = "ana@acme.example,she\n", "tom@acme.example,he\n"

    def count(rows: int) -> int:
        unknown = "".join(f"nobody{at}@acme.example,x\n" for at in range(rows - 2))
        stored = upload(admin, f"email,pronouns\n{ana}{unknown}{tom}")
        assert stored.state == "reading"
        with CaptureQueriesContext(database) as queries:
            work_on_import(import_id=stored.pk)
        stored.refresh_from_db()
        assert (stored.state, stored.counts) == ("previewed", {"2": rows - 2, "3": 1, "4": 1})
        return len(queries)

    first, second, third = count(2_500), count(3_000), count(3_500)

    assert second - first == third - second <= 8
    stored = SenderImport.objects.latest("pk")
    SenderImport.objects.filter(pk=stored.pk).update(
        state="applying", leaves_out=True, applied_by_label="admin@acme.example"
    )
    work_on_import(import_id=stored.pk)
    work_on_import(import_id=stored.pk)  # a task may run twice
    assert get_own() == BEFORE | {
        "ana@acme.example": {"sender.pronouns": "she"}, "tom@acme.example": {"sender.pronouns": "he"},
    }  # fmt: skip


def test_a_lost_task_is_found_again_and_an_old_file_goes(people, admin):
    stored = upload(admin, "email,pronouns\n" + "ana@acme.example,she\n" * 3_000)
    assert list_abandoned_imports() == []

    with time_machine.travel(timezone.now() + timedelta(minutes=3)):
        assert list_abandoned_imports() == [stored.pk]
    work_on_import(import_id=stored.pk)
    with time_machine.travel(timezone.now() + timedelta(days=91)):
        remove_old_imports()

    assert not SenderImport.objects.exists()


def test_other_domains_neither_see_nor_touch_a_file(people, admin, bystanders):
    theirs = SenderImport.objects.create(
        domain=bystanders.domain, file_name="theirs.csv", content=b"", encoding="utf-8", separator=","
    )

    assert admin.get(at(theirs)).status_code == 404
    for part in ("choose/", "apply/", "undo/"):
        assert admin.post(at(theirs, part)).status_code == 404
    assert "theirs.csv" not in admin.get(UPLOAD).content.decode()


def test_the_rows_left_out_can_be_downloaded_with_their_reasons(people, admin):
    stored = upload(admin)

    file = b"".join(admin.get(at(stored, "rows/"))).decode("utf-8-sig").splitlines()

    assert file == [
        "Line,E-mail,Row state,Reason",
        "5,nobody@acme.example,Unknown,No sender has this e-mail address.",
        "6,lena@acme.example,Refused,Mobile “ask Ana”: not a phone number.",
    ]


def test_the_list_of_senders_leads_here(people, admin, login):
    link = reverse("signatures:value_imports", args=["acme.example"])

    assert link in admin.get("/domains/acme.example/senders/").content.decode()
    assert link not in login("auditor").get("/domains/acme.example/senders/").content.decode()
