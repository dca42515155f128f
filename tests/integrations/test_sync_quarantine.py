"""A record that does not fit is set aside with its reason, and the mirror keeps what it was."""

from __future__ import annotations

import pytest

from integrations.models import Person, QuarantinedRecord, RunState

from .conftest import run_sync


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", None),
        ("email", "not an address"),
        ("email", 7),
        ("attributes", None),
        ("attributes", "broken"),
    ],
)
def test_s4_a_record_that_does_not_fit_is_rejected_and_keeps_what_it_was(sandbox, mirrored, field, value):
    before = Person.objects.filter(connection=mirrored, remote_id="6").values().get()
    sandbox.directory.set_title(6, "Not taken over")
    sandbox.directory.set_title(8, "Taken over")
    sandbox.faults.add("set_field", path="/api/v2/users", record=6, field=field, value=value)

    run = run_sync(mirrored)

    assert (run.state, run.quarantined, run.retired) == (RunState.COMPLETE, 1, 0)
    [aside] = QuarantinedRecord.objects.filter(run=run)
    assert (aside.kind, aside.remote_id) == ("person", "6") and aside.reason
    assert len(aside.reason) < 500
    assert Person.objects.filter(connection=mirrored, remote_id="6").values().get() == before
    assert Person.objects.get(connection=mirrored, remote_id="8").title == "Taken over"


def test_s4_ids_as_text_are_the_same_ids(sandbox, mirrored):
    sandbox.settings.ids_as_strings = True

    run = run_sync(mirrored)

    assert (run.added, run.changed, run.retired) == (0, 0, 0)


@pytest.mark.parametrize("value", [None, "", "six", -6, 6.5, True, {"id": 6}])
def test_s4_a_record_without_a_usable_id_keeps_everybody(sandbox, mirrored, value):
    sandbox.faults.add("set_field", path="/api/v2/users", record=6, field="id", value=value)

    run = run_sync(mirrored)

    assert (run.quarantined, run.retired) == (1, 0)
    assert Person.objects.filter(connection=mirrored, retired_at=None).count() == 24
