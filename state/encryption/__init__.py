"""Encryption of the tenants' state at rest, each under data keys of its own.

``wrapping`` says how a data key lies in the key store, ``places`` where that is, ``key_store``
makes, rotates and destroys keys, ``sealing`` seals and opens records with them. docs/encryption.md
has the threat model; decision 46 says why it is so.
"""
