#!/usr/bin/env python
"""How many instructions does the Triton kernel take for a pair? Compiled for Hopper, without a GPU.

The machine code of the loop over classes j is read and its instructions are divided by the pairs of
a pass. A scheduler issues one a clock, so that their number is a lower bound on time, and no more
than that: nothing here was run.
"""

import collections
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.harness.rows import Row
from benchmarks.script import Script, Step, main


def _compile(half: bool, norms: bool, block_i: int) -> bytes:
    """Return the kernel of tanh on both sides, as machine code for compute capability 9.0.

    Raises:
        RuntimeError: If there is no Triton, or an old one.
    """
    # The interpreter, which tests switch on, compiles nothing.
    os.environ['TRITON_INTERPRET'] = '0'
    try:
        import triton
        from triton.backends.compiler import GPUTarget
        from triton.compiler import ASTSource

        from mmdet_kdrank.ops.backends.triton.pairs import pairs
    except ImportError as error:
        raise RuntimeError(
            f'the benchmark instructions needs Triton 3.4 or newer ({error}): call it on the '
            'modern stack.'
        ) from error
    constants = {
        'EXPONENTIALS': True,
        'PHI_S': 'tanh',
        'PHI_T': 'tanh',
        'NORMS': norms,
        'MASKED': False,
        'HALF': half,
        'BLOCK_I': block_i,
        'BLOCK_N': 32,
    }
    types = {'rows': 'i32', 'columns': 'i32', 'k': 'fp32', 'is_narrow': '*i32'}
    signature = {
        name: 'constexpr' if name in constants else types.get(name, '*fp32')
        for name in pairs.arg_names
    }
    source = ASTSource(pairs, signature, constants)
    return triton.compile(source, GPUTarget('cuda', 90, 32), {'num_warps': 1}).asm['cubin']


def _tool(name: str, *arguments: str) -> str:
    import triton

    tools = Path(triton.__file__).parent / 'backends' / 'nvidia' / 'bin'
    command = [str(tools / name), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def loops(assembly: str) -> list[collections.Counter]:
    """Return the instructions of each loop, counted by name.

    Args:
        assembly: What ``nvdisasm`` prints.

    Returns:
        One counter for each backward branch, in the order of the code.
    """
    lines = [line.strip() for line in assembly.splitlines()]
    labels = {line[:-1]: n for n, line in enumerate(lines) if re.fullmatch(r'\.L_x_\d+:', line)}
    counters = []
    for end, line in enumerate(lines):
        branch = re.search(r'\bBRA\b.*`\((\.L_x_\d+)\)', line)
        if branch and labels.get(branch[1], end) < end:
            body = '\n'.join(lines[labels[branch[1]] : end + 1])
            names = re.findall(r'^/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\w+\s+)?([A-Z]\w*)', body, re.M)
            counters.append(collections.Counter(names))
    return counters


def _rows(half: bool, norms: bool, block_i: int) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / 'pairs.cubin'
        file.write_bytes(_compile(half, norms, block_i))
        usage = _tool('cuobjdump', '-res-usage', str(file))
        all_loops = loops(_tool('nvdisasm', '-c', str(file)))
    # Of the loops with one reciprocal a pair, the shortest: the others repeat it with a mask.
    loop = min((x for x in all_loops if x['MUFU'] == block_i), key=lambda x: x.total())
    return [
        {
            'form': 'cosine' if norms else 'kendall',
            'visits': 'each pair once' if half else 'each pair in both orders',
            'block_i': block_i,
            'registers': int(re.search(r'REG:(\d+)', usage)[1]),
            'stack_bytes': int(re.search(r'STACK:(\d+)', usage)[1]),
            'instructions_a_visit': round(loop.total() / block_i, 2),
            'arithmetic_a_visit': round(
                sum(loop[name] for name in ('FADD', 'FMUL', 'FFMA', 'MUFU')) / block_i, 2
            ),
        }
    ]


def _steps(device: str, quick: bool) -> list[Step]:
    cases = (
        [(True, False, 8)]
        if quick
        else [
            (half, norms, block_i)
            for norms in (False, True)
            for half, block_i in ((False, 4), (False, 8), (True, 8))
        ]
    )
    return [lambda case=case: _rows(*case) for case in cases]


SCRIPT = Script('instructions', 'How many instructions does a pair take?', _steps)

if __name__ == '__main__':
    sys.exit(main([SCRIPT]))
