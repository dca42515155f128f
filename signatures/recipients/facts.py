"""Recipient facts: what banner selection knows of a recipient, derived and stored for an hour.

See `prospect_lookup` for how a recipient is looked up in Outreach.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Q
from django.utils import timezone

from integrations.errors import Gap
from portal.models import Domain
from signatures.audiences.attributes import needs_prospect
from signatures.audiences.mail_addresses import is_address
from signatures.audiences.pseudonyms import key_of
from signatures.campaigns.ruleset import Ruleset, load_ruleset
from signatures.campaigns.selection import RecipientFacts
from signatures.models import Decision, KnownRecipient

from .prospect_lookup import LIFE, Question, Verdicts, ask_outreach, fits, get_asked, make_question


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a recipient now.

    facts: None for an invalid address. With a gap, audiences that need the recipient's record do not hold.
    until: for Gap.ASKED_BEFORE, when the next look-up is possible.
    """

    facts: RecipientFacts | None
    gap: Gap = Gap.NONE
    until: datetime | None = None


def get_cached(domain: Domain, address: str, *, ruleset: Ruleset | None = None) -> RecipientFacts | None:
    """Return what was found out about a recipient within the last hour, or None; makes no look-up.

    ruleset: the domain's, if the caller has it already.
    A campaign whose audience changed since then does not count as matched.
    """
    if not is_address(address):
        return None
    key = key_of(domain, address)
    now = timezone.now()
    row = KnownRecipient.objects.filter(domain=domain, recipient_key=key, expires_at__gt=now).first()
    ruleset = ruleset or load_ruleset(domain, since=now)
    if row is None and ruleset.audiences:
        return None
    matched = _get_matched(row.verdicts, ruleset) if row else frozenset()
    return RecipientFacts(key, matched, count_shown(domain, key, ruleset, at=now))


def get_facts(
    domain: Domain, address: str, *, within: float, ruleset: Ruleset | None = None, network: str | None = None
) -> Known:
    """Return what is known of a recipient, with a look-up in Outreach if a live audience needs it.

    within: seconds until this returns, whatever Outreach does. Never call it inside a transaction.
    ruleset: the domain's, if the caller has it already.
    network: that requests a banner image without login; see `ask_outreach`.
    """
    if not is_address(address):
        return Known(None, Gap.NO_ADDRESS)
    ends_at = time.monotonic() + within
    now = timezone.now()
    ruleset = ruleset or load_ruleset(domain, since=now)
    question = make_question(domain, address, ruleset, asked=get_asked(ruleset, at=now))
    looked_up = ask_outreach(question, within=ends_at - time.monotonic(), network=network)
    verdicts = _keep(question, question.judge(None, only=_get_local(ruleset))) if ruleset.audiences else {}
    shown = count_shown(domain, question.key, ruleset, at=now)
    facts = RecipientFacts(question.key, _get_matched(verdicts, ruleset), shown)
    return Known(facts, looked_up.gap, looked_up.until if looked_up.gap else None)


def get_fields_asked(domain: Domain) -> frozenset[str]:
    """Return the prospect attributes that a look-up would request now: those of live audiences."""
    now = timezone.now()
    return get_asked(load_ruleset(domain, since=now), at=now)


def _keep(question: Question, local: Verdicts) -> Verdicts:
    """Store the results of conditions that need no record with the others, and return all."""
    now = timezone.now()
    row, _ = KnownRecipient.objects.get_or_create(
        domain=question.domain,
        recipient_key=question.key,
        defaults={"verdicts": local, "expires_at": now + LIFE},
    )
    is_over = row.expires_at <= now
    verdicts = {**({} if is_over else row.verdicts), **local}
    if is_over or verdicts != row.verdicts:
        # Not over an answer that came meanwhile: it has judged the local ones as well.
        question.get_rows().filter(answered_at=row.answered_at).update(
            verdicts=verdicts, expires_at=now + LIFE if is_over else row.expires_at
        )
    return verdicts


def count_shown(
    domain: Domain, key: str, ruleset: Ruleset, *, at: datetime, until: datetime | None = None
) -> dict[int, int]:
    """Return campaign id -> how often this recipient got it within its cap's days; capped campaigns only.

    until: leaves out later decisions; None counts all.
    """
    caps = ruleset.get_caps()
    if not caps:
        return {}
    counted = {
        f"shown{campaign_id}": Count(
            "pk", filter=Q(campaign_id=campaign_id, at__gt=at - timedelta(days=cap.days))
        )
        for campaign_id, cap in caps.items()
    }
    rows = Decision.objects.filter(domain=domain, recipient_key=key, campaign_id__in=caps)
    if until is not None:
        rows = rows.filter(at__lte=until)
    totals = rows.aggregate(**counted)
    return {campaign_id: totals[f"shown{campaign_id}"] for campaign_id in caps}


def _get_local(ruleset: Ruleset) -> list[int]:
    return [pk for pk, conditions in ruleset.audiences.items() if not needs_prospect(conditions)]


def _get_matched(verdicts: Verdicts, ruleset: Ruleset) -> frozenset[int]:
    return frozenset(
        pk
        for pk, conditions in ruleset.audiences.items()
        if (verdict := verdicts.get(str(pk))) and verdict[1] and fits(verdict, conditions)
    )
