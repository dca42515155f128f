"""Explanation: the template that is named is the one that delivery takes, whatever a content holds."""

from __future__ import annotations

from datetime import date

from hypothesis import example, given
from hypothesis import strategies as st

from integrations.models import Person
from portal.models import Domain
from signatures.models import Sender
from signatures.releases.content import ReleaseContent, ReleasedGroup
from signatures.releases.explanation import explain_on
from signatures.senders.values import get_member

from .test_content import IDS, contents

WEST = ReleasedGroup(id=1, name="West", team_id="team 1", is_default=False, template_id=1)


@given(
    content=contents(),
    sender_id=IDS,
    team=IDS,
    day=st.sampled_from([date(2025, 12, 31), date(2026, 3, 1), date(2026, 6, 30), date(2027, 2, 1)]),
)
@example(  # their own template is in no version of this content: the group's goes out, and is the one that is named
    content=ReleaseContent(templates={1: 1}, groups=(WEST,), people={2: 5}),
    sender_id=2,
    team=1,
    day=date(2026, 3, 1),
)
def test_the_template_that_is_explained_is_the_one_that_goes_out(content, sender_id, team, day):
    person = Person(team_ids=[f"team {team}"])
    sender = Sender(pk=sender_id, person=person, domain=Domain(name="acme.example"))
    carried = content.on(day)

    explained = explain_on(content, sender, day)
    goes_out = carried.find_template(sender_id, carried.find_group(get_member(sender)))

    assert explained.template_id == goes_out
