"""Senders are ticked in their list, or all that its filters find are meant, and each act asks before it is done."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from signatures.models import Assignment, DeliveryRun, DraftEdit, SavedView, Sender, Template
from tests.support.company import Company
from tests.support.senders import add_sender

LIST = "/domains/acme.example/senders/"
BULK = f"{LIST}bulk/"


@pytest.fixture
def people(company: Company, bystanders: Company) -> dict[str, Sender]:
    add_sender(bystanders, "Bea")
    return {name: add_sender(company, name) for name in ("Ana", "Anton", "Tom")}


@pytest.fixture
def template(company: Company) -> Template:
    return Template.objects.filter(domain=company.domain).order_by("pk").last()


def read_form(response) -> dict[str, list[str]]:
    """Return the hidden inputs of the page that asks."""
    found: dict[str, list[str]] = {}
    page = response.content.decode()
    for name, value in re.findall(r'<input type="hidden" name="([\w-]+)" value="([^"]*)">', page):
        found.setdefault(name, []).append(value)
    found.pop("csrfmiddlewaretoken", None)
    return found


def press(client: Client, asked: str, **more: object):
    """Ask, and press the button of the page that asks."""
    response = client.get(f"{BULK}?{asked}")
    assert response.status_code == 200
    return client.post(BULK, read_form(response) | more, follow=True)


def get_assigned() -> set[str]:
    return set(Assignment.objects.exclude(sender=None).values_list("sender__name", flat=True))


def test_asking_names_who_it_is_and_changes_nothing(people, admin):
    page = admin.get(f"{BULK}?act=assign&all=1&q=an").content.decode()

    assert "Assign to 2 senders" in page
    assert "ana@acme.example" in page and "anton@acme.example" in page
    assert "tom@acme.example" not in page and "bea@" not in page
    assert get_assigned() == set()


def test_whom_the_filters_find_get_a_template_as_a_draft(people, admin, template):
    press(admin, "act=assign&all=1&q=an", **{"assign-template": template.pk})

    assert get_assigned() == {"Ana", "Anton"}
    assert set(DraftEdit.objects.filter(key__startswith="person:").values_list("key", "edited_by_label")) == {
        (f"person:{people[name].pk}", "admin@acme.example") for name in ("Ana", "Anton")
    }

    press(admin, f"act=assign&sender={people['Ana'].pk}")

    assert get_assigned() == {"Anton"}


def test_the_ticked_ones_alone_are_meant_and_of_ones_own_domain(people, admin, template):
    bea = Sender.objects.get(name="Bea")

    refused = admin.post(BULK, {"act": "assign", "sender": [people["Tom"].pk, bea.pk], "number": 2,
                                "assign-template": template.pk}, follow=True)  # fmt: skip

    assert "Nothing was changed." in refused.content.decode()
    assert get_assigned() == set()
    press(admin, f"act=assign&sender={people['Tom'].pk}", **{"assign-template": template.pk})
    assert get_assigned() == {"Tom"}


def test_others_than_were_asked_about_are_left_alone(people, admin, template, company):
    asked = read_form(admin.get(f"{BULK}?act=assign&all=1&q=an"))
    add_sender(company, "Anja")

    page = admin.post(BULK, asked | {"assign-template": template.pk}).content.decode()

    assert "The filters find other senders by now. Nothing was changed." in page
    assert "Assign to 3 senders" in page
    assert get_assigned() == set()


def test_a_delivery_is_planned_for_whom_the_filters_find(company, bystanders, admin):
    ana, tom = company.add("Ana"), company.add("Tom")

    press(admin, "act=deliver&all=1&q=an")

    run = DeliveryRun.objects.get()
    assert run.scope["filters"]["words"] == "an"
    assert list(run.deliveries.values_list("sender", flat=True)) == [ana.pk]
    assert (
        "all senders that the filters found"
        in admin.get(f"/domains/acme.example/deliveries/{run.pk}/").content.decode()
    )

    press(admin, f"act=deliver&sender={tom.pk}")

    assert list(DeliveryRun.objects.latest("pk").deliveries.values_list("sender", flat=True)) == [tom.pk]


@pytest.mark.parametrize("asked", ["all=1&q=an", "sender={ana}"])
def test_a_restore_is_planned_for_whom_was_chosen(company, bystanders, admin, asked):
    ana, tom = company.add("Ana"), company.add("Tom")
    for sender in (ana, tom):
        company.place(sender)

    press(admin, "act=restore&" + asked.format(ana=ana.pk))

    run = DeliveryRun.objects.get(kind="restore")
    assert run.state == "planned"
    assert tom.pk not in run.deliveries.values_list("sender", flat=True)


def test_a_group_takes_whom_was_chosen_by_hand(company, bystanders, admin):
    sales = company.add("Ana", teams=("Sales",)).group
    tom, bea = company.add("Tom"), add_sender(bystanders, "Bea")

    press(admin, f"act=group&sender={tom.pk}", **{"put-group": sales.pk})

    assert list(sales.included.all()) == [tom]
    assert set(Sender.objects.filter(group=sales).values_list("name", flat=True)) == {"Ana", "Tom"}
    assert DraftEdit.objects.filter(key=f"group:{sales.pk}", edited_by_label="admin@acme.example").exists()
    bea.refresh_from_db()
    assert bea.group is None


def test_an_export_holds_whom_was_chosen(people, admin):
    page = admin.get(f"{BULK}?act=export&all=1&q=an", follow=True)
    assert "A CSV file with 2 senders" in page.content.decode()
    assert read_form(page) == {"all": ["1"], "q": ["an"]}

    file = b"".join(admin.get(f"{LIST}export/file/?all=1&q=an&field=sender.mobile")).decode("utf-8-sig")

    assert [line.split(",")[0] for line in file.splitlines()] == [
        "E-mail",
        "ana@acme.example",
        "anton@acme.example",
    ]


@pytest.mark.parametrize(
    ("role", "allowed"),
    [
        ("auditor", set()),
        ("editor", {"assign", "group"}),
        ("approver", {"assign", "group", "deliver", "restore"}),
    ],
)
def test_each_act_needs_its_permission(people, login, role, allowed):
    client = login(role)

    for act in ("assign", "group", "deliver", "restore"):
        asked = f"{BULK}?act={act}&sender={people['Ana'].pk}"
        assert client.get(asked).status_code == (200 if act in allowed else 403), act
        form = {"act": act, "sender": people["Ana"].pk, "number": 1}
        assert (client.post(BULK, form).status_code == 403) == (act not in allowed), act
    buttons = set(re.findall(r'name="act" value="(\w+)"', client.get(LIST).content.decode()))
    assert buttons == allowed | {"export"}


@pytest.mark.parametrize("asked", ["act=assign", "act=fly&all=1", "act=assign&sender=99999999999999999999"])
def test_a_choice_of_nobody_is_refused(people, admin, asked):
    response = admin.get(f"{BULK}?{asked}", follow=True)

    assert response.redirect_chain == [(LIST, 302)]
    assert "Nothing was changed." in response.content.decode()


def test_a_view_is_ones_own_or_shared_and_can_be_deleted(people, login, admin):
    editor = login("editor")
    editor.post(f"{LIST}views/", {"name": "Ans", "q": "an", "group": ""})
    editor.post(f"{LIST}views/", {"name": "Leavers", "state": "inactive", "is_shared": "on"})
    own, shared = SavedView.objects.order_by("name")

    assert (own.query, own.owner.email, shared.query, shared.owner) == (
        "q=an", "editor@acme.example", "state=inactive", None,
    )  # fmt: skip
    assert f'href="{LIST}?q=an">Ans</a>' in editor.get(LIST).content.decode()
    seen = admin.get(LIST).content.decode()
    assert "Leavers" in seen and ">Ans<" not in seen
    assert admin.post(f"{LIST}views/{own.pk}/delete/").status_code == 404
    assert login("auditor").post(f"{LIST}views/{shared.pk}/delete/").status_code == 403

    editor.post(f"{LIST}views/{own.pk}/delete/")
    admin.post(f"{LIST}views/{shared.pk}/delete/")

    assert not SavedView.objects.exists()


def test_a_view_needs_filters_and_a_name_of_its_own(people, admin, bystanders):
    SavedView.objects.create(domain=bystanders.domain, name="Ans", query="q=x")
    for form, said in [
        ({"name": "Ans"}, "Choose filters and give them a name."),
        ({"name": "", "q": "an"}, "Choose filters and give them a name."),
        ({"name": "Ans", "q": "an"}, "View “Ans” saved."),
        ({"name": "Ans", "q": "to"}, "There is a view “Ans” already."),
        ({"name": "Ans", "q": "an", "is_shared": "on"}, "View “Ans” saved."),
        ({"name": "Ans", "q": "to", "is_shared": "on"}, "There is a view “Ans” already."),
    ]:
        assert said in admin.post(f"{LIST}views/", form, follow=True).content.decode(), form

    assert sorted(SavedView.objects.values_list("domain__name", "query")) == [
        ("acme.example", "q=an"), ("acme.example", "q=an"), ("bystander.example", "q=x"),
    ]  # fmt: skip
