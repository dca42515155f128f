"""Fifty people's pronouns and mobile numbers come from a spreadsheet in which three rows are bad."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import expect

from tests.support.browser_person import Person
from tests.support.portal_process import DOMAIN, as_json, running_portal

pytestmark = pytest.mark.browser

PREPARE = """
from integrations.models import SyncRun
from signatures.tasks import follow_sync
follow_sync(run_id=SyncRun.objects.latest("pk").pk)
"""
PRINT_ADDRESSES = """
import json
from signatures.models import Sender
print(json.dumps(list(Sender.objects.filter(is_active=True).order_by("pk").values_list("email", flat=True))))
"""
PRINT_VALUES = """
import json
from signatures.models import Sender
print(json.dumps(dict(Sender.objects.exclude(own_values={}).values_list("email", "own_values"))))
"""


def write_file(path: Path, addresses: list[str]) -> None:
    """Write the file that Excel of Western Windows would, with three bad rows at its end."""
    rows = [f"{address};+49 30 5550{at:03};sie;Sales;Berlin" for at, address in enumerate(addresses[:-2])]
    bad = [
        f"{addresses[-2]};call Zoë;sie;;",
        f"{addresses[-1]};+49 30 5551;{'x' * 600};;",
        "zoë;+49 30 5552;;;",
    ]
    path.write_bytes("\r\n".join(["Mail;Handy;Pronouns;Department;Location", *rows, *bad]).encode("cp1252"))


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_values_of_fifty_people_come_from_a_spreadsheet_and_go_again(
    migrated: Path,
    tmp_path: Path,
    sit_down: Callable[..., Person],
    width: int,
    scheme: Literal["light", "dark"],
) -> None:
    with running_portal(tmp_path, migrated, people=56) as portal:
        portal.installation.connect(DOMAIN, portal.outreach.issue_tokens())
        portal.manage("syncdirectory", "--domain", DOMAIN)
        portal.installation.run(PREPARE)
        addresses = as_json(portal.installation.run(PRINT_ADDRESSES))[:50]
        file = tmp_path / "people-november.csv"
        write_file(file, addresses)
        with portal.served(tmp_path, "--no-worker"):
            dana = sit_down(portal.url, width=width, scheme=scheme)
            page = dana.log_in()
            page.goto(f"/domains/{DOMAIN}/senders/")
            faults = dana.find_faults()
            page.get_by_role("link", name="Import values").click()
            faults += dana.find_faults()
            page.get_by_label(re.compile("^File")).set_input_files(file)
            page.get_by_role("button", name="Preview rows").click()

            expect(page.get_by_label("Encoding")).to_have_value("cp1252")
            expect(page.get_by_label("Handy", exact=True)).to_have_value("sender.mobile")
            expect(page.get_by_role("table", name="Rows of the file")).to_contain_text("call Zoë")
            expect(page.get_by_role("button", name="Apply 48 rows")).to_be_visible()
            faults += dana.find_faults()
            page.get_by_role("link", name=re.compile("^Refused")).click()
            expect(page.get_by_role("table", name="Rows of the file").locator("tbody tr")).to_have_count(3)
            page.get_by_role("button", name="Apply 48 rows").click()
            expect(page.locator(".messages")).to_contain_text("3 rows cannot be applied.")
            page.get_by_label("Leave out 3 unknown and refused rows").check()
            page.get_by_role("button", name="Apply 48 rows").click()
            expect(page.locator(".messages")).to_contain_text("Values of 48 senders saved.")
            faults += dana.find_faults()
            values = as_json(portal.installation.run(PRINT_VALUES))
            assert values == {
                address: {
                    "sender.mobile": f"+49305550{at:03}",
                    "sender.pronouns": "sie",
                    "sender.department": "Sales",
                    "sender.location": "Berlin",
                }
                for at, address in enumerate(addresses[:48])
            }

            page.get_by_role("button", name="Undo 48 senders").click()
            expect(page.get_by_text("48 senders have their earlier values.").first).to_be_visible()
            assert as_json(portal.installation.run(PRINT_VALUES)) == {}
            page.goto(f"/domains/{DOMAIN}/senders/export/")
            faults += dana.find_faults()
            page.goto(f"/domains/{DOMAIN}/senders/?q=a&state=never")
            page.get_by_role("checkbox", name=re.compile("that the filters find")).check()
            faults += dana.find_faults()
            page.get_by_role("button", name="Assign template").click()
            expect(page.get_by_role("button", name=re.compile("^Assign to "))).to_be_visible()
            faults += dana.find_faults()
            assert (faults, dana.complaints) == ([], [])
