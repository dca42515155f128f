"""People in the admin: who is added, who is made what, and that nobody is deleted."""

from __future__ import annotations

from allauth.account.models import EmailAddress
from django.test import Client

from portal.models import Domain, User


def test_a_superuser_adds_a_person_who_can_sign_in(client: Client, superuser: User) -> None:
    client.force_login(superuser)
    password = "a long enough passphrase 7"

    client.post(
        "/admin/portal/user/add/",
        {
            "email": "New@Acme.example",
            "usable_password": "true",
            "password1": password,
            "password2": password,
        },
    )

    client.logout()
    answer = client.post("/accounts/login/", {"login": "new@acme.example", "password": password})
    assert answer.status_code == 302
    assert client.session["_auth_user_id"] == str(User.objects.get(email="new@acme.example").pk)


def test_a_changed_address_is_the_one_to_sign_in_with(client: Client, superuser: User, owner: User) -> None:
    client.force_login(superuser)

    answer = client.post(
        f"/admin/portal/user/{owner.pk}/change/", {"email": "dana@acme.example", "is_active": "on"}
    )

    assert answer.status_code == 302
    owner.refresh_from_db()
    assert owner.email == "dana@acme.example"
    assert list(EmailAddress.objects.filter(user=owner).values_list("email", "verified", "primary")) == [
        ("dana@acme.example", True, True)
    ]


def test_an_operator_makes_nobody_an_operator(staff: Client, operator: User, owner: User) -> None:
    statuses = [
        staff.post(f"/admin/portal/user/{owner.pk}/change/", {"email": owner.email, "is_staff": "on"}),
        staff.post(
            f"/admin/portal/user/{operator.pk}/change/", {"email": operator.email, "is_superuser": "on"}
        ),
        staff.post(f"/admin/portal/user/{owner.pk}/password/", {"password1": "x", "password2": "x"}),
        staff.post("/admin/portal/user/add/", {"email": "more@portal.example"}),
    ]

    assert [answer.status_code for answer in statuses] == [403, 403, 403, 403]
    assert not User.objects.filter(is_superuser=True).exists()


def test_nobody_deletes_a_person_or_a_domain(
    client: Client, superuser: User, domain: Domain, owner: User
) -> None:
    client.force_login(superuser)

    statuses = [
        client.post(f"/admin/portal/user/{owner.pk}/delete/", {"post": "yes"}).status_code,
        client.post(f"/admin/portal/domain/{domain.pk}/delete/", {"post": "yes"}).status_code,
    ]

    assert statuses == [403, 403]
    assert (User.objects.count(), Domain.objects.count()) == (2, 1)
