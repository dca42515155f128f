"""Each domain that has delivered has its first release: the versions that mailboxes hold, and today's other content.

No mailbox changes by it. What was edited since the last delivery of a template stays a draft. Of a template that
mailboxes hold in several versions, a release can have one, so it has the commonest; the others are pending.
"""

import hashlib
import json
from collections import Counter
from datetime import UTC, datetime

from django.db import migrations
from django.utils import timezone

COMPANY = ("name", "tagline", "website", "phone", "address", "logo_url", "accent", "legal")


def make_first_releases(apps, schema_editor):
    get = lambda name: apps.get_model("signatures", name)  # noqa: E731 - the eight models this reads
    Release, Placement, DeliveryRun = get("Release"), get("Placement"), get("DeliveryRun")
    for domain_id in Placement.objects.order_by("domain").values_list("domain", flat=True).distinct():
        delivered = count_delivered(Placement, domain_id)
        content = build_content(get, domain_id, delivered)
        text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        release = Release.objects.create(
            domain_id=domain_id,
            number=1,
            content=content,
            digest=hashlib.sha256(text.encode()).hexdigest(),
            state="live",
            note=describe(content, delivered),
            published_at=timezone.now(),
            published_by_label="system",
        )
        unfinished = DeliveryRun.objects.filter(domain_id=domain_id, kind="deliver")
        unfinished.exclude(state__in=["complete", "failed", "skipped"]).update(release=release)
    # Plans and runs of domains without a release have nothing to write.
    DeliveryRun.objects.filter(kind="deliver", release=None, state__in=["planning", "planned"]).delete()
    get("Following").objects.update(senders_until=None)  # every status is worked out with the next sync


def build_content(get, domain_id, delivered):
    """Return what `signatures.releases.content` describes as format 1."""
    templates = {}
    for template in get("Template").objects.filter(domain_id=domain_id, archived_at=None).order_by("pk"):
        versions = delivered.get(template.pk)
        version_id = versions.most_common(1)[0][0] if versions else template.current_id
        if version_id is not None:
            templates[str(template.pk)] = version_id
    assigned = get("Assignment").objects.filter(domain_id=domain_id, template__archived_at=None)
    by_group = dict(assigned.filter(group__isnull=False).values_list("group_id", "template_id"))
    by_sender = assigned.filter(sender__isnull=False).order_by("sender").values_list("sender_id", "template_id")
    groups = get("Group").objects.filter(domain_id=domain_id, archived_at=None)
    brand = get("Brand").objects.filter(domain_id=domain_id).first() or get("Brand")(domain_id=domain_id)
    place = get("BannerPlace").objects.filter(domain_id=domain_id).first() or get("BannerPlace")()
    privacy = get("RecipientPrivacy").objects.filter(domain_id=domain_id).first() or get("RecipientPrivacy")()
    return {
        "format": 1,
        "templates": templates,
        "company": {name: getattr(brand, name) for name in COMPANY},
        "banner": {
            "is_on": place.is_on,
            "width": place.width,
            "height": place.height,
            "alt": place.alt,
            "variable": privacy.recipient_variable,
        },
        "groups": [
            {
                "id": group.pk,
                "name": group.name,
                "team_id": group.follows_team_id,
                "is_default": group.is_default,
                "template_id": by_group.get(group.pk),
            }
            for group in groups.order_by("is_default", "position", "id")
        ],
        "people": {str(sender_id): template_id for sender_id, template_id in by_sender},
    }


def count_delivered(placements, domain_id):
    """Return template id -> how many mailboxes hold each of its versions."""
    found = {}
    rows = placements.objects.filter(domain_id=domain_id).exclude(template_version=None)
    for template_id, version_id in rows.values_list("template_version__template_id", "template_version_id"):
        found.setdefault(template_id, Counter())[version_id] += 1
    return found


def describe(content, delivered):
    """Return the note: a release has one version of each template, and mailboxes may hold several."""
    note = "What was delivered when releases were introduced."
    others = sum(
        number
        for template_id, versions in delivered.items()
        for version_id, number in versions.items()
        if content["templates"].get(str(template_id)) not in (None, version_id)
    )
    if others:
        hold = "1 mailbox holds" if others == 1 else f"{others:,} mailboxes hold"
        note += f" {hold} another version of the template: pending, and unchanged until somebody delivers to them."
    return note


def get_last_disconnect(connections, domain_id):
    ended = connections.objects.filter(domain_id=domain_id).exclude(disconnected_at=None)
    last = ended.order_by("-disconnected_at").values_list("disconnected_at", flat=True).first()
    return last or datetime.fromtimestamp(0, tz=UTC)


def leave_restored_alone(apps, schema_editor):
    """Mailboxes that got their original back while they stayed connected are left alone."""
    Connection = apps.get_model("integrations", "Connection")
    Snapshot, LeftAlone = apps.get_model("signatures", "Snapshot"), apps.get_model("signatures", "LeftAlone")
    for connection in Connection.objects.filter(state__in=["active", "misconfigured", "lost"]):
        restored = Snapshot.objects.filter(
            domain_id=connection.domain_id,
            account_key__in=[connection.account_key, ""],
            restored_at__gt=get_last_disconnect(Connection, connection.domain_id),
        )
        for snapshot in restored.iterator():
            LeftAlone.objects.get_or_create(
                domain_id=connection.domain_id,
                account_key=snapshot.account_key,
                mailbox_remote_id=snapshot.mailbox_remote_id,
                defaults={
                    "mailbox_email": snapshot.mailbox_email,
                    "why": "restored",
                    "held_sha256": hashlib.sha256(
                        snapshot.original_html.encode("utf-8", "surrogatepass")
                    ).hexdigest(),
                    "decided_by_label": "system",
                    "decided_at": snapshot.restored_at,
                },
            )


class Migration(migrations.Migration):
    dependencies = [("signatures", "0024_releases"), ("integrations", "0025_mailbox_written_at")]
    operations = [
        migrations.RunPython(make_first_releases, migrations.RunPython.noop),
        migrations.RunPython(leave_restored_alone, migrations.RunPython.noop),
    ]
