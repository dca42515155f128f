"""Empty values: the condition finds exactly those for whom the rules leave a signature nothing to show."""

from __future__ import annotations

import pytest

from integrations.models import Person
from signatures.models import Brand, Group, Sender
from signatures.rendering.cleanup import CleanUp
from signatures.senders.empty_values import is_empty
from signatures.senders.value_sources import COMPANY, USUAL_ORDER, FieldRule, FieldRules
from signatures.senders.values import get_brand, get_brand_for, get_person_values
from tests.support.company import Company
from tests.support.senders import add_sender

TITLE, PHONE, MOTTO = "sender.title", "sender.phone", "sender.x_text_motto"
COMPANY_LAST = (*USUAL_ORDER, COMPANY)


@pytest.fixture
def people(company: Company, bystanders: Company) -> list[Sender]:
    """People with every kind of value; those of another domain have none, and are never found."""
    add_sender(bystanders, "Bea")
    Brand.objects.create(domain=company.domain, phone="+1 312 555 0100")
    silent = Group.objects.create(domain=company.domain, name="Silent", company_values={"phone": ""})
    found = [
        add_sender(company, "Ana", title="Lead", phone="+1 312 555 0190"),
        add_sender(company, "Tom", {TITLE: "Chief", MOTTO: "Ahoy"}),
        add_sender(company, "Noor", {TITLE: ""}, title="n/a", custom1="Engineer", phone="none"),
        add_sender(company, "Lena", {TITLE: " ,"}, title="Analyst"),
        add_sender(company, "Eva"),
        add_sender(company, "Kim"),
    ]
    Sender.objects.filter(pk=found[-1].pk).update(group=silent)
    return found


@pytest.mark.parametrize(
    ("rule", "names"),
    [
        (FieldRule(TITLE), "Eva Kim"),
        (FieldRule(TITLE, default="Colleague"), ""),
        (FieldRule(TITLE, taken_from="sender.custom1"), "Ana Eva Kim"),
        (FieldRule(TITLE, clean_up=CleanUp(trim=True)), "Lena Eva Kim"),
        (FieldRule(TITLE, clean_up=CleanUp(replacements=(("n/a", ""),))), "Noor Eva Kim"),
        (FieldRule(TITLE, default=",", clean_up=CleanUp(trim=True)), "Lena Eva Kim"),
        (FieldRule(TITLE, default="Colleague", clean_up=CleanUp(replacements=(("n/a", ""),))), "Noor"),
        (FieldRule(TITLE, clean_up=CleanUp(letter_case="upper")), "Eva Kim"),
        (FieldRule(TITLE, is_removed=True), "Ana Tom Noor Lena Eva Kim"),
        (FieldRule(PHONE), "Tom Lena Eva Kim"),
        (FieldRule(PHONE, order=COMPANY_LAST), "Kim"),
        (FieldRule(MOTTO, label="Motto"), "Ana Noor Lena Eva Kim"),
    ],
)
def test_whom_a_field_is_empty_for_follows_from_its_rule(
    company: Company, people: list[Sender], rule: FieldRule, names: str
) -> None:
    rules = FieldRules([rule])
    senders = Sender.objects.filter(domain=company.domain)

    found = set(senders.filter(is_empty(company.domain, rule.name, rules)).values_list("name", flat=True))

    assert found == set(names.split())
    brand = get_brand(company.domain)
    shown = {
        sender.name: get_person_values(sender, get_brand_for(brand, sender.group), rules).get(rule.name)
        for sender in senders.select_related("person", "group")
    }
    assert found == {name for name, value in shown.items() if not (value or "").strip()}


@pytest.mark.parametrize(
    ("name", "first", "is_found"), [("", "", True), ("", "Ana", False), ("Ana", "", False)]
)
def test_a_name_may_stand_in_its_parts(company: Company, name: str, first: str, is_found: bool) -> None:
    add_sender(company, "Ana", {"sender.first_name": first} if first else {})
    Person.objects.update(name=name)

    found = Sender.objects.filter(is_empty(company.domain, "sender.name", FieldRules()))

    assert found.exists() == is_found
