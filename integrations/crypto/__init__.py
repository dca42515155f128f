"""Cryptography: secrets sealed at rest, what this installation signs, and the rotation of keys."""
