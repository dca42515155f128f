"""What must hold over processes: one request per address, a cap that is a cap, and a key's allowance."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from integrations.outreach.sandbox import Sandbox
from tests.support.installation import Installation, migrate_template, wait_until

pytestmark = pytest.mark.usefixtures("look_ups_end")

PROCESSES = 3
PREPARE = """
from datetime import timedelta
from django.utils import timezone
from integrations.models import Connection, LookupState, Person
from portal.models import Domain
from signatures.decisions.api_keys import make_key
from signatures.models import BannerPlace, Banner, BannerImage, Campaign, Sender
domain = Domain.objects.get()
connection = Connection.objects.get()
LookupState.objects.create(connection=connection, how="array and links")
now = timezone.now()
person = Person.objects.create(connection=connection, remote_id="9001", email="maria@acme.example", changed_at=now)
sender = Sender.objects.create(domain=domain, person=person, email="maria@acme.example", changed_at=now)
image = BannerImage.objects.create(
    domain=domain, sha256="0" * 64, media_type="image/png", width=480, height=120, bytes_1x=b"1", bytes_2x=b"2")
place = BannerPlace.objects.for_domain(domain)
place.is_on, place.default_image = True, image
place.save()
campaign = Campaign.objects.create(
    domain=domain, name="Renewals", starts_at=now - timedelta(days=1), cap_times=1, cap_days=7,
    audience=[{"attribute": "tags", "operator": "has_any", "values": ["renewal"]}])
Banner.objects.create(campaign=campaign, name="One", image=image, alt="One", link="https://acme.example/")
BannerPlace.objects.touch(domain)
make_key(domain, "Gateway", actor="test")
"""
WORK = """
import json, time
from pathlib import Path
from django.conf import settings
from django.utils import timezone
from portal.models import Domain
from signatures.decisions.api_keys import TooMany, count_request
from signatures.decisions.decide import decide
from signatures.models import Decision, DecisionKey, Sender
domain, sender, key = Domain.objects.get(), Sender.objects.get(), DecisionKey.objects.get()
settings.DECISIONS_PER_SECOND = 4
folder, name = Path(sys.argv[1]), sys.argv[2]
(folder / name).touch()
while not (folder / "go").exists():
    time.sleep(0.005)
decided = decide(domain, sender, "mira@first.example", way=Decision.Way.API, at=timezone.now(), within=5)
passed = 0
for _ in range(6):
    try:
        count_request(key)
        passed += 1
    except TooMany:
        pass
print(json.dumps({"why": decided.why, "gap": decided.gap, "passed": passed}))
"""


@pytest.fixture
def installation(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Installation, Sandbox]]:
    with Sandbox(people=3, teams=1, seed=3, domain="acme.example", throttle_seconds=0) as sandbox:
        running = Installation(
            tmp_path,
            migrate_template(tmp_path_factory.mktemp("migrated")),
            OUTREACH_BASE_URL=sandbox.base_url,
        )
        running.connect("acme.example", sandbox.oauth.issue_tokens(user_id=1))
        sandbox.requests.clear()
        yield running, sandbox
        running.close()


def test_processes_that_decide_at_once_ask_once_cap_once_and_share_an_allowance(installation, tmp_path):
    running, sandbox = installation
    sandbox.directory.add_prospect(["mira@first.example"], "Mira", "Vale", tags=("renewal",))
    sandbox.faults.add("slow", path="/api/v2/prospects", seconds=0.3, times=None)
    running.run(PREPARE)

    workers = [running.start_script(WORK, str(tmp_path), f"worker{number}") for number in range(PROCESSES)]
    wait_until(lambda: len(list(tmp_path.glob("worker*"))) == PROCESSES)
    (tmp_path / "go").touch()
    said = [worker.communicate(timeout=30)[0] for worker in workers]

    answers = [json.loads(lines.splitlines()[-1]) for lines in said]
    assert len(sandbox.requests.to("/api/v2/prospects")) == 1
    assert [answer["gap"] for answer in answers] == [""] * PROCESSES
    assert sorted(answer["why"] for answer in answers) == ["campaign", "default", "default"]
    # Eight pass at once; what is filled up while they ask may let a few more through, never all 18.
    assert 8 <= sum(answer["passed"] for answer in answers) < 18
