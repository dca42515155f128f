"""The pages of the work: senders, groups, templates, brand and deliveries of one domain."""

from django.urls import include, path

from .views import (
    api,
    audiences,
    banners,
    brand,
    campaigns,
    deliveries,
    explain,
    groups,
    merge_variable,
    originals,
    previews,
    recipients,
    results,
    retention,
    senders,
    subject_access,
    templates,
)

app_name = "signatures"

_pages = [
    path("senders/", senders.senders, name="senders"),
    path("senders/suggestions/", senders.sender_suggestions, name="sender_suggestions"),
    path("senders/<int:pk>/", senders.sender, name="sender"),
    path("senders/<int:pk>/values/", senders.sender_values, name="sender_values"),
    path("senders/<int:pk>/template/", senders.sender_template, name="sender_template"),
    path("senders/<int:pk>/check/", senders.sender_check, name="sender_check"),
    path("senders/<int:pk>/preview/", previews.sender_preview, name="sender_preview"),
    path("groups/", groups.groups, name="groups"),
    path("groups/<int:pk>/", groups.group, name="group"),
    path("groups/<int:pk>/move/", groups.group_move, name="group_move"),
    path("groups/<int:pk>/template/", groups.group_template, name="group_template"),
    path("templates/", templates.templates, name="templates"),
    path("templates/new/", templates.template_new, name="template_new"),
    path("templates/starters/", templates.template_starters, name="template_starters"),
    path("templates/preview/", previews.template_preview, name="template_preview"),
    path("templates/trial/", previews.template_trial, name="template_trial"),
    path("templates/<int:pk>/", templates.template, name="template"),
    path("templates/<int:pk>/save/", templates.template_save, name="template_save"),
    path("templates/<int:pk>/groups/", templates.template_groups, name="template_groups"),
    path("templates/<int:pk>/restore/", templates.template_restore, name="template_restore"),
    path("brand/", brand.brand, name="brand"),
    path("deliveries/", deliveries.deliveries, name="deliveries"),
    path("deliveries/plan/", deliveries.delivery_plan, name="delivery_plan"),
    path("deliveries/<int:pk>/", deliveries.delivery_run, name="delivery_run"),
    path("deliveries/<int:pk>/progress/", deliveries.delivery_progress, name="delivery_progress"),
    path("deliveries/<int:pk>/start/", deliveries.delivery_start, name="delivery_start"),
    path("deliveries/<int:pk>/resume/", deliveries.delivery_resume, name="delivery_resume"),
    path("deliveries/<int:pk>/stop/", deliveries.delivery_stop, name="delivery_stop"),
    path("deliveries/<int:run>/mailboxes/<int:pk>/", deliveries.delivery_preview, name="delivery_preview"),
    path("deliveries/<int:run>/mailboxes/<int:pk>/frame/", previews.delivery_frame, name="delivery_frame"),
    path("originals/", originals.originals, name="originals"),
]

_recipients = [
    path("", recipients.recipients, name="recipients"),
    path("keys/", recipients.key_make, name="key_make"),
    path("keys/<int:pk>/revoke/", recipients.key_revoke, name="key_revoke"),
    path("person/", subject_access.person, name="person"),
    path("person/export/", subject_access.person_export, name="person_export"),
    path("person/erase/", subject_access.person_erase, name="person_erase"),
    path("variable/", merge_variable.variable, name="variable"),
    path("variable/test/", merge_variable.variable_test, name="variable_test"),
    path("variable/on/", merge_variable.variable_on, name="variable_on"),
    path("variable/off/", merge_variable.variable_off, name="variable_off"),
    path("retention/", retention.retention, name="retention"),
    path("retention/change/", retention.retention_change, name="retention_change"),
]
_api = [
    path("decisions", api.decisions, name="api_decisions"),
    path("openapi.json", api.openapi, name="api_document"),
]
_campaigns = [
    path("", campaigns.campaigns, name="campaigns"),
    path("new/", campaigns.campaign_new, name="campaign_new"),
    path("why/", explain.why, name="why"),
    path("place/", banners.banner_place, name="banner_place"),
    path("pictures/<int:pk>/", banners.banner_picture, name="banner_picture"),
    path("lists/", audiences.recipient_lists, name="recipient_lists"),
    path("lists/<int:pk>/", audiences.recipient_list, name="recipient_list"),
    path("lists/<int:pk>/delete/", audiences.recipient_list_delete, name="recipient_list_delete"),
    path("labels/", audiences.labels, name="labels"),
    path("labels/<int:pk>/", audiences.label, name="label"),
    path("labels/<int:pk>/delete/", audiences.label_delete, name="label_delete"),
    path("<int:pk>/", campaigns.campaign, name="campaign"),
    path("<int:pk>/change/", campaigns.campaign_change, name="campaign_change"),
    path("<int:pk>/start/", campaigns.campaign_start, name="campaign_start"),
    path("<int:pk>/pause/", campaigns.campaign_pause, name="campaign_pause"),
    path("<int:pk>/copy/", campaigns.campaign_copy, name="campaign_copy"),
    path("<int:pk>/archive/", campaigns.campaign_archive, name="campaign_archive"),
    path("<int:pk>/bring-back/", campaigns.campaign_bring_back, name="campaign_bring_back"),
    path("<int:pk>/audience/", audiences.campaign_audience, name="campaign_audience"),
    path("<int:pk>/preview/", explain.campaign_preview, name="campaign_preview"),
    path("<int:pk>/banners/new/", banners.banner_new, name="banner_new"),
    path("<int:pk>/banners/destination/", banners.banner_destination, name="banner_destination"),
    path("<int:campaign>/banners/<int:pk>/", banners.banner, name="banner"),
    path("<int:campaign>/banners/<int:pk>/archive/", banners.banner_archive, name="banner_archive"),
]

_results = [
    path("", results.results_overview, name="results"),
    path("export/", results.results_export, name="results_export"),
    path("counting/", results.counting, name="counting"),
    path("<int:pk>/", results.result, name="result"),
    path("<int:pk>/senders/", results.result_senders, name="result_senders"),
    path("<int:pk>/carriers/", results.result_carriers, name="result_carriers"),
    path("<int:pk>/export/", results.result_export, name="result_export"),
    path("<int:pk>/carriers/export/", results.carriers_export, name="carriers_export"),
]

urlpatterns = [
    path("domains/<str:domain>/", include(_pages)),
    path("domains/<str:domain>/campaigns/recipient/", include(_recipients)),
    path("domains/<str:domain>/results/", include(_results)),
    path("api/v1/", include(_api)),
    path("t/<str:key>.png", merge_variable.variable_picture, name="variable_picture"),
    path("domains/<str:domain>/campaigns/", include(_campaigns)),
]
