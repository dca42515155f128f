"""Rows: what each row of a file would change, or why it cannot; nothing is stored here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from django.db.models.functions import Lower

from portal.csv_export import restore_cell
from portal.csv_import import Row
from portal.models import Domain
from signatures.audiences.mail_addresses import MAX_LENGTH, is_address
from signatures.models import RowState, Sender, SenderImport, SenderImportRow
from signatures.rendering.context import build_context
from signatures.senders.many_values import MAX_VALUE, get_present_values, list_importable_fields
from signatures.senders.numbers import list_typed_numbers, store_numbers
from signatures.senders.value_sources import get_home_region
from signatures.senders.values import get_brand, get_mirrored_values, get_sender_values
from signatures.senders.vocabulary import get_field_rules

from .columns import ADDRESS, SKIP

_MAX_QUOTED = 80  # characters of a value in a reason


class RowJudge:
    """Judges the rows of one file by the senders, values and fields of its domain."""

    def __init__(self, sender_import: SenderImport) -> None:
        self._import = sender_import
        self._domain = sender_import.domain
        self._address = sender_import.columns.index(ADDRESS)
        self._labels = {field.name: field.label for field in list_importable_fields(self._domain)}
        self._rules = get_field_rules(self._domain)
        self._company = {"company.phone": get_brand(self._domain).phone}

    def judge(self, rows: Sequence[Row]) -> list[SenderImportRow]:
        """Return what each of these rows would change; two queries, whatever their number."""
        addresses = [self._read(row, self._address).lower() for row in rows]
        senders = _find_senders(self._domain, addresses)
        present = get_present_values(self._domain, list(senders.values()), waits=self._import.waits)
        return [
            self._judge_row(row, address, senders.get(address), present)
            for row, address in zip(rows, addresses, strict=True)
        ]

    def _judge_row(
        self, row: Row, address: str, sender: Sender | None, present: Mapping[int, Mapping[str, str]]
    ) -> SenderImportRow:
        judged = SenderImportRow(
            sender_import=self._import, line=row.line, address=address[:MAX_LENGTH], sender=sender
        )
        typed = self._get_typed(row)
        if sender is None:
            judged.state, judged.reason = _explain_unknown(address)
        elif problem := self._find_problem(typed):
            judged.state, judged.reason = RowState.REFUSED, problem
        else:
            home = get_home_region(get_mirrored_values(sender), self._company)
            stored, shown = store_numbers(typed, self._rules, home), get_sender_values(sender, self._rules)
            judged.values = _compare(typed, stored, present[sender.pk], shown)
            judged.reason = self._say_typed_numbers(judged.values)
            is_new = not any(was for _, _, was in judged.values.values())
            judged.state = RowState.NEW if is_new else RowState.CHANGED
            if not judged.values:
                judged.state = RowState.SAME
        return judged

    def _say_typed_numbers(self, changes: Mapping[str, Sequence[str]]) -> str:
        """Return the warning about phone numbers of a row that are kept as they were typed, or ''."""
        typed = list_typed_numbers({name: new for name, (_, new, _) in changes.items()})
        labels = ", ".join(self._labels[name] for name in typed)
        return f"Kept as typed, as it is not one number of a known country: {labels}." if typed else ""

    def _get_typed(self, row: Row) -> dict[str, str]:
        """Return merge field -> text of a row's cells; an empty one only where it removes the value."""
        named = [(at, name) for at, name in enumerate(self._import.columns) if name not in (ADDRESS, SKIP)]
        typed = {name: self._read(row, at) for at, name in named}
        return {name: text for name, text in typed.items() if text or self._import.removes_empty}

    @staticmethod
    def _read(row: Row, at: int) -> str:
        return restore_cell(row.cells[at]).strip() if at < len(row.cells) else ""

    def _find_problem(self, typed: Mapping[str, str]) -> str:
        """Return why a row's values do not fit, '' where they do."""
        filled = {name: text for name, text in typed.items() if text}
        unfit = build_context(filled, self._rules.vocabulary).missing
        for name, text in filled.items():
            quoted = f"{self._labels[name]} “{text[:_MAX_QUOTED]}”"
            if len(text) > MAX_VALUE:
                return f"{self._labels[name]} has {len(text):,} characters, at most {MAX_VALUE}."
            if name in unfit:
                return f"{quoted}: {unfit[name]}."
            if "\ufffd" in text:
                return f"{quoted} has letters that this encoding cannot read. Choose another encoding."
        return ""


def _compare(
    typed: Mapping[str, str], stored: Mapping[str, str], own: Mapping[str, str], shown: Mapping[str, str]
) -> dict[str, list[str]]:
    """Return what changes, as a row stores it; what Outreach gives already needs no override.

    stored: the typed values as they would be stored.
    """
    changes = {}
    for name, text in typed.items():
        before, was = own.get(name, ""), shown.get(name, "")
        if before not in (text, stored[name]) and (before or text != was):
            changes[name] = [before, stored[name], before or was]
    return changes


def _explain_unknown(address: str) -> tuple[RowState, str]:
    if not address:
        return RowState.REFUSED, "The row has no e-mail address."
    if not is_address(address):
        return RowState.REFUSED, f"“{address[:_MAX_QUOTED]}” is not an e-mail address."
    return RowState.UNKNOWN, "No sender has this e-mail address."


def _find_senders(domain: Domain, addresses: Iterable[str]) -> dict[str, Sender]:
    """Return address -> sender, of several the active one that changed last."""
    found = (
        Sender.objects.annotate(address=Lower("email"))
        .filter(domain=domain, address__in=set(addresses) - {""})
        .select_related("person")
        .order_by("is_active", "changed_at")
    )
    return {sender.email.lower(): sender for sender in found}
