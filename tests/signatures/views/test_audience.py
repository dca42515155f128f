"""The pages of a campaign's audience, its recipient lists and its field labels."""

from __future__ import annotations

import pytest
from django.core.files.base import ContentFile
from django.test import Client

from signatures.campaigns.editing import set_audience
from signatures.models import (
    AttributeLabel,
    RecipientList,
)
from tests.support.campaign_pages import PAGE, read
from tests.support.campaigns import BY


class TestAudience:
    """The builder, button by button."""

    @pytest.fixture
    def address(self, running) -> str:
        return f"{PAGE}{running.pk}/audience/"

    def test_a_condition_is_added_filled_and_saved_without_a_script(self, running, address, editor: Client):
        added = editor.post(address, {"new": "title", "add": "1"})
        assert [row.label for row in added.context["builder"].rows] == ["Title"]
        typed = {"c0-attribute": "title", "c0-operator": "contains", "c0-values": "VP\n Head of "}

        second = editor.post(address, typed | {"new": "tags", "add": "1"})
        assert second.context["builder"].rows[0].values == ["VP", "Head of"]
        assert second.context["builder"].sentences == ["Title contains “VP”, “Head of”"]
        running.refresh_from_db()
        assert running.audience == []

        typed |= {"c1-attribute": "tags", "c1-operator": "has_any", "c1-values": "emea"}
        saved = editor.post(address, typed | {"save": "1"}, follow=True)
        running.refresh_from_db()
        assert running.audience == [
            {"attribute": "title", "operator": "contains", "values": ["VP", "Head of"]},
            {"attribute": "tags", "operator": "has_any", "values": ["emea"]},
        ]
        page = read(saved)
        assert "Title contains “VP”, “Head of”" in page
        assert "Tags has any of “emea”" in page

    def test_conditions_of_which_any_may_hold_are_saved_and_shown_again(
        self, running, address, editor: Client
    ):
        typed = {
            "c0-attribute": "title", "c0-operator": "contains", "c0-values": "VP",
            "c1-attribute": "title", "c1-operator": "is", "c1-values": "CEO", "c1-join": "or",
            "c2-attribute": "tags", "c2-operator": "has_any", "c2-values": "emea", "c2-join": "and",
        }  # fmt: skip

        saved = editor.post(address, typed | {"save": "1"}, follow=True)

        running.refresh_from_db()
        assert running.audience == [
            {
                "any": [
                    {"attribute": "title", "operator": "contains", "values": ["VP"]},
                    {"attribute": "title", "operator": "is", "values": ["CEO"]},
                ]
            },
            {"attribute": "tags", "operator": "has_any", "values": ["emea"]},
        ]
        assert "Title contains “VP” or Title is “CEO”" in read(saved)
        rows = editor.get(address).context["builder"].rows
        assert [(row.attribute.name, row.is_or) for row in rows] == [
            ("title", False), ("title", True), ("tags", False),
        ]  # fmt: skip

    def test_a_condition_is_removed_and_the_others_keep_what_was_typed(self, address, editor: Client):
        typed = {
            "c0-attribute": "title", "c0-operator": "is_not", "c0-values": "CEO",
            "c1-attribute": "score", "c1-operator": "at_least", "c1-values": "50",
        }  # fmt: skip

        response = editor.post(address, typed | {"drop": "0"})

        (row,) = response.context["builder"].rows
        assert (row.index, row.attribute.name, row.operator, row.values) == (0, "score", "at_least", ["50"])

    def test_a_condition_that_cannot_be_used_is_told_at_its_row(self, running, address, editor: Client):
        typed = {
            "c0-attribute": "title", "c0-operator": "is", "c0-values": "CEO",
            "c1-attribute": "score", "c1-operator": "at_least", "c1-values": "many",
        }  # fmt: skip

        response = editor.post(address, typed | {"save": "1"})

        assert response.status_code == 422
        assert [row.error for row in response.context["builder"].rows] == [
            "",
            "Enter one number for score.",
        ]
        running.refresh_from_db()
        assert running.audience == []

    def test_labels_people_and_lists_are_typed_by_name_and_stored_by_id(
        self, company, running, domain, address, editor: Client
    ):
        AttributeLabel.objects.create(domain=domain, kind="stage", key="3", label="Customer")
        AttributeLabel.objects.create(domain=domain, kind="custom", key="12", label="Tier")
        partners = RecipientList.objects.create(domain=domain, name="Partners")
        company.add("Tom Okafor", email="tom@acme.example")
        typed = {
            "c0-attribute": "stage", "c0-operator": "is", "c0-values": "customer\n9",
            "c1-attribute": "owner", "c1-operator": "is", "c1-values": "TOM@acme.example\nAna Silva",
            "c2-attribute": "list", "c2-operator": "is", "c2-values": [str(partners.pk)],
            "c3-attribute": "custom12", "c3-operator": "is_filled",
        }  # fmt: skip

        saved = read(editor.post(address, typed | {"save": "1"}, follow=True))

        running.refresh_from_db()
        assert [condition["values"] for condition in running.audience] == [
            ["3", "9"],
            ["2", "1"],
            [str(partners.pk)],
            [],
        ]
        for sentence in (
            "Stage is “Customer”, “9”",
            "Owner is “Tom Okafor”, “Ana Silva”",
            "Recipient list is “Partners”",
            "Tier is filled in",
        ):
            assert sentence in saved
        again = editor.get(address).context["builder"]
        assert [row.values for row in again.rows] == [
            ["Customer", "9"],
            ["tom@acme.example", "person1@acme.example"],
            [str(partners.pk)],
            [],
        ]
        assert again.get_stored() == running.audience

    @pytest.mark.parametrize(
        ("attribute", "value", "words"),
        [
            ("owner", "Nobody Known", "“Nobody Known” is not a user"),
            ("owner", "bea@bystander.example", "is not a user, or matches more than one"),
            ("stage", "Lead", "“Lead” is neither a label nor an ID."),
            ("list", "99999", "A recipient list of this condition has been deleted."),
        ],
    )
    def test_a_name_nobody_has_is_told_at_its_row(self, bystander, address, editor, attribute, value, words):
        typed = {"c0-attribute": attribute, "c0-operator": "is", "c0-values": value, "save": "1"}

        response = editor.post(address, typed)

        assert response.status_code == 422
        assert words in response.context["builder"].rows[0].error

    def test_custom_fields_go_by_their_label_once_they_have_one(self, domain, address, editor: Client):
        AttributeLabel.objects.create(domain=domain, kind="custom", key="7", label="Tier")

        groups = dict(editor.get(address).context["builder"].groups)

        assert [(one.name, label) for one, label in groups["Custom fields"]] == [("custom7", "Tier")]
        assert len(groups["Custom fields without a label"]) == 149

    def test_with_htmx_the_builder_alone_comes_back(self, address, editor: Client):
        response = editor.post(address, {"new": "title", "add": "1"}, headers={"HX-Request": "true"})

        assert response.templates[0].name == "signatures/campaigns/_audience_builder.html"
        assert "<html" not in response.content.decode()


def test_a_list_is_uploaded_replaced_and_deleted(company, domain, editor: Client):
    address = f"{PAGE}lists/"
    page = read(
        editor.post(
            address, {"name": "Partners", "file": ContentFile(b"a.example\nb.example", "p.csv")}, follow=True
        )
    )
    assert "“Partners” has 2 entries." in page
    saved = RecipientList.objects.get(domain=domain)

    bad = editor.post(
        f"{address}{saved.pk}/", {"name": "Partners", "file": ContentFile(b"a.example\nno", "p.csv")}
    )
    assert bad.status_code == 422
    assert bad.context["form"].errors["file"] == [
        "Nothing was imported: 1 line is neither a mail domain nor an address.",
        "Line 2 is neither a mail domain nor an address.",
    ]
    twice = editor.post(address, {"name": "Partners", "file": ContentFile(b"a.example", "p.csv")})
    assert twice.context["form"].errors["name"] == ["A list with this name exists already."]
    page = read(editor.post(f"{address}{saved.pk}/delete/", follow=True))

    assert "“Partners” deleted." in page
    assert not RecipientList.objects.exists()


def test_a_list_in_use_names_its_campaign_and_stays(running, domain, editor: Client):
    saved = RecipientList.objects.create(domain=domain, name="Partners")
    set_audience(running, [{"attribute": "list", "operator": "is", "values": [str(saved.pk)]}], actor=BY)

    page = read(editor.post(f"{PAGE}lists/{saved.pk}/delete/", follow=True))

    assert "“Partners” is in the audience of “Spring”. Remove it there first." in page
    assert RecipientList.objects.filter(pk=saved.pk).exists()


@pytest.mark.parametrize(
    ("typed", "field", "words"),
    [
        ({"kind": "custom", "key": "151", "label": "Tier"}, "key", "Enter a number from 1 to 150."),
        ({"kind": "stage", "key": "abc", "label": "Lead"}, "key", "Enter the ID, a number."),
        (
            {"kind": "stage", "key": "3", "label": "Lead"},
            "key",
            "This ID already has a label. Edit that one.",
        ),
    ],
)
def test_a_label_is_for_one_number(company, domain, editor: Client, typed, field, words):
    AttributeLabel.objects.create(domain=domain, kind="stage", key="3", label="Customer")

    response = editor.post(f"{PAGE}labels/", typed)

    assert (response.status_code, response.context["form"].errors[field]) == (422, [words])


def test_a_label_is_given_changed_and_removed(company, domain, editor: Client):
    editor.post(f"{PAGE}labels/", {"kind": "stage", "key": "03", "label": "Lead"})
    label = AttributeLabel.objects.get(domain=domain)
    assert (label.key, label.label) == ("3", "Lead")

    editor.post(f"{PAGE}labels/{label.pk}/", {"kind": "stage", "key": "3", "label": "Customer"})
    label.refresh_from_db()
    assert label.label == "Customer"
    page = read(editor.post(f"{PAGE}labels/{label.pk}/delete/", follow=True))

    assert "Stage 3 no longer has a label." in page
    assert not AttributeLabel.objects.exists()
