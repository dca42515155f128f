"""What campaigns are at this moment is the first that is kept of them."""

from django.db import migrations


def keep_first_editions(apps, schema_editor):
    Campaign = apps.get_model("signatures", "Campaign")
    CampaignEdition = apps.get_model("signatures", "CampaignEdition")
    campaigns = Campaign.objects.prefetch_related("banners", "groups").order_by("pk")
    for campaign in campaigns.iterator(chunk_size=500):
        banners = [banner for banner in campaign.banners.all() if banner.archived_at is None]
        CampaignEdition.objects.create(
            campaign=campaign,
            rule={
                "name": campaign.name,
                "priority": campaign.priority,
                "starts_at": campaign.starts_at.isoformat(),
                "ends_at": campaign.ends_at.isoformat() if campaign.ends_at else None,
                "audience": campaign.audience,
                "cap": [campaign.cap_times, campaign.cap_days],
                "is_paused": campaign.paused_at is not None,
                "is_archived": campaign.archived_at is not None,
                "banners": [[banner.pk, banner.weight, banner.image_id] for banner in sorted(banners, key=lambda one: one.pk)],
                "groups": sorted(group.pk for group in campaign.groups.all()),
            },
        )


class Migration(migrations.Migration):

    dependencies = [
        ('signatures', '0013_campaign_editions'),
    ]

    operations = [
        migrations.RunPython(keep_first_editions, migrations.RunPython.noop),
    ]
