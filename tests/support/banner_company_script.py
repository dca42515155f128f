"""A script for an installation: a company whose signatures carry a banner; prints the keys of its senders."""

MAKE_COMPANY = """
import json
from io import BytesIO
from uuid import uuid4
from django.utils import timezone
from PIL import Image
from integrations.connection.lifecycle import Authorisation, accept_authorisation
from integrations.models import Person
from integrations.outreach.oauth import TokenReply
from integrations.outreach.scopes import REQUESTED
from portal.models import Domain, User
from signatures.campaigns.images import take_in
from signatures.models import Banner, BannerPlace, Campaign, Group, RecipientPrivacy, Sender

def draw(colour):
    file = BytesIO()
    Image.new("RGB", (960, 240), colour).save(file, "PNG")
    return take_in(BytesIO(file.getvalue()), domain=domain, width=480, height=120)

domain = Domain.objects.create(name="acme.example")
user = User.objects.create_user("dana@acme.example", "correct horse battery")
reply = TokenReply("access", "refresh", 7200, " ".join(REQUESTED), int(timezone.now().timestamp()))
connection = accept_authorisation(
    uuid4(), Authorisation(domain, user, reply, REQUESTED, REQUESTED, True, "acme", "Acme"))
group = Group.objects.create(domain=domain, name="Everybody")
now = timezone.now()
senders = []
for number in range(4):
    person = Person.objects.create(
        connection=connection, remote_id=str(number), email=f"p{number}@acme.example", digest="x", changed_at=now)
    senders.append(Sender.objects.create(
        domain=domain, person=person, email=person.email, group=group, changed_at=now))
BannerPlace.objects.update_or_create(domain=domain, defaults={"is_on": True})
RecipientPrivacy.objects.update_or_create(domain=domain, defaults={"recipient_variable": "{{email}}"})
red = Campaign.objects.create(domain=domain, name="Red")
Banner.objects.create(campaign=red, name="red", image=draw("red"), alt="x", link="https://www.acme.example/red")
vips = Campaign.objects.create(domain=domain, name="For some", priority=5, audience=[
    {"attribute": "title", "operator": "is", "values": ["Boss"]}])
Banner.objects.create(campaign=vips, name="blue", image=draw("blue"), alt="x", link="https://www.acme.example/blue")
print(json.dumps([sender.banner_key for sender in senders]))
"""
SHOW_BLUE_TO_ALL = """
from signatures.models import BannerPlace, Campaign
campaign = Campaign.objects.get(name="For some")
campaign.audience = []
campaign.save()
BannerPlace.objects.touch(campaign.domain)
"""
SWEEP = """
from signatures.analytics.spool_import import sweep_spool
print(sweep_spool())
"""
COUNT_ROWS = """
import json
from collections import Counter
from signatures.models import BannerEvent
print(json.dumps(Counter(BannerEvent.objects.values_list("kind", flat=True))))
"""
