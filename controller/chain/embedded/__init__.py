"""The embedded backend: a regtest chain in this process, on Core's own consensus engine.

It makes the demonstration and the tests real without a node: blocks are mined here, and Core's
engine judges them; transactions enter a mempool with the rules of `controller.chain.mempool`.
It is no network: nobody else sees it. `chain.EmbeddedChain` is the backend; composition and tests
import it, nothing else.
"""
