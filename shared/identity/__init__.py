"""Identities: certificates, requests, revocation lists, trust. No I/O, no clock, no own keys.

Both sides and `provisioning` import it; `now` (aware UTC), keys and serial numbers are arguments.

- `names`, `keys`, `fingerprints`, `pem`: who a certificate is for, and the text forms, bounded.
- `profiles`: what each kind of certificate contains and how long it lasts; a new kind goes there.
- `requests`: a host builds one, an issuer checks it. `issuing`: roots, intermediates, leaves.
- `revocation`: numbered lists, when the next is due. `renewal`: when, how late, proof of the key.
- `trust`: the pinned roots, one file. `verification`: chains against them. `rotation`: new roots.
- `errors`: everything that can be wrong; a new fault is a class there.
"""
