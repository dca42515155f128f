"""Addresses of this app's pages: the connection, its syncs, and the ledger."""

from django.urls import include, path

from .views import assumptions, audit, ledger, notices, outreach, permissions, proof, receipts, syncs

app_name = "integrations"

_connection = [
    path("", outreach.outreach, name="outreach"),
    path("connect/", outreach.connect, name="outreach_connect"),
    path("disconnect/", outreach.disconnect, name="outreach_disconnect"),
    path("disconnect/leave/", outreach.leave_originals, name="outreach_leave_originals"),
    path("pause/", outreach.pause_writing, name="outreach_pause"),
    path("resume/", outreach.resume_writing, name="outreach_resume"),
    path("mode/", outreach.change_mode, name="outreach_mode"),
    path("check/", outreach.check, name="outreach_check"),
    path("progress/", outreach.progress, name="outreach_progress"),
    path("assumptions/", assumptions.assumptions, name="outreach_assumptions"),
    path("assumptions/check/", assumptions.check, name="outreach_assumptions_check"),
    path("assumptions/report/", assumptions.report, name="outreach_assumptions_report"),
    path("proof/", proof.proof, name="outreach_proof"),
    path("request/", permissions.request_page, name="outreach_request"),
    path("receipts/<int:pk>/", receipts.receipt, name="receipt"),
    path("receipts/<int:pk>/download/", receipts.receipt_file, name="receipt_file"),
    path("scopes/<str:scope>/", permissions.switch, name="outreach_switch"),
]

_work = [
    path("syncs/", syncs.runs, name="runs"),
    path("syncs/now/", syncs.sync_now, name="sync_now"),
    path("syncs/<int:pk>/", syncs.run, name="run"),
    path("syncs/<int:pk>/progress/", syncs.run_progress, name="run_progress"),
    path("ledger/", ledger.ledger, name="ledger"),
    path("ledger/scopes/<str:scope>/", ledger.ledger_scope, name="ledger_scope"),
    path("ledger/export/", ledger.ledger_export, name="ledger_export"),
    path("ledger/check/", ledger.ledger_check, name="ledger_check"),
    path("ledger/calls/", ledger.ledger_calls, name="ledger_calls"),
]

_notices = [
    path("", notices.notices, name="notices"),
    path("remove/", notices.remove, name="notices_remove"),
    path("secret/", notices.secret, name="notices_secret"),
    path("test/", notices.test, name="notices_test"),
]

urlpatterns = [
    path("manage/domains/<str:domain>/notices/", include(_notices)),
    path("manage/domains/<str:domain>/integrations/outreach/", include(_connection)),
    path("domains/<str:domain>/", include(_work)),
    path("audit/", audit.audit, name="audit"),
]
