"""Single sign-on: the members of a domain sign in through their company's identity provider, by OpenID Connect."""
