"""Results: numbers beside each other, of this domain alone, as files and as pages that stay bounded."""

from __future__ import annotations

import codecs
import csv
from datetime import date, timedelta
from html import unescape

import pytest
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext

from integrations.models import LedgerEntry, Mailbox
from portal.models import Domain
from signatures.analytics.aggregation import aggregate_events
from signatures.analytics.bot_rules import FAMILIES, RULES
from signatures.analytics.results import Figures, get_figures
from signatures.models import (
    BannerEvent,
    BannerPlace,
    DailyCount,
    DailyTotal,
    Decision,
    Group,
    Placement,
)
from tests.support.banner_events import NINE, Show, make_campaign, open_show

ADDRESS = "/domains/acme.example/results/"
ANA, BEA = "Ana Silva", "Bea Costa"
NOW = NINE + timedelta(hours=3)


@pytest.fixture(autouse=True)
def today(time_machine):
    time_machine.move_to(NOW, tick=False)


@pytest.fixture
def show(domain: Domain, other_domain: Domain) -> Show:
    """Ana's A was fetched twice and clicked once, Bea's B fetched once; a scanner clicked both."""
    theirs = open_show(other_domain, "Theirs", people=("Bo Bystander",))
    theirs.see(0, "Bo Bystander")
    aggregate_events(other_domain)
    show = open_show(domain, people=(ANA, BEA))
    show.see(0)
    show.see(1, visitor_key="second")
    show.see(60, click=True)
    show.see(0, BEA, banner_id=show.banners[1].pk)
    show.see(61, agent="curl/8", click=True)
    show.see(61, BEA, banner_id=show.banners[1].pk, agent="curl/8", click=True)
    show.see(-86_400, BEA, banner_id=show.banners[1].pk, method="HEAD")
    aggregate_events(domain)
    return show


def read(response) -> list[list[str]]:
    content = b"".join(response.streaming_content)
    assert content.startswith(codecs.BOM_UTF8)
    return list(csv.reader(content.decode("utf-8-sig").splitlines()))


def test_the_overview_shows_each_campaign_with_what_is_bot_traffic_beside_it(show, auditor: Client):
    other, (banner,) = make_campaign(show.domain, "Spring", "C")
    show.see(5, campaign_id=None, banner_id=None)
    show.see(6, campaign_id=other.pk, banner_id=banner.pk)
    aggregate_events(show.domain)

    response = auditor.get(ADDRESS)

    lines = response.context["lines"]
    assert [(line.id, line.name, line.figures) for line in lines] == [
        (show.campaign.pk, "Autumn", Figures(3, 1, 1, 2)),
        (0, "Default banner", Figures(1, 0, 0, 0)),
        (other.pk, "Spring", Figures(1, 0, 0, 0)),
    ]
    assert response.context["total"] == Figures(5, 1, 1, 2)
    assert "Theirs" not in response.content.decode()
    found = auditor.get(f"{ADDRESS}?q=spr&sort=-clicks").context["lines"]
    assert [line.name for line in found] == ["Spring"]
    by_name = auditor.get(f"{ADDRESS}?sort=name").context["lines"]
    assert [line.name for line in by_name] == ["Default banner", "Autumn", "Spring"]


def test_a_campaigns_page_shows_days_banners_and_groups(show, auditor: Client):
    response = auditor.get(f"{ADDRESS}{show.campaign.pk}/?span=7")

    assert [(day.on, day.figures) for day in response.context["days"][-2:]] == [
        (date(2026, 11, 23), Figures(0, 0, 1, 0)),
        (date(2026, 11, 24), Figures(3, 1, 0, 2)),
    ]
    assert len(response.context["days"]) == 7
    assert [(line.name, line.figures) for line in response.context["banners"]] == [
        ("A", Figures(2, 1, 0, 1)),
        ("B", Figures(1, 0, 1, 1)),
    ]
    assert [(line.name, line.figures) for line in response.context["groups"]] == [
        ("Sales", Figures(3, 1, 1, 2))
    ]
    (finding,) = response.context["findings"]
    assert finding.sentence.startswith("No significant difference yet between “A” and “B”: about ")
    page = response.content.decode()
    assert page.count('role="img"') == 2
    assert "24 Nov: 3 human, 3 total" in page
    assert "style=" not in page


def test_a_clear_winner_is_named(show, auditor: Client):
    DailyTotal.objects.filter(domain=show.domain).delete()
    for banner, clicks in zip(show.banners, (20, 60), strict=True):
        DailyTotal.objects.create(
            domain=show.domain, day=NINE.date(), campaign_id=show.campaign.pk, banner_id=banner.pk,
            impressions=1_000, clicks=clicks,
        )  # fmt: skip

    (finding,) = auditor.get(f"{ADDRESS}{show.campaign.pk}/").context["findings"]

    assert finding.sentence == (
        "“B” has a higher click-through rate than “A”: 6.0 % against 2.0 %. "
        "The difference is between 2.3 and 5.8 percentage points (95 % confidence)."
    )


def test_the_period_is_narrowed_and_what_does_not_fit_is_said_at_its_field(show, auditor: Client):
    page = f"{ADDRESS}{show.campaign.pk}/"

    assert auditor.get(f"{page}?first=2026-11-23&last=2026-11-23").context["total"] == Figures(0, 0, 1, 0)
    assert auditor.get(f"{page}?first=2026-11-24").context["total"] == Figures(3, 1, 0, 2)
    assert auditor.get(f"{page}?span=all").context["days"][0].on == date(2026, 11, 23)
    assert auditor.get(f"{page}?span=365").context["is_by_week"]
    wrong = auditor.get(f"{page}?first=2026-11-24&last=2026-11-23")
    assert wrong.context["asked"].form.errors == {"last": ["The end is before the start."]}
    assert "The end is before the start." in wrong.content.decode()
    assert "is in the future" in auditor.get(f"{page}?first=2027-01-01").content.decode()
    assert auditor.get(f"{page}?span=ages&first=x").status_code == 200


def test_results_survive_whatever_becomes_of_the_campaign(show, auditor: Client):
    page = f"{ADDRESS}{show.campaign.pk}/"
    show.campaign.name, show.campaign.starts_at = "Winter", NINE + timedelta(days=40)
    show.campaign.save()
    renamed = auditor.get(page)
    show.senders[ANA].delete()
    show.group.delete()
    show.campaign.delete()

    gone = auditor.get(page)

    assert renamed.context["asked"].name == "Winter"
    assert renamed.context["total"] == gone.context["total"] == Figures(3, 1, 1, 2)
    assert gone.context["asked"].name == "Autumn"
    assert [(line.name, line.is_gone) for line in gone.context["banners"]] == [("A", True), ("B", True)]
    assert [(line.name, line.is_gone) for line in gone.context["groups"]] == [("Sales", True)]
    senders = auditor.get(f"{page}senders/").context["lines"]
    assert [line.name for line in senders] == [ANA, BEA]
    assert auditor.get(f"{page}carriers/").status_code == 404


def test_senders_are_found_sorted_and_paged_on_the_server(show, auditor: Client):
    page = f"{ADDRESS}{show.campaign.pk}/senders/"
    other = Group.objects.create(domain=show.domain, name="Elsewhere")
    for number in range(60):
        show.add(f"Person {number:02}", group=other)
        show.see(number, f"Person {number:02}")
    aggregate_events(show.domain)

    def names(query: str) -> list[str]:
        return [line.name for line in auditor.get(page + query).context["lines"]]

    assert names("")[0] == ANA
    assert (len(names("")), len(names("?page=2"))) == (50, 12)
    assert names("?sort=-bot_clicks")[:2] == names("?sort=-clicked_apart")[:2] == [ANA, BEA]
    assert auditor.get(f"{page}?sort=-clicked_apart").context["sort"] == "-bot_clicks"
    assert names("?sort=name")[:3] == [ANA, BEA, "Person 00"]
    assert names("?q=person+07") == ["Person 07"]
    assert names(f"?group={show.group.pk}") == [ANA, BEA]
    assert names("?q=nobody") == []
    assert len(names("?sort=evil&group=9999&page=x")) == 50


def test_who_had_it_is_who_it_was_delivered_to_or_whose_picture_was_fetched(show, auditor: Client):
    page = f"{ADDRESS}{show.campaign.pk}/carriers/"
    show.campaign.groups.add(show.group)
    elsewhere = Group.objects.create(domain=show.domain, name="Elsewhere")
    for name in ("Cy Dahl", "Di Engel", "Ed Falk"):
        show.add(name, group=elsewhere if name == "Ed Falk" else None)
    show.senders[BEA].group = elsewhere
    show.senders[BEA].save()
    place(show, "Cy Dahl", since=NINE)
    place(show, "Ed Falk", since=NINE)
    BannerPlace.objects.filter(pk=show.domain.pk).update(is_on=True)
    for recipient in ("x", "x", "y"):
        Decision.objects.create(
            domain=show.domain, sender=show.senders[ANA], campaign=show.campaign, recipient_key=recipient,
            way="api",
        )  # fmt: skip

    lines = auditor.get(page).context["lines"]

    assert [(one.sender.name, one.state, one.impressions, one.clicks, one.recipients) for one in lines] == [
        (ANA, "delivered", 2, 1, 2),
        (BEA, "moved", 1, 0, 0),
        ("Cy Dahl", "delivered", 0, 0, 0),
        ("Di Engel", "eligible", 0, 0, 0),
    ]
    assert [one.sender.name for one in auditor.get(f"{page}?state=eligible").context["lines"]] == ["Di Engel"]
    assert [one.sender.name for one in auditor.get(f"{page}?q=cy").context["lines"]] == ["Cy Dahl"]
    show.campaign.starts_at, show.campaign.ends_at = NINE - timedelta(days=9), NINE - timedelta(days=1)
    show.campaign.save()
    ended = {one.sender.name: one.state for one in auditor.get(page).context["lines"]}
    assert ended["Cy Dahl"] == "eligible", "the place came after the campaign had ended"
    rows = read(auditor.get(f"{page}export/?state=delivered"))
    assert [row[0] for row in rows] == ["sender", ANA]


def place(show: Show, name: str, *, since) -> None:
    person = show.senders[name].person
    Mailbox.objects.create(
        connection=person.connection, remote_id=f"m{person.remote_id}", email=person.email,
        person_remote_id=person.remote_id, digest="x", changed_at=NINE, read_at=NINE,
    )  # fmt: skip
    Placement.objects.create(
        domain=show.domain, account_key=person.connection.account_key, placed_at=NOW, banner_since=since,
        mailbox_remote_id=f"m{person.remote_id}",
    )  # fmt: skip


def test_counts_are_taken_away_as_csv_in_which_no_name_is_a_formula(show, auditor: Client):
    DailyCount.objects.filter(domain=show.domain, sender_name=ANA).update(sender_name="=1+1")

    rows = read(auditor.get(f"{ADDRESS}{show.campaign.pk}/export/?first=2026-11-24"))
    everything = auditor.get(f"{ADDRESS}export/")

    assert rows == [
        ["day", "campaign", "banner", "group", "sender", "impressions", "clicks", "bot impressions",
         "bot clicks", "pictures", "pictures set apart", "clicks set apart"],
        ["2026-11-24", "Autumn", "A", "Sales", "'=1+1", "2", "1", "0", "1", "2", "0", "1"],
        ["2026-11-24", "Autumn", "B", "Sales", BEA, "1", "0", "0", "1", "1", "0", "1"],
    ]  # fmt: skip
    assert everything["Content-Disposition"].startswith(
        'attachment; filename="banners-acme.example-2026-10-26-'
    )
    assert len(read(everything)) == 4
    acts = LedgerEntry.objects.filter(action="results downloaded").order_by("pk")
    assert [act.detail for act in acts] == [
        "Autumn, 2026-11-24 to 2026-11-24",
        "all campaigns, 2026-10-26 to 2026-11-24",
    ]


@pytest.mark.parametrize("page", ["", "senders/", "carriers/", "export/", "carriers/export/"])
def test_another_domains_campaign_is_as_if_it_were_not_there(show, other_domain, auditor: Client, page: str):
    theirs = other_domain.campaigns.get()

    assert auditor.get(f"{ADDRESS}{theirs.pk}/{page}").status_code == 404
    assert auditor.get(f"{ADDRESS}999999/{page}").status_code == 404
    assert auditor.get(f"/domains/{other_domain.name}/results/{theirs.pk}/{page}").status_code == 404


def test_how_we_count_shows_the_very_rules(show, auditor: Client):
    page = auditor.get(f"{ADDRESS}counting/")

    assert page.context["rules"] is RULES
    text = unescape(page.content.decode())
    assert all(each.title in text for each in RULES)
    assert all(mark in text for family in FAMILIES for mark in family.marks)


def test_before_anything_was_counted_the_page_says_so(domain, auditor: Client):
    assert "No impressions yet" in auditor.get(ADDRESS).content.decode()


def test_what_waits_for_the_worker_is_said(show, auditor: Client):
    assert "not counted yet" not in auditor.get(ADDRESS).content.decode()
    show.see(3_600)

    assert "not counted yet" in auditor.get(ADDRESS).content.decode()
    assert BannerEvent.objects.filter(domain=show.domain, is_judged=False).count() == 1


@pytest.mark.parametrize("page", ["", "{}/", "{}/senders/", "{}/carriers/"])
def test_pages_cost_as_many_queries_for_three_as_for_one(domain, auditor: Client, page: str):
    show = open_show(domain, people=(ANA,))
    show.see(0)
    aggregate_events(domain)
    address = ADDRESS + page.format(show.campaign.pk)
    auditor.get(address)
    with CaptureQueriesContext(database) as for_one:
        auditor.get(address)
    for name in ("Spring", "Summer"):
        campaign, (banner,) = make_campaign(domain, name, name)
        show.add(name, group=Group.objects.create(domain=domain, name=name))
        show.see(0, name, campaign_id=campaign.pk, banner_id=banner.pk)
        show.see(0, name, banner_id=show.banners[1].pk)
    aggregate_events(domain)

    with CaptureQueriesContext(database) as for_three:
        response = auditor.get(address)

    assert len(response.context["lines"] if "lines" in response.context else response.context["groups"]) == 3
    assert len(for_three) == len(for_one)


def test_a_list_of_campaigns_asks_for_all_their_figures_at_once(
    show, other_domain, django_assert_num_queries
):
    theirs = other_domain.campaigns.get()
    show.see(-200 * 86_400)
    aggregate_events(show.domain)

    with django_assert_num_queries(1):
        figures = get_figures([show.campaign.pk, theirs.pk, 999_999])

    assert figures == {show.campaign.pk: Figures(4, 1, 1, 2), theirs.pk: Figures(1, 0, 0, 0)}


def test_the_list_of_campaigns_says_how_each_is_doing(show, auditor: Client):
    make_campaign(show.domain, "Spring", "C")

    page = auditor.get("/domains/acme.example/campaigns/")

    figures = {line.campaign.name: line.figures for line in page.context["lines"]}
    assert figures == {"Autumn": Figures(3, 1, 1, 2), "Spring": Figures()}
    text = page.content.decode()
    assert "of 3 impressions" in text and "None yet" in text
    assert f'href="{ADDRESS}{show.campaign.pk}/?span=all"' in text
    assert (
        f'href="{ADDRESS}{show.campaign.pk}/"'
        in auditor.get(f"/domains/acme.example/campaigns/{show.campaign.pk}/").content.decode()
    )
