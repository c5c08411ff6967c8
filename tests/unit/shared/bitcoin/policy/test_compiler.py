"""What the compiler makes of well-known policies, and what it refuses."""

import pytest

from shared.bitcoin.descriptors import parse as parse_descriptor
from shared.bitcoin.errors import MiniscriptError
from shared.bitcoin.miniscript import Context
from shared.bitcoin.networks import Network
from shared.bitcoin.policy import InternalKey, compile_policy, compile_taproot, parse

_HASH = "ab" * 20
_DIGEST = "cd" * 32
_KEYS = [
    f"02{x}"
    for x in (
        "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
        "c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5",
        "f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f9",
        "e493dbf1c10d80f3581e4904930b1404cc6c13900ee0758474fa94abe8c4cd13",
    )
]

# Each the cheapest that rust-miniscript and Bitcoin Core's reference compiler know, or as cheap.
_P2WSH = {
    "pk(A)": "pk(A)",
    "thresh(2,pk(A),pk(B),pk(C))": "multi(2,A,B,C)",
    "and(pk(A),pk(B))": "and_v(v:pk(A),pk(B))",
    "or(99@pk(A),pk(B))": "or_d(pk(A),pkh(B))",
    "and(pk(U),or(99@pk(S),older(12960)))": "and_v(v:pk(U),or_d(pk(S),older(12960)))",
    "thresh(3,pk(A),pk(B),pk(C),older(12960))": "thresh(3,pk(A),s:pk(B),s:pk(C),sln:older(12960))",
    "or(99@thresh(2,pk(A),pk(B),pk(C)),and(pk(D),older(52560)))": (
        "or_d(multi(2,A,B,C),and_v(v:pkh(D),older(52560)))"
    ),
    f"or(and(pk(A),sha256({_DIGEST})),and(pk(B),older(144)))": (
        f"andor(pk(A),sha256({_DIGEST}),and_v(v:pk(B),older(144)))"
    ),
    "or(10@and(pk(H),older(144)),pk(C))": "andor(pk(H),older(144),pkh(C))",
    "and(pk(A),after(900000))": "and_v(v:pk(A),after(900000))",
}


@pytest.mark.parametrize("policy", _P2WSH)
def test_a_known_policy_becomes_the_known_script(policy: str) -> None:
    made = compile_policy(parse(policy), Context.P2WSH)
    assert str(made) == _P2WSH[policy]
    assert made.sane


def test_a_tapscript_uses_what_only_tapscripts_allow() -> None:
    decaying = parse("thresh(3,pk(A),pk(B),pk(C),older(12960))")
    assert "sdv:older(12960)" in str(compile_policy(decaying, Context.TAPSCRIPT))
    multisig = parse("thresh(2,pk(A),pk(B),pk(C))")
    assert str(compile_policy(multisig, Context.TAPSCRIPT)) == "multi_a(2,A,B,C)"


def test_the_likeliest_key_alone_becomes_the_internal_key() -> None:
    made = compile_taproot(parse("or(pk(A),9@pk(B),and(pk(C),older(144)))"))
    assert str(made) == "tr(B,{pk(A),and_v(v:pk(C),older(144))})"


def test_without_a_key_alone_nobody_holds_the_internal_key() -> None:
    made = compile_taproot(parse("thresh(2,pk(A),pk(B))"))
    assert made.internal_key is None
    point = "50929b74c1a04954b78b4b6035e97a5e078a5a0f28ec96d547bfee9ace803ac0"
    assert str(made) == f"tr({point},and_v(v:pk(A),pk(B)))"


def test_an_internal_key_that_is_named_is_used_and_needs_no_leaf() -> None:
    policy = parse("or(pk(A),and(pk(C),older(144)))")
    assert str(compile_taproot(policy, "A")) == "tr(A,and_v(v:pk(C),older(144)))"
    musig = "musig(A,C)"
    assert compile_taproot(policy, musig).internal_key == musig
    assert len(compile_taproot(policy, musig).leaves) == 2
    assert len(compile_taproot(policy, InternalKey.NOBODY).leaves) == 2


def test_the_likelier_a_way_the_nearer_its_leaf_is_to_the_root() -> None:
    ways = [f"{weight}@and(pk(K{weight}),older({weight}))" for weight in (1, 2, 4, 8)]
    text = str(compile_taproot(parse(f"or({','.join(ways)})"), InternalKey.NOBODY))
    depths = {
        weight: text[: text.index(f"K{weight})")].count("{")
        - text[: text.index(f"K{weight})")].count("}")
        for weight in (1, 2, 4, 8)
    }
    assert depths == {1: 3, 2: 3, 4: 2, 8: 1}


def test_a_compiled_taproot_is_a_descriptor() -> None:
    a, b, c, d = _KEYS
    policy = parse(f"or(9@thresh(2,pk({a}),pk({b}),pk({c})),and(pk({d}),older(144)))")
    made = parse_descriptor(str(compile_taproot(policy)), Network.REGTEST)
    assert len(made.leaves) == 2
    assert [one.path.older for one in made.paths] == [144, 0]


@pytest.mark.parametrize(
    ("policy", "reason"),
    [
        ("or(pk(A),older(144))", "without a signature"),
        (f"sha256({_DIGEST})", "without a signature"),
        ("and(pk(A),pk(A))", "more than once"),
        ("and(pk(A),and(older(10),older(4194305)))", "malleability"),
        ("and(pk(A),and(after(10),after(500000000)))", "malleability"),
        (f"thresh(21,{','.join(f'pk(K{one})' for one in range(100))})", "opcodes"),
    ],
)
def test_a_policy_without_a_sane_script_is_refused_with_the_reason(
    policy: str, reason: str
) -> None:
    with pytest.raises(MiniscriptError, match=reason):
        compile_policy(parse(policy), Context.P2WSH)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "pk()",
        "pk(A",
        "pk(A,B)",
        "and(pk(A))",
        "or(pk(A),)",
        "or(0@pk(A),pk(B))",
        "or(1000001@pk(A),pk(B))",
        "thresh(0,pk(A))",
        "thresh(2,pk(A))",
        "older(0)",
        "older(2147483648)",
        "after(01)",
        "sha256(ab)",
        f"hash160({_DIGEST})",
        "multi(2,A,B)",
        "pk(A))",
        f"{'and(pk(A),' * 20}pk(A){')' * 20}",
        f"thresh(1,{','.join(['pk(A)'] * 201)})",
        "pk(" + "A" * 100_000 + ")",
    ],
)
def test_what_is_no_policy_is_refused(text: str) -> None:
    with pytest.raises(MiniscriptError):
        parse(text)
