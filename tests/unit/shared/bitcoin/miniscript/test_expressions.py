"""Parsing, limits, sanity and paths of expressions."""

import pytest

from shared.bitcoin.errors import MiniscriptError
from shared.bitcoin.miniscript import Context, HashLock, Path, Signers, parse

_DIGEST = "ab" * 32


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("c:pk_k(A)", "pk(A)"),
        ("c:pk_h(A)", "pkh(A)"),
        ("andor(pk(A),pk(B),0)", "and_n(pk(A),pk(B))"),
        ("and_v(vc:pk_k(A),1)", "tv:pk(A)"),
        ("or_i(0,pk(A))", "l:pk(A)"),
        ("or_i(pk(A),0)", "u:pk(A)"),
        ("sc:pk_k(A)", None),
        ("thresh(2,c:pk_k(A),sc:pk_k(B))", "thresh(2,pk(A),s:pk(B))"),
        (f"and_v(v:pk(A),sha256({_DIGEST.upper()}))", f"and_v(v:pk(A),sha256({_DIGEST}))"),
    ],
)
def test_sugar_is_written_wherever_it_can_be(text: str, canonical: str | None) -> None:
    if canonical is None:
        with pytest.raises(MiniscriptError, match="type B at the top"):
            parse(text, Context.P2WSH)
        return
    made = parse(text, Context.P2WSH)
    assert str(made) == canonical
    assert parse(canonical, Context.P2WSH) == made
    assert hash(parse(canonical, Context.P2WSH)) == hash(made)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "pk",
        "pk(",
        "pk()",
        "pk(A",
        "pk(A))",
        "pk(A,B)",
        "pk (A)",
        "pk(A B)",
        "pk(A)pk(B)",
        "q:pk(A)",
        ":pk(A)",
        "v:v:pk(A)",
        "unknown(A)",
        "and_v(v:pk(A))",
        "and_v(v:pk(A),pk(B),pk(C))",
        "andor(pk(A),pk(B))",
        "thresh(0,pk(A))",
        "thresh(2,pk(A))",
        "thresh(pk(A))",
        "thresh(1)",
        "multi(0,A)",
        "multi(3,A,B)",
        "multi(1)",
        "multi_a(1,A)",
        "older(0)",
        "older(2147483648)",
        "older(01)",
        "older(+1)",
        "older(1 )",
        "after(-1)",
        "after(0x10)",
        f"sha256({_DIGEST[2:]})",
        f"sha256({_DIGEST[1:]}g)",
        f"hash160({_DIGEST})",
        "0",
        "v:pk(A)",
        "pk_k(A)",
        f"multi(1,{','.join(f'K{one}' for one in range(21))})",
    ],
)
def test_what_is_no_expression_is_refused(text: str) -> None:
    if text == "0":
        assert not parse(text, Context.P2WSH).sane
        return
    with pytest.raises(MiniscriptError) as refused:
        parse(text, Context.P2WSH)
    assert refused.value.allowed


def test_multisigs_belong_to_their_context() -> None:
    assert parse("multi_a(1,A)", Context.TAPSCRIPT).sane
    with pytest.raises(MiniscriptError, match="multi_a in tapscript"):
        parse("multi(1,A)", Context.TAPSCRIPT)


def test_an_endless_text_is_refused_at_once() -> None:
    with pytest.raises(MiniscriptError, match="characters"):
        parse("a" * 400_001, Context.P2WSH)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("older(1)", "without a signature"),
        ("and_v(v:pk(A),pk(A))", "more than once"),
        ("and_v(v:pk(A),0)", "nothing satisfies it"),
        ("or_i(older(1),older(2))", "someone else can change"),
    ],
)
def test_an_insane_expression_says_why(text: str, problem: str) -> None:
    made = parse(text, Context.P2WSH)
    assert any(problem in one for one in made.problems)
    with pytest.raises(MiniscriptError, match=problem):
        made.require_sane()


def _chain(count: int) -> str:
    """`count` keys, all of which have to sign."""
    opening = "".join(f"and_b(pk(K{place}),a:" for place in range(count - 1))
    return f"{opening}pk(K{count}){')' * (count - 1)}"


@pytest.mark.parametrize(
    ("count", "problem"), [(51, None), (52, "opcodes"), (101, "witness elements")]
)
def test_a_p2wsh_script_at_its_limits(count: int, problem: str | None) -> None:
    made = parse(_chain(count), Context.P2WSH)
    assert made.max_ops == count + 3 * (count - 1)
    assert made.max_stack_elements == count
    assert made.sane is (problem is None)
    assert problem is None or any(problem in one for one in made.problems)
    assert parse(_chain(count), Context.TAPSCRIPT).sane


def test_a_script_of_too_many_bytes_is_not_sane() -> None:
    made = parse(_chain(110), Context.P2WSH)
    assert made.script_size > 3600
    assert any("bytes of script" in one for one in made.problems)


def test_a_tapscript_may_fill_the_stack_and_no_more() -> None:
    for count, fits in ((998, True), (999, False)):
        text = f"{'and_b(older(1),a:' * count}pk(A){')' * count}"
        made = parse(text, Context.TAPSCRIPT)
        assert made.max_execution_stack == count + 2
        assert made.sane is fits
        assert str(made) == text


def test_paths_name_signers_preimages_and_locks() -> None:
    made = parse(
        f"andor(multi(2,A,B,C),sha256({_DIGEST}),and_v(v:pkh(D),and_v(v:older(9),after(7))))",
        Context.P2WSH,
    )
    assert made.paths == (
        Path((Signers(2, ("A", "B", "C")),), (HashLock("sha256", bytes.fromhex(_DIGEST)),)),
        Path((Signers(1, ("D",)),), older=9, after=7),
    )
    assert made.paths[0].keys == ("A", "B", "C")


def test_a_decaying_multisig_has_a_path_for_every_number_of_signers() -> None:
    made = parse("thresh(3,pk(A),s:pk(B),s:pk(C),sln:older(144))", Context.P2WSH)
    assert made.paths == (
        Path((Signers(3, ("A", "B", "C")),)),
        Path((Signers(2, ("A", "B", "C")),), older=144),
    )


def test_a_path_that_asks_for_more_than_another_is_left_out() -> None:
    made = parse("or_d(pk(A),and_v(v:older(9),and_v(v:older(5),pk(B))))", Context.P2WSH)
    assert [one.older for one in made.paths] == [0, 9]
    useless = parse("and_v(v:pk(A),or_d(pk(B),1))", Context.P2WSH)
    assert useless.paths == (Path.of_key("A"),)


def test_more_paths_than_anyone_judges_are_refused() -> None:
    branches = [f"or_i(pk(A{one}),pk(B{one}))" for one in range(11)]
    text = branches[0]
    for one in branches[1:]:
        text = f"and_v(v:{text},{one})"
    with pytest.raises(MiniscriptError, match="1024"):
        _ = parse(text, Context.P2WSH).paths


def test_a_key_of_the_wrong_length_is_refused() -> None:
    made = parse("and_v(v:pk(A),pkh(B))", Context.TAPSCRIPT)
    assert len(made.script({"A": bytes(32), "B": bytes(32)})) == made.script_size
    for keys in ({"A": bytes(32)}, {"A": bytes(33), "B": bytes(32)}, {}):
        with pytest.raises(MiniscriptError, match="key "):
            made.script(keys)
