"""Banners and their links, as mail clients ask for them."""

from __future__ import annotations

from datetime import timedelta
from io import BytesIO

import pytest
import time_machine
from django.conf import settings
from django.test import Client
from django.utils import timezone
from PIL import Image

from portal.counters import COUNTERS, read_sums
from signatures.decisions.tokens import get_decision_click_url, get_decision_image_url, make_token
from signatures.media.encoding import PIXEL
from signatures.models import Assignment, Banner, BannerPlace, Brand, Decision
from signatures.senders import banner_urls
from signatures.serving import cache
from tests.support.banner_requests import fetch, get_colour
from tests.support.banners import PUBLIC_URL, list_events, run_campaign, switch_on, take_in_colour

pytestmark = pytest.mark.usefixtures("fresh_serving")
ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Referrer-Policy": "no-referrer",
}


def test_a_picture_is_served_at_both_sizes_and_tells_nobody_who_it_is(company, ana, reader):
    banner = run_campaign(company.domain, "red")

    for suffix, size in (
        (".png", (480, 120)),
        ("@2x.png", (960, 240)),
        (".jpg", (480, 120)),
        (".gif", (480, 120)),
    ):
        answer = reader.get(f"/b/{ana.banner_key}{suffix}")

        assert (answer.status_code, answer["Content-Type"]) == (200, "image/png"), suffix
        assert Image.open(BytesIO(answer.content)).size == size
        assert answer["Content-Length"] == str(len(answer.content))
        assert answer["Cache-Control"] == "no-cache, max-age=0, must-revalidate"
        assert {name: answer[name] for name in ALWAYS} == ALWAYS
        assert not answer.cookies
        assert not {"Vary", "Set-Cookie", "Server-Timing"} & set(answer.headers)
        shown = str(answer.headers) + answer.content.decode("latin-1")
        assert not [word for word in ("Ana", "Silva", ana.email, str(banner.campaign)) if word in shown]


def test_what_one_answer_gets_besides_the_next_does_not_have(company, ana, settings):
    settings.SECURE_HSTS_SECONDS = 3600
    run_campaign(company.domain, "red")
    secure, plain, head = (
        Client().get(f"/b/{ana.banner_key}.png", secure=True),
        Client().get(f"/b/{ana.banner_key}.png"),
        Client().head(f"/b/{ana.banner_key}.png"),
    )

    assert secure.headers["strict-transport-security"] == "max-age=3600"
    assert "Strict-Transport-Security" not in plain and "Strict-Transport-Security" not in head
    assert dict(head.items()) == dict(plain.items()) == {name: plain[name] for name in plain.headers}
    assert (head.content, len(plain.content)) == (b"", int(head["Content-Length"]))


def test_each_request_is_counted_by_kind_and_status_and_by_nobodys_key(company, ana, reader, monkeypatch):
    monkeypatch.setattr(COUNTERS, "_added", {})  # what other tests added
    run_campaign(company.domain, "red", link="https://www.acme.example/a")
    etag = reader.get(f"/b/{ana.banner_key}.png")["ETag"]
    reader.get(f"/b/{ana.banner_key}.png", headers={"if-none-match": etag})
    reader.get(f"/b/{'a' * 22}.png")
    reader.get(f"/c/{ana.banner_key}")
    reader.post(f"/c/{ana.banner_key}")
    reader.get("/m/nothing.png")

    COUNTERS.flush()

    assert read_sums() == {
        "countersign_banner_requests_total": {
            ("image", "200"): 1,
            ("image", "304"): 1,
            ("image", "404"): 1,
            ("click", "302"): 1,
            ("click", "405"): 1,
            ("media", "404"): 1,
        }
    }


def test_a_click_leads_to_the_link_of_what_shows_with_its_parameters(company, ana, reader):
    banner = run_campaign(
        company.domain, "red", link="https://www.acme.example/a?b=c", utm_campaign="Spring & co"
    )
    Banner.objects.filter(pk=banner.pk).update(utm_content="left")

    answer = reader.get(f"/c/{ana.banner_key}")

    assert (answer.status_code, answer.content) == (302, b"")
    assert answer["Location"] == (
        "https://www.acme.example/a?b=c&utm_source=outreach&utm_medium=email-signature"
        "&utm_campaign=Spring+%26+co&utm_content=left"
    )
    assert (answer["Cache-Control"], answer["Referrer-Policy"]) == ("no-store", "no-referrer")
    assert not answer.cookies


def test_where_nothing_runs_the_default_shows_and_links_to_the_places_link_or_the_website(
    company, ana, reader
):
    domain, key = company.domain, ana.banner_key

    nothing = reader.get(f"/b/{key}.png")
    lost = reader.get(f"/c/{key}")
    Brand.objects.create(domain=domain, website="https://www.acme.example/home")
    website = reader.get(f"/c/{key}")["Location"]
    switch_on(
        domain, default_image=take_in_colour(domain, "blue"), default_link="https://acme.example/default"
    )
    BannerPlace.objects.touch(domain)

    assert (nothing.status_code, nothing["Content-Type"], nothing.content) == (200, "image/png", PIXEL)
    assert lost.status_code == 404
    assert website == "https://www.acme.example/home"
    assert fetch(reader, ana) == "blue"
    assert reader.get(f"/c/{key}")["Location"] == "https://acme.example/default"


def test_a_place_that_is_off_shows_nothing_in_mails_already_sent(company, ana, reader):
    run_campaign(company.domain, "red")
    assert fetch(reader, ana) == "red"

    switch_on(company.domain, is_on=False)
    BannerPlace.objects.touch(company.domain)

    assert fetch(reader, ana) == ""


@pytest.mark.parametrize("path", ["/b/{}.png", "/b/{}@2x.png", "/b/d/{}.png"])
def test_a_picture_nobody_knows_is_a_404_that_shows_nothing(company, ana, reader, path):
    for key in ("x" * 22, make_token(4711)):
        answer = reader.get(path.format(key))

        assert (answer.status_code, answer["Content-Type"], answer.content) == (404, "image/png", PIXEL)
        assert answer["Cache-Control"] == "public, max-age=60"
    assert list_events() == []


def test_links_that_are_none_of_ours_are_a_plain_404(company, ana, reader):
    run_campaign(company.domain, "red")
    key, token = ana.banner_key, make_token(4711)
    paths = [
        f"/c/{'x' * 22}", f"/c/{key}/", f"/c/{key}.png", f"/c/{key}@2x", f"/c/{key}x", "/c/", "/c/d/", f"/c/d/{token}",
        f"/c/{key.swapcase()}", f"/c/{key}%0d%0aSet-Cookie:a=b", f"/c//{key}", f"/c/d/{key}",
    ]  # fmt: skip

    for path in paths:
        answer = reader.get(path)

        assert answer.status_code == 404, path
        assert b"nothing here" in answer.content
        assert key.encode() not in answer.content
        assert "Location" not in answer.headers
    for path in (f"/b/{key}", f"/b/{key}.svg", f"/b/{key}.html", f"/b/{key}@3x.png", "/b/", f"/b/../c/{key}"):
        assert reader.get(path).status_code == 404, path
    assert list_events() == []


def test_other_methods_are_refused(company, ana, reader):
    run_campaign(company.domain, "red")

    for path in (f"/b/{ana.banner_key}.png", f"/c/{ana.banner_key}"):
        for method in ("post", "put", "patch", "delete", "options", "trace"):
            answer = getattr(reader, method)(path)

            assert (answer.status_code, answer["Allow"], answer.content) == (405, "GET, HEAD", b"")
    assert list_events() == []


def test_head_tells_what_get_would_without_the_bytes(company, ana, reader):
    run_campaign(company.domain, "red")
    for path in (f"/b/{ana.banner_key}@2x.png", f"/c/{ana.banner_key}", f"/b/{'x' * 22}.png"):
        got, asked = reader.get(path), reader.head(path)

        assert asked.content == b""
        assert (asked.status_code, dict(asked.headers)) == (got.status_code, dict(got.headers))


def test_a_program_that_has_the_picture_is_told_so_until_another_one_shows(company, ana, reader):
    run_campaign(company.domain, "red", priority=1)
    path = f"/b/{ana.banner_key}@2x.png"
    first = reader.get(path)

    by_tag = [first["ETag"], f"W/{first['ETag']}", f'"other", {first["ETag"]}', "*"]
    answers = [reader.get(path, headers={"if-none-match": tag}) for tag in by_tag]
    answers.append(reader.get(path, headers={"if-modified-since": first["Last-Modified"]}))

    for answer in answers:
        assert (answer.status_code, answer.content, answer["ETag"]) == (304, b"", first["ETag"])
        assert answer["Cache-Control"] == first["Cache-Control"]
        assert "Content-Type" not in answer.headers
    not_mine = {"if-none-match": '"other"', "if-modified-since": first["Last-Modified"]}
    assert reader.get(path, headers=not_mine).status_code == 200
    for date in ("yesterday", "", "Thu, 99 Foo 2026 00:00:00 GMT", "Mon, 01 Jan 1990 00:00:00 GMT"):
        assert reader.get(path, headers={"if-modified-since": date}).status_code == 200
    with time_machine.travel(timezone.now() + timedelta(seconds=5), tick=False):
        run_campaign(company.domain, "blue", priority=2, starts_at=timezone.now() - timedelta(seconds=1))
        BannerPlace.objects.touch(company.domain)
        changed = reader.get(
            path, headers={"if-none-match": first["ETag"], "if-modified-since": first["Last-Modified"]}
        )
        by_date = reader.get(path, headers={"if-modified-since": first["Last-Modified"]})
    assert (changed.status_code, get_colour(changed.content)) == (200, "blue")
    assert (by_date.status_code, get_colour(by_date.content)) == (200, "blue")


def test_a_decision_shows_its_own_banner_for_as_long_as_it_is_kept(company, ana, reader):
    red = run_campaign(company.domain, "red")
    run_campaign(company.domain, "blue", priority=9)
    decided = Decision.objects.create(
        domain=company.domain,
        sender=ana,
        campaign=red.campaign,
        banner=red,
        recipient_key="0" * 64,
        way="api",
    )
    token = make_token(decided.pk)

    picture, click = reader.get(f"/b/d/{token}@2x.png"), reader.get(f"/c/d/{token}")

    assert get_colour(picture.content) == "red"
    assert click["Location"].startswith("https://www.acme.example/red?")
    assert fetch(reader, ana) == "blue"
    assert [(event["kind"], event["decision_id"], event["banner_id"]) for event in list_events()][:2] == [
        ("image", decided.pk, red.pk),
        ("click", decided.pk, red.pk),
    ]
    decided.delete()
    assert reader.get(f"/c/d/{token}").status_code == 404


def test_a_domain_that_is_gone_shows_nothing(company, bystanders, ana, reader):
    switch_on(bystanders.domain)
    run_campaign(bystanders.domain, "green")
    ida = bystanders.add("Ida Berg")
    run_campaign(company.domain, "red")
    cache.CACHE.is_refreshed = True
    assert (fetch(reader, ana), fetch(reader, ida)) == ("red", "green")

    Banner.objects.filter(campaign__domain=bystanders.domain).delete()
    Assignment.objects.filter(domain=bystanders.domain).delete()
    bystanders.domain.delete()
    cache.CACHE.refresh()

    assert reader.get(f"/b/{ida.banner_key}.png").status_code == 404
    assert reader.get(f"/c/{ida.banner_key}").status_code == 404
    assert fetch(reader, ana) == "red"


HOSTILE = [
    "javascript:alert(1)", "//evil.example", "https:evil.example", "\\\\evil.example", "http://evil.example",
    "https://evil.example\r\nSet-Cookie: a=b", "https://evil.example\nX: y", "https://ok.example/\\evil",
    "data:text/html,x",
    "https://", "", " https://evil.example", "https://ex\u3002ample", "https://evil.example/\u2028", "HTTPS://evil.example",
]  # fmt: skip


@pytest.mark.parametrize("payload", HOSTILE)
def test_i5_nothing_in_a_request_or_an_unfit_row_reaches_the_location(company, ana, reader, payload):
    banner = run_campaign(company.domain, "red", link="https://www.acme.example/good")
    good = reader.get(f"/c/{ana.banner_key}")["Location"]

    for name in ("url", "next", "u", "r", "redirect", "to", "link", "destination"):
        answer = reader.get(
            f"/c/{ana.banner_key}", {name: payload}, headers={"referer": "https://evil.example/"}
        )
        assert (answer.status_code, answer["Location"]) == (302, good)
    Banner.objects.filter(pk=banner.pk).update(link=payload)
    BannerPlace.objects.filter(pk=company.domain.pk).update(default_link=payload)
    BannerPlace.objects.touch(company.domain)
    answer = reader.get(f"/c/{ana.banner_key}")

    assert answer.status_code == 404
    assert "Location" not in answer.headers


def test_i5_host_and_scheme_are_checked_as_everywhere(company, ana, settings):
    run_campaign(company.domain, "red")
    settings.ALLOWED_HOSTS = ["signatures.acme.example", "img.acme.example"]
    path = f"/b/{ana.banner_key}.png"

    known = [Client(headers={"host": host}).get(path).status_code for host in settings.ALLOWED_HOSTS]
    other = Client(headers={"host": "evil.example"}).get(path)
    settings.SECURE_SSL_REDIRECT = True
    plain = Client(headers={"host": "img.acme.example"}).get(path)

    assert known == [200, 200]
    assert other.status_code == 400
    assert (plain.status_code, plain["Location"]) == (301, f"https://img.acme.example{path}")


def test_the_addresses_in_signatures_are_those_that_are_answered(company, ana, reader, settings):
    settings.PUBLIC_URL = "http://testserver"
    red = run_campaign(company.domain, "red")
    decided = Decision.objects.create(
        domain=company.domain,
        sender=ana,
        campaign=red.campaign,
        banner=red,
        recipient_key="0" * 64,
        way="api",
    )
    token = make_token(decided.pk)

    pictures = [banner_urls.get_image_url(ana.banner_key), get_decision_image_url(token)]
    clicks = [banner_urls.get_click_url(ana.banner_key), get_decision_click_url(token)]

    assert [get_colour(reader.get(url.removeprefix("http://testserver")).content) for url in pictures] == [
        "red",
        "red",
    ]
    assert [reader.get(url.removeprefix("http://testserver")).status_code for url in clicks] == [302, 302]


def test_the_transparent_place_of_a_preview_is_no_impression(company, ana, reader):
    run_campaign(company.domain, "red")

    assert fetch(reader, ana, "@2x.png?preview") == "red"
    assert list_events() == []


@pytest.mark.parametrize(
    ("headers", "counted"),
    [
        ({"referer": f"{PUBLIC_URL}/domains/acme.example/"}, 0),
        ({"referer": PUBLIC_URL}, 0),
        ({"referer": f"{PUBLIC_URL}.evil.example/"}, 2),
        ({"sec-fetch-site": "same-origin"}, 0),
        ({"sec-fetch-site": "cross-site"}, 2),
        ({"cookie": f"a=b; {settings.SESSION_COOKIE_NAME}=abc"}, 0),
        ({"cookie": "other=abc"}, 2),
    ],
)
def test_what_the_portal_or_somebody_signed_in_to_it_asks_for_is_not_counted(
    company, ana, reader, headers, counted
):
    run_campaign(company.domain, "red")

    assert fetch(reader, ana, "@2x.png", **headers) == "red"
    assert reader.get(f"/c/{ana.banner_key}", headers=headers).status_code == 302

    assert len(list_events()) == counted
