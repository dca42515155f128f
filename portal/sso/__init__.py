"""Single sign-on: members sign in through their company's identity provider, by OpenID Connect or SAML."""
