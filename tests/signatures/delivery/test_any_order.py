"""Any order of edits, releases, syncs, hand edits, deliveries, kills and restores leaves every mailbox right."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from contextlib import contextmanager, suppress
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from hypothesis import HealthCheck, Phase
from hypothesis import settings as limits
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from integrations.connection.lifecycle import Authorisation, accept_authorisation
from integrations.models import Connection, SyncKind
from integrations.outreach.oauth import TokenReply
from integrations.outreach.sandbox import Sandbox
from integrations.outreach.scopes import REQUESTED
from integrations.sync import runs
from portal.models import Domain, Role
from signatures.authoring.templates import assign_template, install_starters, save_template
from signatures.delivery import after_release, deliver, restore_originals
from signatures.delivery.after_sync import follow_mirror
from signatures.delivery.automatic import plan_automatic_delivery
from signatures.delivery.base import DeliveryBlocked
from signatures.delivery.deliver import carry_out
from signatures.delivery.drift_decisions import keep
from signatures.delivery.planning import plan_delivery
from signatures.delivery.restore_originals import carry_out_restore, start_restore
from signatures.delivery.restore_plan import Target, plan_restore
from signatures.delivery.runs import is_due, resume_delivery, start_delivery, stop_delivery
from signatures.delivery.stages import Rollout
from signatures.delivery.status import (
    Comparison,
    follow_release,
    list_sender_ids,
    load_senders,
    refresh_domain,
)
from signatures.models import (
    HAND_EDITS,
    Brand,
    DeliveryRun,
    DeliveryRunState,
    Group,
    LeftAlone,
    MailboxState,
    Release,
    ReleaseState,
    Sender,
    Snapshot,
    Template,
)
from signatures.releases.compose import Composed, Composer
from signatures.releases.live import get_content, get_live, list_live_groups
from signatures.releases.publish import PublishRefused, publish, republish
from signatures.senders.values import set_own_values
from tests.support.connections import PUBLIC_URL
from tests.support.deliveries import get_held

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.soak]

NUMBERS = itertools.count(1)
PERSON = st.integers(0, 5)
NTH = st.integers(0, 6)  # the write at which the process is killed; 0 for none
STAGES = st.sampled_from([(), (), (1, 2)])


class Killed(BaseException):
    """The process ends here, as by SIGKILL: nothing after it runs."""


class DyingGateway:
    """Ends the process before or after the nth write leaves."""

    def __init__(self, gateway, *, nth: int, after: bool) -> None:
        self._gateway, self._left, self._after = gateway, nth, after

    def read_mailboxes(self, people):
        return self._gateway.read_mailboxes(people)

    def publish_signature(self, mailbox_id, html):
        self._left -= 1
        if self._left == 0 and not self._after:
            raise Killed
        record = self._gateway.publish_signature(mailbox_id, html)
        if self._left == 0:
            raise Killed
        return record

    def flush(self):
        self._gateway.flush()


class Company(RuleBasedStateMachine):
    """One connected company whose people, editors and processes do what they like."""

    portal = None  # the test's settings, for the sandbox's address
    make_member = None

    def __init__(self) -> None:
        super().__init__()
        name = f"company-{next(NUMBERS)}.example"
        self.domain = Domain.objects.create(name=name)
        self.sandbox = Sandbox(
            people=6,
            teams=2,
            seed=3,
            domain=name,
            client_id=self.portal.OUTREACH_CLIENT_ID,
            client_secret=self.portal.OUTREACH_CLIENT_SECRET,
            redirect_uris=(PUBLIC_URL + reverse("outreach_callback"),),
            throttle_seconds=0,
        ).__enter__()
        self.portal.OUTREACH_BASE_URL = self.sandbox.base_url
        self.connection = self._connect(name)
        self.allowed = {id: {text} for id, text in get_held(self.sandbox).items()}
        self._sync()
        install_starters(self.domain, actor="test")

    def _connect(self, name: str) -> Connection:
        reply = self.sandbox.oauth.issue_tokens(scopes=list(REQUESTED), user_id=1)
        pair = TokenReply(
            access_token=reply["access_token"],
            refresh_token=reply["refresh_token"],
            expires_in_seconds=reply["expires_in"],
            scope=reply["scope"],
            created_at=reply["created_at"],
        )
        return accept_authorisation(
            uuid4(),
            Authorisation(
                domain=self.domain,
                user=type(self).make_member(self.domain, Role.OWNER),
                pair=pair,
                scopes_requested=REQUESTED,
                scopes_granted=REQUESTED,
                scopes_known=True,
                account_key=name,
                account_label=name,
            ),
        )

    def teardown(self) -> None:
        self.sandbox.__exit__(None, None, None)

    def _sync(self) -> None:
        run = runs.request_sync(self.connection, kind=SyncKind.FULL, actor="test")
        run = runs.carry_out(run.pk)
        follow_mirror(run)

    def _allow_renderings(self) -> None:
        """What the live release renders now, from what is mirrored now, may be in a mailbox from now on."""
        live = get_live(self.domain)
        if live is None:
            return
        composer = Composer(self.domain, get_content(live))
        for sender in Sender.objects.filter(domain=self.domain).select_related("person"):
            composed = composer.compose(sender)
            if isinstance(composed, Composed):
                for mailbox in self.connection.mailboxs.filter(person_remote_id=sender.person.remote_id):
                    self.allowed[mailbox.remote_id].add(composed.rendered.html)

    def _pick(self, number: int) -> Sender:
        senders = list(Sender.objects.filter(domain=self.domain).order_by("pk"))
        return senders[number % len(senders)]

    def _pick_mailbox(self, number: int) -> int:
        ids = sorted(self.sandbox.directory.mailboxes)
        return ids[number % len(ids)]

    @initialize()
    def publish_first(self) -> None:
        publish(self.domain, actor="test")
        follow_release(self.connection)

    @rule(person=PERSON, number=st.integers(0, 3))
    def title_changes(self, person: int, number: int) -> None:
        ids = sorted(self.sandbox.directory.users)
        self.sandbox.directory.set_title(ids[person % len(ids)], f"Title {number}")

    @rule(number=st.integers(0, 3))
    def template_is_edited(self, number: int) -> None:
        template = Template.objects.filter(domain=self.domain).order_by("pk").first()
        source = f"<p>{{{{ sender.name }}}}, {{{{ sender.title }}}} ({number})</p>"
        save_template(self.domain, name=template.name, template=template, source=source, actor="editor")

    @rule(number=st.integers(0, 2))
    def brand_is_edited(self, number: int) -> None:
        Brand.objects.update_or_create(domain=self.domain, defaults={"name": f"Acme {number}"})

    @rule(number=st.integers(0, 2))
    def template_is_assigned(self, number: int) -> None:
        template = list(Template.objects.filter(domain=self.domain).order_by("pk"))[number]
        group = Group.objects.filter(domain=self.domain).order_by("pk").last()
        assign_template(self.domain, template=template, group=group, actor="editor")

    @rule(person=PERSON, number=st.integers(0, 2), waits=st.booleans())
    def value_is_typed(self, person: int, number: int, waits: bool) -> None:
        sender = self._pick(person)
        set_own_values(sender, {"sender.title": f"Typed {number}"}, actor="editor", waits=waits)
        refresh_domain(self.domain, sender_ids=[sender.pk])

    @rule()
    def everything_is_published(self) -> None:
        try:
            publish(self.domain, actor="approver")
        except PublishRefused:
            return
        follow_release(self.connection)

    @rule(back=st.integers(1, 3))
    def earlier_release_is_published(self, back: int) -> None:
        earlier = Release.objects.filter(domain=self.domain).order_by("-number")[back : back + 1].first()
        if earlier is not None:
            try:
                republish(earlier, actor="approver")
            except PublishRefused:
                return
            follow_release(self.connection)

    @rule()
    def release_is_scheduled(self) -> None:
        with suppress(PublishRefused):
            publish(self.domain, actor="approver", publish_at=timezone.now() + timedelta(days=1))

    @rule(nth=NTH, after=st.booleans())
    def scheduled_release_goes_live_and_is_rolled_out(self, nth: int, after: bool) -> None:
        scheduled = Release.objects.filter(domain=self.domain, state=ReleaseState.SCHEDULED)
        scheduled.update(publish_at=timezone.now() - timedelta(seconds=1))
        after_release.publish_due()
        follow_release(self.connection)
        self._allow_renderings()
        for run_id in after_release.start_rollouts():
            self._carry_out(DeliveryRun.objects.get(pk=run_id), nth, after)

    @rule(person=PERSON, text=st.sampled_from(["", "<p>Mine</p>", "<p>Also mine</p>"]))
    def owner_edits(self, person: int, text: str) -> None:
        id = self._pick_mailbox(person)
        self.sandbox.directory.set_signature(id, text)
        self.allowed[str(id)].add(text)

    @rule(person=PERSON)
    def owner_brings_the_original_back(self, person: int) -> None:
        id = self._pick_mailbox(person)
        snapshot = Snapshot.objects.filter(domain=self.domain, mailbox_remote_id=str(id)).first()
        if snapshot is not None:
            self.sandbox.directory.set_signature(id, snapshot.original_html)

    @rule()
    def directory_is_read(self) -> None:
        self._sync()
        self._allow_renderings()
        run = plan_automatic_delivery(self.connection)
        if run is not None:
            carry_out(run.pk)

    @rule(
        overwrite=st.booleans(),
        group=st.none() | st.integers(0, 2),
        stages=STAGES,
        nth=NTH,
        after=st.booleans(),
    )
    def delivery_is_carried_out(
        self, overwrite: bool, group: int | None, stages: tuple[int, ...], nth: int, after: bool
    ) -> None:
        """group: of one group alone, beside what is open. stages: each but the first waits for a person."""
        self._allow_renderings()
        groups = [] if group is None else list(list_live_groups(self.domain)[group : group + 1])
        run = plan_delivery(
            self.domain,
            actor="admin",
            overwrite_edits=overwrite,
            group_ids=[each.pk for each in groups],
        )
        try:
            start_delivery(run, actor="admin", rollout=Rollout(sizes=stages, pause_minutes=None))
        except DeliveryBlocked:
            return
        self._carry_out(run, nth, after)

    @rule(act=st.sampled_from([resume_delivery, stop_delivery]), nth=NTH, after=st.booleans())
    def person_decides_about_what_waits(self, act: Callable[..., DeliveryRun], nth: int, after: bool) -> None:
        waiting = Q(state=DeliveryRunState.HALTED) | Q(state=DeliveryRunState.WAITING)
        run = DeliveryRun.objects.filter(waiting, domain=self.domain).order_by("pk").first()
        if run is None:
            return
        self._allow_renderings()
        with suppress(DeliveryBlocked):
            act(run, actor="admin")
            self._carry_out(run, nth, after)

    def _carry_out(self, run: DeliveryRun, nth: int, after: bool) -> None:
        """nth: the write at which the process is killed; 0 for none."""
        is_restore = run.kind == DeliveryRun.Kind.RESTORE
        opened = restore_originals._open_gateway if is_restore else deliver._open_gateway

        @contextmanager
        def open_dying(run):
            with opened(run) as gateway:
                yield DyingGateway(gateway, nth=nth, after=after) if nth else gateway

        with suppress(Killed):
            (carry_out_restore if is_restore else carry_out)(run.pk, gateway_factory=open_dying)

    @rule()
    def killed_runs_are_taken_up(self) -> None:
        self._allow_renderings()
        past = timezone.now() - timedelta(seconds=1)
        DeliveryRun.objects.filter(domain=self.domain, state=DeliveryRunState.RUNNING).update(
            lease_until=past
        )
        for run in DeliveryRun.objects.filter(is_due(), domain=self.domain):
            (carry_out_restore if run.kind == DeliveryRun.Kind.RESTORE else carry_out)(run.pk)

    @rule(person=PERSON, whole=st.booleans(), nth=NTH, after=st.booleans())
    def originals_go_back(self, person: int, whole: bool, nth: int, after: bool) -> None:
        try:
            run = start_restore(
                self.connection, actor="admin", only_sender=None if whole else self._pick(person)
            )
        except DeliveryBlocked:
            return
        self._carry_out(run, nth, after)

    @rule(back=st.integers(0, 3), overwrite=st.booleans(), nth=NTH, after=st.booleans())
    def delivery_is_put_back(self, back: int, overwrite: bool, nth: int, after: bool) -> None:
        delivered = DeliveryRun.objects.filter(domain=self.domain, kind="deliver", delivered__gt=0)
        earlier = delivered.order_by("-pk")[back : back + 1].first()
        if earlier is None:
            return
        target = Target(before_run=earlier)
        run = plan_restore(self.domain, target, actor="admin", of_run=earlier, overwrite_edits=overwrite)
        with suppress(DeliveryBlocked):
            start_delivery(run, actor="admin")
            self._carry_out(run, nth, after)

    @rule(person=PERSON)
    def edits_of_somebody_are_kept(self, person: int) -> None:
        edited = MailboxState.objects.filter(sender=self._pick(person), status__in=HAND_EDITS)
        keep(self.connection, dict(edited.values_list("pk", "held_sha256")), actor="admin")

    @rule()
    def restored_mailboxes_are_managed_again(self) -> None:
        LeftAlone.objects.filter(domain=self.domain).delete()
        refresh_domain(self.domain)

    @invariant()
    def mailboxes_hold_what_they_may(self) -> None:
        for id, held in get_held(self.sandbox).items():
            assert held in self.allowed[id], f"mailbox {id} holds {held!r}"

    @invariant()
    def stored_statuses_are_what_a_fresh_comparison_says(self) -> None:
        comparison = Comparison(self.connection, get_content(get_live(self.domain)))
        for ids in list_sender_ids(self.connection):
            for compared in comparison.compare(load_senders(ids)):
                stored = MailboxState.objects.get(mailbox=compared.facts.mailbox)
                rendered = compared.facts.rendering.sha256 if compared.facts.rendering else ""
                assert (stored.status, stored.rendered_sha256) == (compared.status, rendered)


def test_any_order_of_acts_leaves_mailboxes_and_statuses_right(settings, make_member):
    Company.portal, Company.make_member = settings, staticmethod(make_member)
    run_state_machine_as_test(
        Company,
        settings=limits(
            max_examples=int(os.environ.get("FUZZ_EXAMPLES", "30")),
            stateful_step_count=25,
            deadline=None,
            phases=[Phase.explicit, Phase.generate],  # shrinking takes minutes, the steps are printed anyway
            suppress_health_check=list(HealthCheck),
        ),
    )
