"""Which signature a sender had on a date, and why: answered from the deliveries, the release and the kept text."""

from __future__ import annotations

from datetime import UTC, datetime

from django.test import Client

from signatures.delivery.digest import digest
from signatures.delivery.texts import keep_texts
from signatures.models import DeliveryRun, Release, Snapshot
from tests.support.deliveries import publish_drafts
from tests.support.release_pages import edit_brand, text_of

NOVEMBER = "<p>Dana, Acme of November</p>"


def at(month: int, day: int, hour: int = 12) -> datetime:
    return datetime(2026, month, day, hour, tzinfo=UTC)


def test_the_signature_of_a_date_names_its_release_its_publisher_its_run_and_its_reason(
    company, bystander, auditor: Client
):
    dana, other = company.add("Dana Whitfield"), company.add("Tom Okafor")
    publish_drafts(company.domain)
    first = Release.objects.get(domain=company.domain)
    edit_brand(company.domain, name="Acme")
    publish_drafts(company.domain)
    second = Release.objects.get(domain=company.domain, number=2)
    Release.objects.filter(pk=first.pk).update(
        published_at=at(10, 29), published_by_label="ruth@acme.example"
    )
    keep_texts(company.domain.pk, [NOVEMBER])
    Snapshot.objects.create(
        domain=company.domain,
        account_key=company.connection.account_key,
        mailbox_remote_id=f"m{dana.person.remote_id}",
        mailbox_email=dana.email,
        original_html="<p>Before</p>",
        taken_at=at(10, 1),
    )
    for release, day, html in (
        (None, at(10, 1), "<p>pruned</p>"),
        (first, at(10, 30), NOVEMBER),
        (second, at(11, 14), ""),
    ):
        run = company.run("complete", release=release)
        run.started_by_label = "schedule" if release == second else "lena@acme.example"
        run.save()
        company.attempt(run, dana, "delivered", finished_at=day, rendered_sha256=digest(html))
    company.attempt(company.run("complete", release=second), other, "delivered", finished_at=at(11, 1))
    address = f"/domains/acme.example/senders/{dana.pk}/"

    def ask(day: str) -> str:
        html = auditor.get(address, {"on": day}).content.decode()
        assert "bystander" not in html and other.email not in html
        return text_of(html[html.index('id="on"') : html.index("Delivery history")])

    november = ask("2026-11-03")
    assert "Group Default group, as that release has it for the teams and values of today" in november
    assert "Release 1 , published by ruth@acme.example" in november
    assert "started by lena@acme.example" in november and "Somebody delivered the release." in november
    assert "Show the signature" in november
    assert "New directory values, carried by automatic delivery." in ask("2026-11-20")
    assert "Its text has been deleted." in ask("2026-10-02")
    assert "Its original signature: nothing had been delivered yet." in ask("2026-09-30")
    assert digest(NOVEMBER) in auditor.get(address, {"on": "2026-11-03"}).content.decode()
    DeliveryRun.objects.filter(domain=company.domain, release=None).delete()
    assert "The delivery that wrote it has been deleted." in ask("2026-10-02")
