"""Approvals count keys, cover four hashes, and name who is missing."""

import dataclasses

import pytest

from accord.base.errors import Refused
from accord.study.approval import Agreement, Approval, approve, missing, require_approved
from accord.study.consortium import Consortium

AGREEMENT = Agreement(*(bytes([at]) * 32 for at in range(4)))


@pytest.fixture
def required(party_keys):
    return {name: one.public for name, one in party_keys.items()}


@pytest.fixture
def approvals(party_keys):
    return [approve(one, AGREEMENT) for one in party_keys.values()]


def test_complete_approvals_pass(approvals, required):
    require_approved(AGREEMENT, approvals, required)


def test_a_missing_signature_is_named(approvals, required):
    with pytest.raises(Refused, match="not signed by gamma"):
        require_approved(AGREEMENT, approvals[:2], required)


@pytest.mark.parametrize("changed", ["study", "consortium", "plan", "explanation"])
def test_a_signature_covers_each_of_the_four_hashes(approvals, required, changed):
    other = dataclasses.replace(AGREEMENT, **{changed: bytes(31) + b"\x01"})
    assert missing(other, approvals, required) == ["alpha", "beta", "gamma"]
    with pytest.raises(Refused, match="not for this study as it stands"):
        require_approved(other, approvals, required)


def test_one_key_signing_twice_counts_once(party_keys, approvals, required):
    again = Approval("gamma", party_keys["alpha"].sign(AGREEMENT.message()))
    with pytest.raises(Refused, match="the approval of gamma is signed with the key of alpha"):
        require_approved(AGREEMENT, [*approvals[:2], again], required)
    assert missing(AGREEMENT, [approvals[0], approvals[0], approvals[0]], required) == ["beta", "gamma"]


def test_an_approval_under_another_protocol_version_is_refused_by_name(approvals):
    document = approvals[0].document()
    assert Approval.read(document) == approvals[0]
    with pytest.raises(Refused, match=r"the approval of alpha is of protocol version 99, we run 1 .*install the same release"):
        Approval.read({**document, "protocol": "99"})


def test_a_stranger_does_not_count(approvals, required):
    stranger = Approval("delta", approvals[2].signature)
    assert missing(AGREEMENT, [*approvals[:2], stranger], required) == ["gamma"]


def test_two_parties_cannot_share_a_key(consortium):
    parties = dict(consortium.parties)
    parties["gamma"] = parties["alpha"]
    with pytest.raises(Refused, match="alpha and gamma have the same key"):
        Consortium(parties, consortium.servers)


def test_three_organisations_run_the_servers(consortium):
    twice = (*consortium.servers[:2], dataclasses.replace(consortium.servers[2], party="alpha"))
    with pytest.raises(Refused, match="three servers, run by three organisations"):
        Consortium(consortium.parties, twice)
