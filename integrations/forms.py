"""Forms: what to sync, how to disconnect, and which entries of the ledger to show."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.db.models import Q, QuerySet

from portal.models import Domain
from portal.outgoing import LONGEST_ADDRESS, is_acceptable

from .ledger.subjects import MOST, find_mailbox_ids
from .models import Connection, LedgerEntry, Mode, Outcome, SyncKind


class SyncForm(forms.Form):
    """kind: what to read. confirms_removals: somebody agreed that many rows may be retired at once."""

    kind = forms.ChoiceField(choices=[(kind.value, kind.label) for kind in (SyncKind.CHANGES, SyncKind.FULL)])
    confirms_removals = forms.BooleanField(required=False)


class DisconnectForm(forms.Form):
    """restores: '1' restores the originals first, '0' leaves every signature as it is.

    confirmation: the domain's name, typed, as one press would otherwise change every mailbox.
    """

    restores = forms.TypedChoiceField(
        choices=[("1", "Restore and disconnect"), ("0", "Disconnect without restoring")],
        coerce=lambda text: text == "1",
        widget=forms.HiddenInput,
    )
    confirmation = forms.CharField(
        label="Type the domain’s name", max_length=255, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )

    def __init__(self, *args: Any, domain: Domain, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._domain = domain
        self.fields[
            "confirmation"
        ].help_text = f"{domain.name}, to confirm. Both ways to disconnect require it."

    def clean_confirmation(self) -> str:
        typed = str(self.cleaned_data["confirmation"]).strip().lower()
        if typed != self._domain.name:
            raise forms.ValidationError(f"The name does not match. Type {self._domain.name}.")
        return typed


class NoticeChannelsForm(forms.Form):
    """New addresses; an empty field changes nothing. Their names let no copy of them be kept (`portal.reauth`)."""

    webhook_secret_url = forms.URLField(
        label="Webhook URL",
        required=False,
        max_length=LONGEST_ADDRESS,
        assume_scheme="https",
        help_text="Gets each message as signed JSON.",
        widget=forms.URLInput(attrs={"autocomplete": "off"}),
    )
    slack_secret_url = forms.URLField(
        label="Slack-compatible webhook URL",
        required=False,
        max_length=LONGEST_ADDRESS,
        assume_scheme="https",
        help_text="An incoming webhook of Slack, Mattermost or another that takes the same JSON.",
        widget=forms.URLInput(attrs={"autocomplete": "off"}),
    )

    def clean_webhook_secret_url(self) -> str:
        return self._check("webhook_secret_url")

    def clean_slack_secret_url(self) -> str:
        return self._check("slack_secret_url")

    def _check(self, name: str) -> str:
        url = str(self.cleaned_data[name])
        if url and not is_acceptable(url):
            raise forms.ValidationError(
                "Enter a URL that starts with https://, in ASCII, without a user name or password."
            )
        return url


class LeaveForm(forms.Form):
    """number: how many mailboxes the page said would be left as they are."""

    number = forms.IntegerField(min_value=0)


class RequestForm(forms.Form):
    """ask_for: which of the two fixed requests goes to Outreach; the usual one where nothing is said."""

    USUAL, NARROWER = "usual", "narrower"

    ask_for = forms.ChoiceField(
        required=False, choices=[(USUAL, "The usual request"), (NARROWER, "The narrower request")]
    )

    @property
    def is_narrower(self) -> bool:
        return self.cleaned_data["ask_for"] == self.NARROWER


class SwitchOffForm(forms.Form):
    """reason: one line for the ledger, and for everybody whose page is blocked by it."""

    reason = forms.CharField(
        label="Why",
        max_length=300,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text="Shown on the pages that are blocked by it, and kept in the ledger.",
    )

    def clean_reason(self) -> str:
        # It is quoted in the middle of sentences.
        return " ".join(str(self.cleaned_data["reason"]).split()).rstrip(".")


class SwitchOnForm(SwitchOffForm):
    """The same, and the permission's name typed once more, so that nobody does it in passing."""

    field_order = ["confirmation", "reason"]

    confirmation = forms.CharField(
        label="Type the permission’s name",
        max_length=64,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )

    def __init__(self, *args: Any, scope: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._scope = scope
        self.fields["reason"].help_text = "Kept in the ledger."
        self.fields["confirmation"].help_text = f"Exactly as it is written here: {scope}"

    def clean_confirmation(self) -> str:
        typed = str(self.cleaned_data["confirmation"]).strip()
        if typed != self._scope:
            raise forms.ValidationError(f"The name does not match. Type {self._scope}.")
        return typed


class AdminSwitchForm(SwitchOffForm):
    """An operator's way: which permission, off or on, and why. scopes: those that a connection may hold."""

    field_order = ["scope", "turn", "confirmation", "reason"]

    scope = forms.ChoiceField(label="Permission")
    turn = forms.ChoiceField(label="Switch", choices=[("off", "off"), ("on", "on again")])
    confirmation = forms.CharField(
        required=False, max_length=64, label="Permission name", help_text="Needed only to switch it on again."
    )

    def __init__(self, *args: Any, scopes: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["scope"].choices = [(scope, scope) for scope in scopes]  # type: ignore[attr-defined]  # as below

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        is_named = str(cleaned.get("confirmation", "")).strip() == cleaned.get("scope")
        if cleaned.get("turn") == "on" and not is_named:
            self.add_error(
                "confirmation", "To switch it on, type the permission’s name as it is chosen above."
            )
        return cleaned


class ModeForm(forms.Form):
    mode = forms.ChoiceField(choices=Mode.choices)


VERBS = [("", "Any"), ("read", "Read"), ("write", "Write"), ("token", "Authentication")]


class LedgerFilterForm(forms.Form):
    """Narrows the entries of one domain; days are days of the domain's zone, both ends included."""

    connection = forms.ModelChoiceField(
        Connection.objects.none(), required=False, label="Connection", empty_label="All connections"
    )
    scope = forms.ChoiceField(required=False, label="Permission")
    verb = forms.ChoiceField(required=False, label="Verb", choices=VERBS)
    outcome = forms.ChoiceField(required=False, label="Outcome", choices=[("", "Any"), *Outcome.choices])
    since = forms.DateField(required=False, label="From", widget=forms.DateInput(attrs={"type": "date"}))
    until = forms.DateField(required=False, label="To", widget=forms.DateInput(attrs={"type": "date"}))
    job = forms.CharField(
        required=False,
        label="Job",
        max_length=64,
        widget=forms.TextInput(attrs={"list": "jobs", "placeholder": "sync 12"}),
    )
    person = forms.CharField(
        required=False,
        label="Person",
        max_length=255,
        widget=forms.TextInput(
            attrs={"list": "people", "placeholder": "dana@acme.com", "autocomplete": "off"}
        ),
    )

    mailbox = forms.CharField(
        required=False,
        label="Mailbox",
        max_length=255,
        widget=forms.TextInput(attrs={"placeholder": "E-mail address or person", "autocomplete": "off"}),
    )

    def __init__(self, *args: Any, scopes: list[str], domain: Domain, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._domain = domain
        self._mailbox_ids: list[str] = []
        self._zone = ZoneInfo(domain.time_zone)
        connection: Any = self.fields["connection"]
        connection.queryset = domain.connections.all()
        connection.label_from_instance = self._name_connection
        choices = [("", "Any"), *((scope, scope) for scope in scopes), ("-", "None: admin actions")]
        self.fields["scope"].choices = choices  # type: ignore[attr-defined]  # a ChoiceField by declaration

    def _name_connection(self, connection: Connection) -> str:
        at = connection.authorised_at.astimezone(self._zone)
        return f"{at:%-d %b %Y}, {connection.authorised_by_label}: {connection.get_state_display().lower()}"

    def get_connection(self) -> Connection | None:
        """Return the one connection that was asked for, or None for all of them."""
        found: Connection | None = self.cleaned_data.get("connection") if self.is_valid() else None
        return found

    def clean_mailbox(self) -> str:
        words = str(self.cleaned_data["mailbox"]).strip()
        self._mailbox_ids = find_mailbox_ids(self._domain, words) if words else []
        if len(self._mailbox_ids) > MOST:
            raise forms.ValidationError(f"More than {MOST:,} mailboxes match. Type more of the address.")
        return words

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        since, until = cleaned.get("since"), cleaned.get("until")
        if since and until and until < since:
            self.add_error("until", "This day is before the first day.")
        return cleaned

    @property
    def asked(self) -> dict[str, str]:
        """Return what was asked for, by the fields' labels; empty where everything is shown."""
        given = self.cleaned_data if self.is_valid() else {}
        return {str(self.fields[name].label): str(value) for name, value in given.items() if value}

    def narrow(self, entries: QuerySet[LedgerEntry]) -> QuerySet[LedgerEntry]:
        """Return the entries that match; none while the form has an error, so that nothing false is shown."""
        if not self.is_valid():
            return entries.none()
        wanted = self.cleaned_data
        if wanted["connection"]:
            entries = entries.filter(connection_ref=str(wanted["connection"].pk))
        if wanted["scope"]:
            entries = entries.filter(scope="" if wanted["scope"] == "-" else wanted["scope"])
        if wanted["verb"]:
            entries = entries.filter(verb=wanted["verb"])
        if wanted["outcome"]:
            entries = entries.filter(outcome=wanted["outcome"])
        if wanted["person"]:
            entries = entries.filter(actor_label=wanted["person"])
        if wanted["mailbox"]:
            entries = entries.filter(verb="write", object_ref__in=self._mailbox_ids)
        if wanted["since"]:
            entries = entries.filter(at__gte=datetime.combine(wanted["since"], time.min, self._zone))
        if wanted["until"]:
            day_after = wanted["until"] + timedelta(days=1)
            entries = entries.filter(at__lt=datetime.combine(day_after, time.min, self._zone))
        return self._narrow_to_job(entries, wanted["job"].lower())

    def _narrow_to_job(self, entries: QuerySet[LedgerEntry], job: str) -> QuerySet[LedgerEntry]:
        """One job by its number, or every job of a kind: 'sync' is sync 1, sync 2 and so on."""
        if not job:
            return entries
        if job[-1].isdigit():
            return entries.filter(job=job)
        return entries.filter(Q(job=job) | Q(job__startswith=f"{job} "))
