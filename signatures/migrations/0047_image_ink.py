"""Each stored PNG is measured: how much of it is transparent, and how dark the rest is. JPEG has no transparency.

Files keep their bytes and addresses. One that can no longer be read counts as opaque, and gets no warning.
"""

from io import BytesIO

from django.db import migrations, models
from PIL import Image

from signatures.media.encoding import PNG, measure_ink

AT_ONCE = 100  # files of up to 150 KB


def measure_files(apps, schema_editor):
    MediaFile = apps.get_model("signatures", "MediaFile")
    ids = list(MediaFile.objects.filter(media_type=PNG).order_by("pk").values_list("pk", flat=True))
    for start in range(0, len(ids), AT_ONCE):
        rows = list(MediaFile.objects.filter(pk__in=ids[start : start + AT_ONCE]).only("bytes_1x"))
        for row in rows:
            row.transparent_percent, row.ink_luma = _measure(bytes(row.bytes_1x))
        MediaFile.objects.bulk_update(rows, ["transparent_percent", "ink_luma"])


def _measure(content):
    try:
        with Image.open(BytesIO(content), formats=("PNG",)) as stored:
            has_alpha = stored.mode in ("RGBA", "LA", "PA") or "transparency" in stored.info
            return measure_ink(stored.convert("RGBA" if has_alpha else "RGB"))
    except (OSError, ValueError, SyntaxError):
        return 0, 255


class Migration(migrations.Migration):

    dependencies = [
        ("signatures", "0046_self_service"),
    ]

    operations = [
        migrations.AddField(
            model_name="mediafile",
            name="transparent_percent",
            field=models.PositiveSmallIntegerField(default=0, help_text="Of its pixels."),
        ),
        migrations.AddField(
            model_name="mediafile",
            name="ink_luma",
            field=models.PositiveSmallIntegerField(
                default=255, help_text="Mean luma of the other pixels, 0 for black to 255 for white."
            ),
        ),
        migrations.RunPython(measure_files, migrations.RunPython.noop, elidable=True),
    ]
