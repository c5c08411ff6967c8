"""Tests of `provisioning.install`."""
