"""Registry of retention: every table that grows, how long its rows are kept, what stays, and what removes them.

Every model stands in RULES or in LASTING; a test says so, and compares docs/retention.md with `write_table`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from integrations import retention as syncs
from integrations.ledger import pruning
from signatures.analytics.retention import get_old_counts
from signatures.audiences.seen_values import get_unseen
from signatures.delivery import retention as deliveries
from signatures.delivery.status_days import get_old_days
from signatures.media import retention as media
from signatures.models import DailyCount, DailyTotal
from signatures.recipients import retention as recipients
from signatures.recipients.lookup_share import get_old_shares
from signatures.self_service.retention import get_decided_changes
from signatures.value_files import retention as value_files

from . import invitations, sessions


@dataclass(frozen=True, slots=True)
class Rule:
    """How long the rows of one model are kept.

    kept: how long, with the setting's name. stays: what is kept however old it is. by: the schedule, or what else
    removes them. old: the rows that go next, at most, in queries that an index or the table's size bounds; None where
    only the removal itself can tell.
    """

    model: str
    kept: str
    by: str
    stays: str = ""
    old: Callable[[], Iterable[QuerySet[Any]]] | None = None


def _one(get: Callable[[], QuerySet[Any]]) -> Callable[[], Iterator[QuerySet[Any]]]:
    def old() -> Iterator[QuerySet[Any]]:
        yield get()

    return old


_SYNCS, _DELIVERIES, _MEDIA = "remove old syncs", "remove old deliveries", "remove old media"
_SESSIONS, _INVITATIONS, _EVENTS = (
    "remove expired sessions",
    "remove closed invitations",
    "remove old banner events",
)
_AUDIENCES, _COUNTS = "count audience matches", "remove old counts"

RULES = (
    Rule(
        "integrations.SyncRun",
        "`SYNC_KEEP_DAYS` (90) after its end",
        _SYNCS,
        "the last of each kind and outcome, and one that a rejected record names",
        _one(syncs.get_old_runs),
    ),
    Rule(
        "integrations.RejectedRecord",
        "`SYNC_KEEP_DAYS` (90) after it was seen last",
        _SYNCS,
        "those of a living connection: they go once the record fits or is gone",
        _one(syncs.get_old_rejections),
    ),
    Rule(
        "integrations.Notice",
        "`SYNC_KEEP_DAYS` (90) after its end",
        _SYNCS,
        "open ones",
        _one(syncs.get_old_notices),
    ),
    Rule(
        "integrations.ChainCheck",
        "until the entries it signed are pruned",
        _SYNCS,
        "the newest of each chain",
        _one(syncs.get_old_checks),
    ),
    Rule(
        "integrations.LedgerEntry",
        "`LEDGER_KEEP_DAYS` (400)",
        "prune the ledger",
        "everything of a broken chain; a signed checkpoint stands for what went",
        pruning.list_old_entries,
    ),
    Rule("integrations.AssumptionReport", "the newest ten of a connection", "the next report"),
    Rule(
        "signatures.DeliveryRun",
        "`DELIVERY_KEEP_DAYS` (365) after its end",
        _DELIVERIES,
        "the last of each kind and outcome, and the last restore of a connection",
        _one(deliveries.get_old_runs),
    ),
    Rule(
        "signatures.Delivery",
        "`DELIVERY_KEEP_DAYS` (365) after its run's end",
        _DELIVERIES,
        "of each mailbox the last attempt, the last write and the last confirmed one",
        _one(deliveries.get_old_rows),
    ),
    Rule(
        "signatures.SignatureHtml",
        "until nothing names it, a day at least",
        _DELIVERIES,
        "what a mailbox holds, and what a delivery that is kept found or wrote",
    ),
    Rule("signatures.MailboxDay", "`DELIVERY_KEEP_DAYS` (365)", _DELIVERIES, old=_one(get_old_days)),
    Rule(
        "signatures.SenderImport",
        "90 days, and until then it can be undone",
        _DELIVERIES,
        old=_one(value_files.get_old_imports),
    ),
    Rule(
        "signatures.SenderImportRow",
        "90 days, with its file",
        _DELIVERIES,
        old=_one(value_files.get_old_rows),
    ),
    Rule(
        "signatures.MediaImage",
        "`MEDIA_KEEP_DAYS` (365) after it was removed",
        _MEDIA,
        "one that a template, a value, a release or a mailbox names",
        _one(media.get_old_images),
    ),
    Rule(
        "signatures.MediaFile",
        "`MEDIA_KEEP_DAYS` (365) after it was replaced",
        _MEDIA,
        "one that a template, a value, a release or a mailbox names",
        _one(media.get_old_crops),
    ),
    Rule(
        "signatures.BannerEvent",
        "the domain's *Data retention* (90 days)",
        _EVENTS,
        "those that are not counted yet",
        recipients.list_old_events,
    ),
    Rule(
        "signatures.CampaignRevision",
        "as long as events and decisions",
        _EVENTS,
        "the last one of each campaign before that",
        recipients.list_old_revisions,
    ),
    Rule(
        "signatures.Decision",
        "the domain's *Data retention* (30 days)",
        "remove old decisions",
        old=recipients.list_old_decisions,
    ),
    Rule(
        "signatures.DailyCount",
        "`COUNT_KEEP_DAYS` (1,095)",
        _COUNTS,
        old=_one(lambda: get_old_counts(DailyCount)),
    ),
    Rule(
        "signatures.DailyTotal",
        "`COUNT_KEEP_DAYS` (1,095)",
        _COUNTS,
        old=_one(lambda: get_old_counts(DailyTotal)),
    ),
    Rule(
        "signatures.KnownRecipient",
        "an hour",
        _AUDIENCES,
        "one whose audiences are not counted yet",
        _one(recipients.get_expired),
    ),
    Rule("signatures.SeenValue", "90 days after a look-up last saw it", _AUDIENCES, old=_one(get_unseen)),
    Rule(
        "signatures.LookupShare",
        "an hour",
        _AUDIENCES,
        old=_one(lambda: get_old_shares(now=timezone.now())),
    ),
    Rule("signatures.SpoolImport", "30 days after its file was found last", "import banner events"),
    Rule("signatures.MailReceipt", "while a mail server may send the mail again", "the mail gateway"),
    Rule(
        "signatures.SenderChange",
        "`DECIDED_KEEP_DAYS` (365) after it was decided",
        "remove decided changes",
        "what waits for approval",
        _one(get_decided_changes),
    ),
    Rule(
        "signatures.SenderInvitation",
        "`DECIDED_KEEP_DAYS` (365) after it was accepted, withdrawn or expired",
        _INVITATIONS,
        "open ones",
        _one(invitations.get_closed_sender_invitations),
    ),
    Rule(
        "portal.Invitation",
        "`DECIDED_KEEP_DAYS` (365) after it was accepted, withdrawn or expired",
        _INVITATIONS,
        "open ones",
        _one(invitations.get_closed_invitations),
    ),
    Rule(
        "portal.WorkerMachine",
        "30 days after it was seen last",
        _SESSIONS,
        old=_one(sessions.get_old_machines),
    ),
    Rule(
        "sessions.Session", "until it expires, 12 hours", _SESSIONS, old=_one(sessions.get_expired_sessions)
    ),
    Rule(
        "usersessions.UserSession",
        "as long as its session",
        _SESSIONS,
        old=_one(sessions.get_ended_sessions),
    ),
    Rule(
        "admin.LogEntry",
        "`DECIDED_KEEP_DAYS` (365)",
        _SESSIONS,
        old=_one(sessions.get_old_admin_entries),
    ),
    Rule("django_q.Success", "the newest 1,000 of each task", "the worker"),
    Rule("django_q.Failure", "`SYNC_KEEP_DAYS` (90)", _SESSIONS, old=_one(sessions.get_old_failures)),
    Rule(
        "django_q.OrmQ",
        "until a worker took it, seven days at most",
        _SESSIONS,
        old=_one(sessions.get_forgotten_tasks),
    ),
)

LASTING = {
    "portal.User": "one for each person",
    "portal.Domain": "one for each mail domain",
    "portal.Membership": "one for each person and domain",
    "portal.IdentityProvider": "one for each domain",
    "portal.WorkerHeartbeat": "one for each queue, and one for the search for lapsed leases",
    "portal.MetricSum": "one for each metric and its labels",
    "integrations.Connection": "one for each time somebody connects",
    "integrations.LookupState": "one for each connection",
    "integrations.CallBudget": "one for each connection",
    "integrations.NoticeChannels": "one for each domain",
    "integrations.Receipt": "one for each disconnect; the domain's proof of it",
    "integrations.SigningKey": "one for each key; earlier ones verify what they signed",
    "integrations.LedgerChain": "one for each domain",
    "integrations.LedgerDay": "a few sums a day; the ledger is checked against them, also where entries were pruned",
    "integrations.LedgerCheckpoint": "one a week at most times; what stands for pruned entries",
    "integrations.Team": "one for each team in Outreach",
    "integrations.Person": "one for each person in Outreach, also former ones, to whom originals belong",
    "integrations.Mailbox": "one for each mailbox in Outreach",
    "signatures.CountingState": "one for each domain",
    "signatures.Template": "one for each template",
    "signatures.TemplateVersion": "one for each time somebody saves; releases name them",
    "signatures.Brand": "one for each domain or group",
    "signatures.Group": "one for each group",
    "signatures.GroupMember": "one for each sender",
    "signatures.DatedAssignment": "one for each template with dates",
    "signatures.Disclaimer": "one for each disclaimer with dates",
    "signatures.Sender": "one for each person in Outreach",
    "signatures.Assignment": "one for each group or sender with a template",
    "signatures.BannerImage": "one for each image that somebody uploads; mails show it",
    "signatures.BannerPlace": "one for each domain",
    "signatures.Campaign": "one for each campaign",
    "signatures.Banner": "one for each banner",
    "signatures.AudienceTally": "one for each audience",
    "signatures.RecipientList": "one for each list that somebody uploads",
    "signatures.RecipientListEntry": "one for each address on a list; it goes with the list",
    "signatures.AttributeLabel": "one for each label",
    "signatures.DecisionKey": "one for each API key",
    "signatures.Release": "one for each publication; mailboxes, decisions and “who had what when” name them",
    "signatures.ReleaseRequest": "one for each request; who approved a release",
    "signatures.DraftEdit": "one for each thing with a draft; it goes when that is published",
    "signatures.ValueDraft": "one for each thing with a draft; it goes when that is published",
    "signatures.Snapshot": "one for each mailbox: its original",
    "signatures.Placement": "one for each mailbox: what was placed last",
    "signatures.MailboxState": "one for each mailbox",
    "signatures.LeftAlone": "one for each mailbox that is left alone",
    "signatures.Following": "one for each domain",
    "signatures.DeliverySettings": "one for each domain",
    "signatures.FieldSetting": "one for each field of a domain",
    "signatures.TeamsCount": "one for each domain",
    "signatures.MediaLibrary": "one for each domain",
    "signatures.RecipientPrivacy": "one for each domain",
    "signatures.VariableTest": "one for each domain",
    "signatures.SavedView": "one for each view that somebody saves",
    "signatures.SelfService": "one for each domain",
    "signatures.SenderAccount": "one for each sender with self-service",
    "account.EmailAddress": "one for each address of a person",
    "account.EmailConfirmation": "none: links are signed, and not stored",
    "socialaccount.SocialApp": "none: providers are in IdentityProvider",
    "socialaccount.SocialAccount": "one for each person and provider",
    "socialaccount.SocialToken": "none: tokens of providers are not stored",
    "mfa.Authenticator": "a few for each person",
    "auth.Group": "as operators make them",
    "auth.Permission": "one for each act and model",
    "contenttypes.ContentType": "one for each model",
    "django_q.Schedule": "one for each schedule",
    "django_q.Task": "its rows are those of Success and Failure",
}
"""Does not grow with time, or by what people make and keep: model and why."""


def write_table() -> str:
    """Return the table of docs/retention.md."""
    head = ["| table | kept for | what stays longer | removed by |", "|---|---|---|---|"]
    rows = [f"| `{rule.model}` | {rule.kept} | {rule.stays} | *{rule.by}* |" for rule in RULES]
    lasting = ["", "| table | why it is not pruned |", "|---|---|"]
    return "\n".join([*head, *rows, *lasting, *(f"| `{model}` | {why} |" for model, why in LASTING.items())])
