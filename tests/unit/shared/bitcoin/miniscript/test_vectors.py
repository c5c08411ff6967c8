"""Some of BIP379's vectors (CC0): types, opcodes, sizes, verdicts, scripts.

A key is a letter, which stands for the secret key of its place in the alphabet.
"""

import pytest

from shared.bitcoin.errors import MiniscriptError
from shared.bitcoin.keys import PrivateKey
from shared.bitcoin.miniscript import Context, Miniscript, parse

_H = "926a54995ca48600920a19bf7bc502ca5f2f7d07e6f804c4f00ebf0325084dbc"
_G = "c7bcb868ab4db55ca45f8eefe5b1677d9fc2c4111e295baaee1b34ed352c719b"
_H160 = "4355a46b19d348dc2f57c046f8ef63d4538ebb93"


def _keys(miniscript: Miniscript) -> dict[str, bytes]:
    keys = {}
    for name in miniscript.keys:
        key = PrivateKey((ord(name) - ord("A") + 1).to_bytes(32, "big"))
        keys[name] = key.public_key if miniscript.context is Context.P2WSH else key.x_only
    return keys


_TYPES = {
    "and_v(v:multi(2,A,B,C),j:multi(2,D,E,F))": "Bfnusm",
    "or_d(c:pk_k(A),and_b(multi(2,B,C,D),a:after(500000001)))": "Bsum",
    "j:and_v(vc:pk_h(A),multi(2,B,C,D))": "Bndusem",
    f"and_v(v:and_v(v:sha256({_H}),after(500000001)),multi(2,A,B,C))": "Bsnum",
    "or_d(multi(2,A,B,C),or_d(c:pk_k(D),multi(2,E,F,G)))": "Bdusem",
    f"or_d(c:pk_h(A),andor(multi(2,B,C,D),sha256({_H}),multi(2,E,F,G)))": "Bdusem",
    "or_d(or_d(c:pk_h(A),multi(2,B,C,D)),j:multi(2,E,F,G))": "Bsdum",
    "and_v(v:multi(2,A,B,C),1)": "Bfnusm",
    "andor(multi(2,A,B,C),andor(multi(2,D,E,F),multi(2,G,I,J),after(500000001)),multi(2,K,L,M))": (
        "Bsdem"
    ),
    "or_i(0,or_i(c:pk_k(A),0))": "Bsdum",
    "c:and_v(vn:after(1),pk_h(A))": "Bsnum",
    "and_b(or_d(c:pk_h(A),multi(2,B,C,D)),a:after(500000001))": "Bsum",
    f"and_v(and_v(v:multi(2,A,B,C),v:sha256({_H})),after(1))": "Bsnfm",
    f"and_b(and_b(c:pk_k(A),a:sha256({_H})),s:sha256({_H}))": "Bndusm",
    "andor(n:or_i(after(1),0),multi(2,A,B,C),multi(2,D,E,F))": "Bsdum",
    "c:and_v(v:or_i(after(500000001),0),pk_h(A))": "Bsum",
    "j:and_v(v:after(1),jc:pk_h(A))": "Bndusm",
    "or_i(0,and_v(v:multi(2,A,B,C),1))": "Bdusem",
    "andor(c:pk_h(A),c:pk_h(B),c:pk_h(C))": "Bdusem",
    "or_d(c:pk_k(A),or_i(multi(2,B,C,D),0))": "Bsdum",
}


@pytest.mark.parametrize("text", _TYPES)
def test_a_valid_expression_has_its_type(text: str) -> None:
    own = parse(text, Context.P2WSH).type
    assert sorted(set(str(own)) & set("BVKWndusfem")) == sorted(_TYPES[text])


@pytest.mark.parametrize(
    "text",
    [
        f"andor(multi(2,A,B,C),or_d(sha256({_G}),multi(2,D,E,F)),c:pk_h(G))",
        f"n:andor(j:multi(2,A,B,C),or_d(sha256({_G}),after(500000001)),j:multi(2,D,E,F))",
        f"andor(or_d(sha256({_G}),multi(2,A,B,C)),multi(2,D,E,F),0)",
        f"or_d(multi(2,A,B,C),and_b(multi(2,D,E,F),a:andor(sha256({_G}),after(1),after(1))))",
        f"and_v(or_c(multi(2,A,B,C),v:sha256({_G})),andor(sha256({_G}),multi(2,D,E,F),pk(G)))",
        f"andor(or_d(j:multi(2,A,B,C),sha256({_G})),multi(2,D,E,F),0)",
        "or_d(or_d(j:multi(2,A,B,C),j:multi(2,D,E,F)),multi(2,G,I,J))",
        f"andor(andor(pk(A),sha256({_G}),sha256({_G})),multi(2,D,E,F),multi(2,G,I,J))",
        f"or_d(multi(2,A,B,C),andor(sha256({_G}),c:pk_h(D),0))",
    ],
)
def test_a_malleable_expression_is_read_and_not_sane(text: str) -> None:
    made = parse(text, Context.P2WSH)
    assert not made.type.m
    assert "someone else can change its witness" in made.problems


@pytest.mark.parametrize(
    "text",
    [
        "or_i(c:and_v(and_v(v:after(1),v:after(500000001)),pk_k(A)),0)",
        "and_v(vc:and_v(v:after(1),pk_h(A)),after(500000001))",
        "and_v(v:and_b(after(500000001),a:after(1)),multi(2,A,B,C))",
        "n:and_v(v:after(500000001),and_v(v:multi(2,A,B,C),after(1)))",
        "and_b(and_b(after(1),aj:multi(2,A,B,C)),a:after(500000001))",
        "and_b(c:pk_h(A),a:and_b(after(1),a:after(500000001)))",
        "thresh(2,pk(A),s:pk(B),sln:older(1),sln:older(4194305))",
    ],
)
def test_a_height_and_a_time_in_one_way_are_not_sane(text: str) -> None:
    mixed = parse(text, Context.P2WSH)
    assert not mixed.type.k
    assert not mixed.sane


def test_locks_that_never_meet_may_differ_in_kind() -> None:
    one_of = "thresh(1,pk(A),altv:after(1000000000),altv:after(100))"
    assert parse(one_of, Context.P2WSH).type.k
    other_way = "andor(multi(2,A,B,C),andor(multi(2,D,E,F),after(1),after(500000001)),0)"
    assert parse(other_way, Context.P2WSH).type.k
    both_kinds = "and_v(v:pk(A),and_v(v:older(4194305),after(100)))"
    assert parse(both_kinds, Context.P2WSH).sane


@pytest.mark.parametrize(
    "text",
    [
        "thresh(2,multi(2,A,B,C),after(1),pk_k(D))",
        f"thresh(2,pk_h(A),multi(2,B,C,D),s:sha256({_H}))",
        f"or_d(pk_h(A),s:or_b(pk_h(B),sha256({_H})))",
        f"or_b(c:sha256({_H}),sha256({_H}))",
        f"or_d(sha256({_H}),or_d(after(1),after(1)))",
        "or_d(or_c(after(1),multi(2,A,B,C)),after(1))",
        f"d:or_b(sha256({_H}),multi(2,A,B,C))",
        "thresh(2,j:pk_k(A),pk_k(B),pk_k(C))",
        "or_b(or_b(multi(2,A,B,C),after(500000001)),multi(2,D,E,F))",
        f"c:or_b(sha256({_H}),pk_k(A))",
    ],
)
def test_an_ill_typed_expression_is_refused(text: str) -> None:
    with pytest.raises(MiniscriptError, match="of type"):
        parse(text, Context.P2WSH)


# Expression: script bytes, witness elements, witness bytes.
_TAPSCRIPT = {
    f"andor(multi_a(2,A,B,C),andor(multi_a(2,D,E,F),after(1),sha256({_H})),0)": (256, 7, 266),
    "andor(multi_a(2,A,B,C),andor(multi_a(2,D,E,F),after(500000001),0),0)": (222, 6, 266),
    "andor(multi_a(2,A,B,C),andor(multi_a(2,D,E,F),multi_a(2,G,I,J),0),0)": (320, 9, 399),
    "andor(multi_a(2,A,B,C),andor(multi_a(2,D,E,F),n:after(1),after(500000001)),"
    "multi_a(2,G,I,J))": (327, 6, 266),
    "tv:pk(A)": (35, 1, 66),
    "u:pk(A)": (38, 2, 68),
}
_P2WSH = {"tv:pk(A)": (36, 1, 73), "u:pk(A)": (39, 2, 75)}


@pytest.mark.parametrize(
    ("context", "text"),
    [(Context.TAPSCRIPT, text) for text in _TAPSCRIPT] + [(Context.P2WSH, text) for text in _P2WSH],
)
def test_sizes_are_the_known_ones(context: Context, text: str) -> None:
    made = parse(text, context)
    known = _TAPSCRIPT if context is Context.TAPSCRIPT else _P2WSH
    assert (made.script_size, made.max_stack_elements, made.max_witness_bytes) == known[text]
    assert len(made.script(_keys(made))) == made.script_size


_EDGES = """thresh(1,pk(A))
and_b(pk(A),s:thresh(1,pk(B)))
or_b(pk(A),s:thresh(1,pk(B)))
and_b(or_i(pk(A),pk(B)),s:thresh(1,pk(C)))
thresh(4,pk(A),s:pk(B),s:pk(C),s:pk(D),s:pk(E))
thresh(5,pk(A),s:pk(B),s:pk(C),s:pk(D),s:pk(E))
multi(1,A)
multi(20,A,B,C,D,E,F,G,H,I,J,K,L,M,N,O,P,Q,R,S,T)
after(1)
after(2147483647)
older(1)
older(2147483647)
or_d(pk(A),and_v(v:pk(B),older(52560)))
andor(pk(A),older(4194305),pk(B))
l:pk(A)
u:pk(A)
and_n(pk(A),pk(B))
tv:pk(A)
or_i(and_v(v:pk(A),pk(B)),thresh(1,pk(C)))
thresh(2,or_i(multi(2,A,B,C),pk(D)),s:pk(E),s:pk(F),s:pk(G))
thresh(1,or_d(multi(2,A,B,C),pk(D)),s:pk(E),s:pk(F))""".splitlines()


@pytest.mark.parametrize("text", _EDGES)
def test_an_edge_case_is_read_and_written_as_it_stands(text: str) -> None:
    assert str(parse(text, Context.P2WSH)) == text


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("pk(A)", "2102{A}ac"),
        ("pkh(A)", "76a914751e76e8199196d454941c45d1b3a323f1433bd688ac"),
        ("and_v(v:pk(A),older(144))", "2102{A}ad029000b2"),
        ("or_i(pk(A),after(500000))", "632102{A}ac670320a107b168"),
        (f"and_v(v:hash160({_H160}),pk(A))", f"82012088a914{_H160}882102{{A}}ac"),
        ("lltvln:after(1231488000)", "6300676300676300670400046749b1926869516868"),
        ("j:and_v(vdv:after(1567547623),older(2016))", "829263766304e7e06e5db169686902e007b268"),
    ],
)
def test_a_fragment_becomes_the_script_of_the_table(text: str, script: str) -> None:
    made = parse(text, Context.P2WSH)
    first = "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
    assert made.script(_keys(made)).hex() == script.format(A=first)
