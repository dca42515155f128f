"""Admin of campaigns, banners and the banner slot, by the portal's own functions."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import cached_property

from integrations.admin.base import (
    DomainFilter,
    OperatorAdmin,
    ReadOnlyInline,
    RefusableAdmin,
    act_on_each,
    is_operator,
    say_instant,
)
from portal.access import get_actor
from signatures.audiences.attributes import parse_audience
from signatures.audiences.lists import refuse_missing_lists
from signatures.campaigns.banners import archive_banner, change_place, save_banner
from signatures.campaigns.checks import CampaignRefused
from signatures.campaigns.editing import (
    archive_campaign,
    bring_back_campaign,
    change_campaign,
    copy_campaign,
    create_campaign,
    pause_campaign,
    set_audience,
    start_campaign,
)
from signatures.campaigns.lint_facts import get_states, list_obstacles
from signatures.campaigns.timeline import STATE_LABELS
from signatures.conditions.conditions import ConditionError
from signatures.forms.campaigns import BannerForm, CampaignForm, PlaceForm
from signatures.media.encoding import ImageRefused
from signatures.models import (
    AudienceTally,
    Banner,
    BannerPlace,
    Campaign,
    CampaignRevision,
)


class AdminCampaignForm(CampaignForm):
    """The portal's form, with the domain and the audience as it is stored."""

    audience = forms.JSONField(
        required=False,
        initial=list,
        widget=forms.Textarea(attrs={"class": "vLargeTextField code", "rows": 8}),
        help_text='Such as [{"attribute": "tags", "operator": "has_any", "values": ["emea"]}]; [] for everybody.',
    )

    class Meta(CampaignForm.Meta):
        fields = ["domain", *CampaignForm.Meta.fields, "audience"]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        domain = self._domain or cleaned.get("domain")
        if domain is not None and "audience" in cleaned:
            try:
                refuse_missing_lists(domain, parse_audience(cleaned["audience"] or []))
            except ConditionError as error:
                self.add_error("audience", f"Condition {error.index + 1}: {error.message}")
        return cleaned


class BannerFormSet(forms.BaseInlineFormSet):
    """The campaign's banners; archived ones are on the portal's page only."""

    @cached_property
    def place(self) -> BannerPlace:
        return (
            BannerPlace.objects.for_domain(self.instance.domain) if self.instance.domain_id else BannerPlace()
        )

    def get_form_kwargs(self, index: int | None) -> dict[str, Any]:
        return {**super().get_form_kwargs(index), "place": self.place}


class BannerInline(admin.StackedInline):
    """Banners of one campaign that are not archived."""

    model = Banner
    form = BannerForm
    formset = BannerFormSet
    fields = ["name", "picture", "alt", "link", "weight", "utm_content"]
    extra = 0
    can_delete = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Banner]:
        return super().get_queryset(request).filter(archived_at=None).select_related("campaign__domain")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return is_operator(request)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return is_operator(request) and obj is not None and obj.archived_at is None

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return is_operator(request) and (obj is None or obj.archived_at is None)


class TallyInline(ReadOnlyInline):
    """How many looked-up recipients the audience matched."""

    model = AudienceTally
    fields = ["looked_up", "matched", "last_matched_at", "counts_since"]


class RevisionInline(ReadOnlyInline):
    """Revisions of campaigns."""

    model = CampaignRevision
    fields = ["since", "rule"]
    ordering = ["-since", "-id"]


@admin.register(Campaign)
class CampaignAdmin(RefusableAdmin):
    """Campaigns with their banners. They cannot be deleted; archiving keeps their results."""

    form = AdminCampaignForm
    refusals = (CampaignRefused, ImageRefused)
    autocomplete_fields = ["domain"]
    list_display = ["name", "domain", "state", "priority", "starts", "ends"]
    list_filter = [
        ("paused_at", admin.EmptyFieldListFilter),
        ("archived_at", admin.EmptyFieldListFilter),
        DomainFilter,
    ]
    list_select_related = ["domain"]
    search_fields = ["name", "domain__name"]
    date_hierarchy = "starts_at"
    inlines = [BannerInline, TallyInline, RevisionInline]
    actions = ["start", "pause", "copy", "archive", "bring_back"]

    def get_readonly_fields(self, request: HttpRequest, obj: Campaign | None = None) -> list[str]:
        return ["domain", "state", "blockers"] if obj else []

    def get_fields(self, request: HttpRequest, obj: Campaign | None = None) -> list[Any]:
        """Offer groups only once the campaign is saved: until then, its domain is not known."""
        names = AdminCampaignForm.Meta.fields
        return (
            [*names, "state", "blockers"] if obj is not None else [name for name in names if name != "groups"]
        )

    def has_change_permission(self, request: HttpRequest, obj: Campaign | None = None) -> bool:
        return is_operator(request) and (obj is None or obj.archived_at is None)

    @admin.display(description="Starts", ordering="starts_at")
    def starts(self, campaign: Campaign) -> str:
        return say_instant(campaign.starts_at)

    @admin.display(description="Ends", ordering="ends_at")
    def ends(self, campaign: Campaign) -> str:
        return say_instant(campaign.ends_at)

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        """Return the list; states are computed once for each domain in it, as they depend on other campaigns."""
        found = super().get_changelist_instance(request)
        at = timezone.now()
        states: dict[int, str] = {}
        for domain in {row.domain for row in found.result_list}:
            states |= get_states(domain, at=at)
        for row in found.result_list:
            row.known_state = states.get(row.pk, "archived")
        return found

    @admin.display(description="State")
    def state(self, campaign: Campaign) -> str:
        known = getattr(campaign, "known_state", None)
        if known is None:
            known = get_states(campaign.domain, at=timezone.now()).get(campaign.pk, "archived")
        return STATE_LABELS[known]

    @admin.display(description="Cannot show because")
    def blockers(self, campaign: Campaign) -> str:
        return " ".join(list_obstacles(campaign, at=timezone.now())) or "–"

    def save_model(self, request: HttpRequest, obj: Campaign, form: forms.ModelForm, change: bool) -> None:
        by, groups = get_actor(request).email, form.cleaned_data.get("groups") or []
        details = form.get_details()  # type: ignore[attr-defined]
        if change:
            change_campaign(obj, details, groups=groups, actor=by)
        else:
            obj.pk = create_campaign(obj.domain, details, groups=groups, actor=by).pk
        set_audience(obj, form.cleaned_data["audience"] or [], actor=by)
        obj.refresh_from_db()

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Save banners only: the groups were saved with the campaign."""
        for formset in formsets:
            self.save_formset(request, form, formset, change=change)

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        formset.new_objects, formset.changed_objects, formset.deleted_objects = [], [], []
        for one in formset.forms if formset.model is Banner else ():
            if not one.has_changed():
                continue
            present = Banner.objects.get(pk=one.instance.pk) if one.instance.pk else None
            saved = save_banner(
                form.instance,
                one.get_details(),
                upload=one.cleaned_data.get("picture"),
                banner=present,
                actor=get_actor(request).email,
            )
            if present is None:
                formset.new_objects.append(saved)
            else:
                formset.changed_objects.append((saved, one.changed_data))

    def _act(self, request: HttpRequest, rows: QuerySet[Campaign], act: Any, said: str) -> None:
        def do(campaign: Campaign) -> str:
            act(campaign, actor=get_actor(request).email)
            return said

        act_on_each(request, rows.select_related("domain"), do, refusals=(CampaignRefused,))

    @admin.action(description="Start")
    def start(self, request: HttpRequest, queryset: QuerySet[Campaign]) -> None:
        def do(campaign: Campaign) -> str:
            start_campaign(campaign, actor=get_actor(request).email)
            obstacles = list_obstacles(campaign, at=timezone.now())
            return f"started, but it cannot show. {' '.join(obstacles)}" if obstacles else "started."

        act_on_each(request, queryset.select_related("domain"), do, refusals=(CampaignRefused,))

    @admin.action(description="Pause")
    def pause(self, request: HttpRequest, queryset: QuerySet[Campaign]) -> None:
        self._act(request, queryset, pause_campaign, "paused.")

    @admin.action(description="Copy")
    def copy(self, request: HttpRequest, queryset: QuerySet[Campaign]) -> None:
        self._act(request, queryset, copy_campaign, "copied; the copy is paused.")

    @admin.action(description="Archive")
    def archive(self, request: HttpRequest, queryset: QuerySet[Campaign]) -> None:
        self._act(request, queryset, archive_campaign, "archived.")

    @admin.action(description="Restore")
    def bring_back(self, request: HttpRequest, queryset: QuerySet[Campaign]) -> None:
        self._act(request, queryset, bring_back_campaign, "restored, paused.")


class CampaignDomainFilter(DomainFilter):
    """Base for rows that belong to a domain through a campaign."""

    path = "campaign__domain"


@admin.register(Banner)
class BannerAdmin(OperatorAdmin):
    """All banners, including archived ones; edited in their campaign, archived here."""

    fields = [
        "campaign",
        "name",
        "image",
        "alt",
        "link",
        "weight",
        "utm_content",
        "archived_at",
        "created_at",
    ]
    list_display = ["name", "campaign", "weight", "image", "archived_at"]
    list_filter = [("archived_at", admin.EmptyFieldListFilter), CampaignDomainFilter]
    list_select_related = ["campaign", "image"]
    search_fields = ["name", "campaign__name"]
    date_hierarchy = "created_at"
    actions = ["archive"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Banner]:
        return super().get_queryset(request).defer("image__bytes_1x", "image__bytes_2x")

    def get_readonly_fields(self, request: HttpRequest, obj: Banner | None = None) -> Any:
        return self.fields

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    @admin.action(description="Archive")
    def archive(self, request: HttpRequest, queryset: QuerySet[Banner]) -> None:
        def do(banner: Banner) -> str:
            archive_banner(banner, actor=get_actor(request).email)
            return "archived."

        act_on_each(request, queryset, do)


@admin.register(BannerPlace)
class BannerPlaceAdmin(RefusableAdmin):
    """Each domain's banner slot."""

    form = PlaceForm
    refusals = (CampaignRefused, ImageRefused)
    fields = ["domain", *PlaceForm.Meta.fields]
    list_display = ["domain", "is_on", "width", "height", "default_link"]
    list_filter = ["is_on", DomainFilter]
    list_select_related = ["domain"]
    search_fields = ["domain__name"]
    readonly_fields = ["domain"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: BannerPlace, form: forms.ModelForm, change: bool) -> None:
        change_place(
            obj.domain,
            form.get_details(),  # type: ignore[attr-defined]
            upload=form.cleaned_data["picture"],
            drop_picture=form.cleaned_data["drop_picture"],
            actor=get_actor(request).email,
        )
        obj.refresh_from_db()
